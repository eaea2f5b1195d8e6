/** What the user got wrong, or the system refuses, and how a line of the terminal says so. */

/** The user's mistake: shown as one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What the system refused: shown as one line, exit code 1. */
export class RunError extends Error {
  override readonly name = 'RunError';
}

/** Control characters, and the ones that turn or break a line, as escapes: foreign text stays text. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    (c) => {
      const code = c.charCodeAt(0);
      if (c === '\n') return '\\n';
      if (c === '\t') return '\\t';
      if (c === '\r') return '\\r';
      return code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`;
    },
  );
}

function hex(code: number, width: number): string {
  return code.toString(16).padStart(width, '0');
}

/** A word of the user's as a message quotes it: printable, and not longer than a line bears. */
export function quoted(word: string): string {
  const short = word.length > 60 ? `${word.slice(0, 57)}...` : word;
  return `'${printable(short)}'`;
}

/** `; did you mean 'x'?` where a known word is near, else `; there is a, b, c`. */
export function hint(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  if (near !== undefined) return `; did you mean ${quoted(near)}?`;
  if (known.length === 0) return '; there are none';
  const shown = known.slice(0, 12).map((k) => printable(k));
  return `; there is ${shown.join(', ')}${known.length > shown.length ? ', ...' : ''}`;
}

/** The known word with the fewest typing errors, if they are few for its length. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length < 3) return undefined; // any letter is near any other
  const given = word.toLowerCase();
  let best: string | undefined;
  let fewest = Infinity;
  for (const candidate of known) {
    const d = distance(given, candidate.toLowerCase());
    if (d < fewest && d <= Math.max(1, Math.floor(Math.min(given.length, candidate.length) * 0.4))) {
      fewest = d;
      best = candidate;
    }
  }
  return best;
}

/** Edits, and swaps of neighbours, that turn one word into the other (optimal string alignment). */
function distance(a: string, b: string): number {
  if (a.length > 80 || b.length > 80) return Infinity;
  let older: number[] = [];
  let old = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let d = Math.min(old[j]! + 1, row[j - 1]! + 1, old[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        d = Math.min(d, older[j - 2]! + 1);
      row.push(d);
    }
    older = old;
    old = row;
  }
  return old[b.length]!;
}
