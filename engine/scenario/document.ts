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
  type Pair,
  Parser,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from 'yaml';
import { FormatError, printable } from '../core/errors.ts';

/** A scenario is a page of text; the largest machine is described in less than this. */
const LARGEST = 1 << 20;
const DEEPEST = 32;
const MOST = 100_000;
/** The parser looks for the anchor of each from the top. */
const MOST_ALIASES = 10_000;

/** What the parser's own words leave open. */
const YAML_ERRORS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab in the indentation, expected blanks',
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
  // the parser compares each key with all before it: 60,000 of them would take minutes
  const options = { lineCounter: lines, prettyErrors: false, logLevel: 'error', uniqueKeys: false } as const;
  const doc = parseDocument(text, options);
  const broken = doc.errors[0] ?? doc.warnings[0];
  for (const key of doubledKeys(doc)) {
    if (broken && key.range![0] > broken.pos[0]) break;
    const problem = 'a key for the second time, expected each once';
    doubled.push(new FormatError(file, startOf(key, lines)!, problem));
  }
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
  let aliases = 0;
  visit(doc, {
    Alias: () => {
      aliases++;
    },
  });
  if (aliases > MOST_ALIASES) {
    throw new FormatError(
      file,
      aliasLine(doc, lines),
      `${aliases} aliases, expected at most ${MOST_ALIASES}`,
    );
  }
  try {
    const data: unknown = doc.toJS({ maxAliasCount: -1 });
    if (!isSmall(data)) {
      throw new FormatError(file, aliasLine(doc, lines), `too large, expected at most ${MOST} values`);
    }
    const places = new Places(doc, lines);
    return { data, lineOf: (path, ofKey = false) => places.lineOf(path, ofKey) };
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    throw new FormatError(file, aliasLine(doc, lines), `not YAML: ${printable(error.message, 160)}`);
  }
}

/** The keys that their map has already, in the order of the text. */
function doubledKeys(doc: Document): Scalar[] {
  const found: Scalar[] = [];
  visit(doc, {
    Map: (_, { items }) => {
      const seen = new Set<unknown>();
      for (const { key } of items) {
        if (!isScalar(key)) continue;
        if (seen.has(key.value)) found.push(key);
        seen.add(key.value);
      }
    },
  });
  return found.sort((a, b) => a.range![0] - b.range![0]);
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

/** Where the parts of a document stand. */
class Places {
  private readonly pairs = new WeakMap<YAMLMap, Map<string, Pair>>();

  constructor(
    private readonly doc: Document,
    private readonly lines: LineCounter,
  ) {}

  /** The line of the deepest node on the path that is in the document; `ofKey`: of the key it stands under. */
  lineOf(path: Path, ofKey: boolean): number {
    const { doc, lines } = this;
    let node: unknown = doc.contents;
    let line = startOf(node, lines) ?? 1;
    for (const [n, step] of path.entries()) {
      if (isAlias(node)) node = node.resolve(doc);
      if (!isCollection(node)) break;
      const pair = isMap(node) ? this.pairsOf(node).get(String(step)) : undefined;
      const next = isMap(node) ? pair?.value : node.get(step, true);
      const key = startOf(pair?.key, lines);
      const value = startOf(next, lines);
      line = (ofKey && n === path.length - 1 ? (key ?? value) : (value ?? key)) ?? line;
      node = next;
    }
    return line;
  }

  private pairsOf(map: YAMLMap): Map<string, Pair> {
    let pairs = this.pairs.get(map);
    if (!pairs) {
      pairs = new Map();
      for (const pair of map.items) {
        if (isScalar(pair.key) && !pairs.has(String(pair.key.value))) pairs.set(String(pair.key.value), pair);
      }
      this.pairs.set(map, pairs);
    }
    return pairs;
  }
}

function startOf(node: unknown, lines: LineCounter): number | undefined {
  return isNode(node) && node.range ? lines.linePos(node.range[0]).line : undefined;
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}
