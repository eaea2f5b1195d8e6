/** Texts that somebody got wrong: a good one with a few slips of the keyboard, or worse. */
import fc from 'fast-check';

/** Values that are at or past some edge, or of another kind. */
const ODD = [
  '0',
  '-1',
  '1',
  '3',
  '17',
  '256',
  '257',
  '4096',
  '1e9',
  '1e308',
  '1e-300',
  '.nan',
  '.inf',
  '-.inf',
  'null',
  '~',
  'true',
  '[]',
  '{}',
  '[0, 0]',
  '"x"',
  '""',
  '2001-01-01',
  '!!set {a}',
  '!!binary aGVsbG8=',
  '*x',
  '&x 1',
  '\u001b[31m',
  '"\\e]0;x\\a"',
  '\u202e',
];
const PIECES = [
  '\t',
  '  ',
  '\n',
  ':',
  '- ',
  '{',
  '}',
  '[',
  ']',
  ',',
  '#',
  "'",
  '"',
  '\u0000',
  '\u009b',
  '?',
  '|',
  '%',
];

type Edit = (text: string, where: number, what: number) => string;

const pick = <T>(list: readonly T[], n: number): T => list[n % list.length]!;

/** Changes the n-th match of the pattern. */
function change(text: string, pattern: RegExp, n: number, into: (match: string) => string): string {
  const found = [...text.matchAll(pattern)];
  if (found.length === 0) return text;
  const { index, 0: match } = pick(found, n);
  return text.slice(0, index) + into(match) + text.slice(index + match.length);
}

function lines(text: string, edit: (list: string[]) => void): string {
  const list = text.split('\n');
  edit(list);
  return list.join('\n');
}

const EDITS: readonly Edit[] = [
  (text, where, what) => change(text, /(?<=: )[^,{}[\]\n]+/g, where, () => pick(ODD, what)),
  (text, where, what) => change(text, /(?<=: )[^,{}[\]\n]+/g, where, () => pick(ODD, what)),
  (text, where, what) => change(text, /\d+/g, where, () => String(what)),
  (text, where, what) => change(text, /\d+/g, where, () => String(what % 24)),
  (text, where, what) => change(text, /(?<=[a-z]: )\d+/g, where, () => String(what % 8)),
  (text, where, what) => change(text, /(?<=rate: )\d+/g, where, () => String(10 ** (what % 7))),
  (text, where, what) =>
    change(text, /\b[a-z]\w+(?=:)/g, where, () => pick([...text.matchAll(/\b[a-z]\w+/g)], what)[0]),
  (text, where, what) =>
    change(text, /\b[a-z]\w+/g, where, () => pick([...text.matchAll(/\b[a-z]\w+/g)], what)[0]),
  (text, where) => lines(text, (l) => l.splice(where % l.length, 1)),
  (text, where, what) => lines(text, (l) => l.splice(where % l.length, 0, pick(l, what))),
  (text, where) => change(text, /^ +/gm, where, (blanks) => blanks.slice(1)),
  (text, where) => change(text, /^ +/gm, where, (blanks) => `${blanks} `),
  (text, where, what) => {
    const at = where % (text.length + 1);
    return text.slice(0, at) + pick(PIECES, what) + text.slice(at);
  },
  (text, where) => {
    const at = where % (text.length + 1);
    return text.slice(0, at) + text.slice(at + 1);
  },
  (text, where) => text.slice(0, where % (text.length + 1)),
];

const edits = fc.array(
  fc.record({
    edit: fc.nat({ max: EDITS.length - 1 }),
    where: fc.nat({ max: 5_000 }),
    what: fc.nat({ max: 300 }),
  }),
  { minLength: 1, maxLength: 3 },
);

/** One of the texts with one to three edits. */
export function mutated(texts: readonly string[]): fc.Arbitrary<string> {
  return fc
    .tuple(fc.constantFrom(...texts), edits)
    .map(([text, list]) => list.reduce((t, { edit, where, what }) => EDITS[edit]!(t, where, what), text));
}
