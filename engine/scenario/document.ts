/** The YAML of a scenario: read with limits, and asked for the line on which a part of it stands. */
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

/** What a text holds, as far as it can be read. */
export interface ReadDocument {
  /** in the order of the text; without content the last is why there is none */
  readonly mistakes: readonly FormatError[];
  readonly content?: Content;
}

export interface Content {
  readonly data: unknown;
  /** of the deepest part on the path that is in the text, or of the key it stands under */
  readonly lineOf: (path: Path, ofKey?: boolean) => number;
}

/** Keys and indices from the top. */
export type Path = readonly (string | number)[];

export function readDocument(text: string, file: string): ReadDocument {
  const mistakes: FormatError[] = [];
  try {
    return { mistakes, content: read(text, file, mistakes) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { mistakes: [...mistakes, error] };
  }
}

/** @param doubled gets the keys that are there twice, which leave the rest readable */
function read(text: string, file: string, doubled: FormatError[]): Content {
  if (text.length > LARGEST) {
    throw new FormatError(file, 1, `${text.length} characters, expected at most ${LARGEST}`);
  }
  checkDepth(text, file);
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  for (const { code, message, pos } of [...doc.errors, ...doc.warnings]) {
    const problem = YAML_ERRORS[code] ?? `not YAML: ${printable(message, 160)}`;
    const mistake = new FormatError(file, lines.linePos(pos[0]).line, problem);
    if (code !== 'DUPLICATE_KEY') throw mistake;
    doubled.push(mistake);
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
    return { data, lineOf: (path, ofKey = false) => lineOf(doc, lines, path, ofKey) };
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

/** The line of the deepest node on the path that is in the document; `ofKey`: of the key it stands under. */
function lineOf(doc: Document, lines: LineCounter, path: Path, ofKey: boolean): number {
  let node: unknown = doc.contents;
  let line = startOf(node, lines) ?? 1;
  for (const [n, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(doc);
    if (!isCollection(node)) break;
    const pair = isMap(node)
      ? node.items.find(({ key }) => isScalar(key) && String(key.value) === step)
      : undefined;
    const next = pair ? pair.value : node.get(step, true);
    const key = startOf(pair?.key, lines);
    const value = startOf(next, lines);
    line = (ofKey && n === path.length - 1 ? (key ?? value) : (value ?? key)) ?? line;
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
