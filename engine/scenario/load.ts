/** Scenarios from YAML text: every mistake is one line naming file, place and what would be right. */
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isScalar,
  Lexer,
  LineCounter,
  Parser,
  parseDocument,
  visit,
} from 'yaml';
import { FormatError, printable } from '../core/errors.ts';
import { complain, type Issue, placeOf } from './complaint.ts';
import type { Scenario } from './kinds.ts';
import { schemaFor } from './schema.ts';

/** A scenario is a page of text; the largest machine is described in less than this. */
const LARGEST = 1 << 20;
const DEEPEST = 32;
const MOST = 100_000;

/** What the parser's own words leave open. */
const YAML_ERRORS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab in the indentation, expected blanks',
  DUPLICATE_KEY: 'a key for the second time, expected each once',
  MULTIPLE_DOCS: 'a second document, expected one',
};

/** @throws UserError naming the file, the line and what was expected */
export function parseScenario(text: string, file: string): Scenario {
  const lines = new LineCounter();
  const value = read(text, file, lines);
  const schema = schemaFor(value.data);
  const parsed = schema.safeParse(value.data, { reportInput: true });
  if (parsed.success) return parsed.data;
  const { path, text: problem } = complain(schema, first(parsed.error.issues), value.data);
  const where = path.length > 0 ? `${placeOf(path)}: ` : '';
  throw new FormatError(file, lineOf(value.doc, lines, path), `${where}${problem}`);
}

/** Unknown keys first: a key that is missing is often one that was misspelt. */
function first(issues: readonly Issue[]): Issue {
  return issues.find((i) => i.code === 'unrecognized_keys') ?? issues[0]!;
}

function read(text: string, file: string, lines: LineCounter): { data: unknown; doc: Document } {
  if (text.length > LARGEST) {
    throw new FormatError(file, 1, `${text.length} characters, expected at most ${LARGEST}`);
  }
  checkDepth(text, file);
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const broken = doc.errors[0] ?? doc.warnings[0];
  if (broken) {
    const problem = YAML_ERRORS[broken.code] ?? `not YAML: ${printable(broken.message, 160)}`;
    throw new FormatError(file, lines.linePos(broken.pos[0]).line, problem);
  }
  if (doc.contents === null || (isScalar(doc.contents) && doc.contents.value === null)) {
    throw new FormatError(file, 1, 'nothing in it, expected a scenario: name, title, dom0 or kvm, ...');
  }
  visit(doc, {
    Pair: (_, { key }) => {
      if (!isCollection(key)) return;
      throw new FormatError(
        file,
        startOf(key, lines) ?? 1,
        'a list or keys and values as a key, expected a word',
      );
    },
  });
  try {
    const data: unknown = doc.toJS({ maxAliasCount: -1 });
    if (!isSmall(data)) {
      throw new FormatError(file, aliasLine(doc, lines), `too large, expected at most ${MOST} values`);
    }
    return { data, doc };
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw new FormatError(file, aliasLine(doc, lines), `not YAML: ${printable(error.message, 160)}`);
  }
}

/** Are the values in it few enough, those behind aliases counted each time they are used? */
function isSmall(data: unknown): boolean {
  const left: unknown[] = [data];
  for (let n = 0; left.length > 0; n++) {
    const value = left.pop();
    if (typeof value === 'object' && value !== null) {
      for (const inner of Object.values(value)) left.push(inner);
    }
    if (n + left.length > MOST) return false;
  }
  return true;
}

/** The parser calls itself for what is nested, so the depth is looked at before. @throws FormatError */
function checkDepth(text: string, file: string): void {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)) {
      // a whole document; its content is of no interest here
    }
    if (parser.stack.length > DEEPEST) {
      throw new FormatError(
        file,
        lineAt(text, parser.offset),
        `nested too deeply, expected at most ${DEEPEST} levels`,
      );
    }
  }
}

/** The line of the last alias, where aliases are what is wrong. */
function aliasLine(doc: Document, lines: LineCounter): number {
  let line = 1;
  visit(doc, {
    Alias: (_, { range }) => {
      if (range) line = lines.linePos(range[0]).line;
    },
  });
  return line;
}

/** The line of the deepest node on the path that is in the document; of an unknown key, the key's own. */
function lineOf(doc: Document, lines: LineCounter, path: readonly (string | number)[]): number {
  let node: unknown = doc.contents;
  let line = startOf(node, lines) ?? 1;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(doc);
    if (!isCollection(node)) break;
    const pair = isMap(node)
      ? node.items.find(({ key }) => isScalar(key) && String(key.value) === step)
      : undefined;
    const next = pair ? pair.value : node.get(step, true);
    line = startOf(next, lines) ?? startOf(pair?.key, lines) ?? line;
    node = next;
  }
  return line;
}

function startOf(node: unknown, lines: LineCounter): number | undefined {
  return isNode(node) && node.range ? lines.linePos(node.range[0]).line : undefined;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
