/**
 * What there is to see in a snapshot, by a path: `domains[vm1].interrupts[virtio0*].total`.
 *
 * `.name` is a part. `[key]` is one of many: an element by its name or number (`[vm1]`, `[0x51]`, `[blkif]`), by any of
 * its parts (`[source=nic]`, several with commas), by a pattern (`[blkif*]`, `[*]`: all), by its place where it has no
 * name; of a number it is a bit, of a set of vectors whether it is in it. Where a path leads to several values they are
 * added up, texts are put in a row. `.total` is the sum of counts, `.count` how many there are.
 */

/** A step of a path: a part by its name, or one of many by its key. */
export interface Step {
  readonly kind: 'part' | 'key';
  readonly text: string;
}

export type Value = number | string | boolean;

/** Parts that name an element; the first of them by which any element is meant. */
const NAMES = [
  'name',
  'label',
  'actions',
  'lr',
  'irq',
  'vector',
  'intid',
  'virq',
  'pin',
  'port',
  'vcpu',
  'cpu',
  'reason',
  'id',
];

/** Sets of 256 vectors, eight words each. */
const SETS = ['irr', 'isr', 'tmr', 'pir'];

type Node = unknown;

/** The path's steps; undefined where it is none. */
export function pathOf(text: string): Step[] | undefined {
  if (!/^[a-zA-Z]\w*(?:\.[a-zA-Z]\w*|\[[^\]]+\])*$/.test(text)) return undefined;
  return [...text.matchAll(/\[([^\]]+)\]|(\w+)/g)].map(([, key, part]) =>
    key === undefined ? { kind: 'part', text: part! } : { kind: 'key', text: key.trim() },
  );
}

/** What the path leads to; undefined: to nothing. */
export function observe(snapshot: unknown, path: readonly Step[]): Value | undefined {
  const nodes = select(snapshot, path);
  if (nodes.length === 1) return plain(nodes[0]);
  if (nodes.length === 0) return undefined;
  const values = nodes.map(plain);
  if (values.some((value) => typeof value === 'string')) return values.join(', ');
  return values.includes(undefined) ? undefined : sum(values.map(Number));
}

/** Is this in the list, or in the text, that the path leads to? */
export function contains(snapshot: unknown, path: readonly Step[], value: Value): boolean {
  return select(snapshot, path).some((node) => {
    if (Array.isArray(node)) return node.includes(value);
    return typeof node === 'string' && typeof value === 'string' && node.includes(value);
  });
}

function select(snapshot: unknown, path: readonly Step[]): Node[] {
  let nodes: Node[] = [snapshot];
  let from = '';
  for (const step of path) {
    nodes = nodes.flatMap((node) =>
      step.kind === 'part' ? partOf(node, step.text) : keyed(node, step.text, from),
    );
    from = step.text;
  }
  return nodes;
}

function plain(node: Node): Value | undefined {
  if (node === null) return undefined;
  if (['number', 'string', 'boolean'].includes(typeof node)) return node as Value;
  return totalOf(node);
}

function partOf(node: Node, name: string): Node[] {
  if (isRecord(node) && Object.hasOwn(node, name)) return [node[name]];
  if (name === 'total') {
    const total = totalOf(node);
    return total === undefined ? [] : [total];
  }
  if (name === 'count' && Array.isArray(node)) return [isSet(node) ? bitsOf(node) : node.length];
  return [];
}

/** The counts in it, added up. */
function totalOf(node: Node): number | undefined {
  if (Array.isArray(node)) {
    if (node.every((n) => typeof n === 'number')) return sum(node);
    const totals = node.map(totalOf);
    return totals.includes(undefined) ? undefined : sum(totals as number[]);
  }
  if (!isRecord(node)) return undefined;
  if (Array.isArray(node.counts)) return totalOf(node.counts);
  if (Array.isArray(node.rows)) return totalOf(node.rows);
  const values = Object.values(node);
  return values.every((v) => typeof v === 'number') ? sum(values as number[]) : undefined;
}

function keyed(node: Node, key: string, from: string): Node[] {
  if (typeof node === 'number') {
    const bit = numberOf(key);
    return bit === undefined ? [] : [Math.floor(node / 2 ** bit) % 2 === 1];
  }
  if (Array.isArray(node)) {
    if (SETS.includes(from) && isSet(node)) return inSet(node, key);
    return elements(node, key);
  }
  if (!isRecord(node)) return [];
  const own = elements(Object.entries(node), key);
  return own.length > 0 ? own : tablesOf(node).flatMap((table) => elements(table, key));
}

/** Files of /proc and exits keep their rows in lists of their own. */
function tablesOf(node: Record<string, unknown>): unknown[][] {
  return [node.rows, node.arch, node.stats].filter(Array.isArray);
}

function elements(list: readonly Node[], key: string): Node[] {
  if (key === '*') return list.map(contentOf);
  const asked = key.split(',').map((k) => /^(\w+)=(.*)$/s.exec(k.trim()));
  if (asked.every((a) => a !== null)) {
    return list.filter((e) => isRecord(e) && asked.every((a) => same(e[a[1]!], a[2]!)));
  }
  for (const name of NAMES) {
    const found = list.filter((e) => named(e, name).some((value) => same(value, key)));
    if (found.length > 0) return found.map(contentOf);
  }
  if (list.some((e) => NAMES.some((name) => named(e, name).length > 0))) return [];
  const at = numberOf(key);
  return at !== undefined && at < list.length ? [list[at]] : [];
}

/** `[name, value]` of a list of counters. */
function isPair(element: Node): element is [string, unknown] {
  return Array.isArray(element) && element.length === 2 && typeof element[0] === 'string';
}

function contentOf(element: Node): Node {
  return isPair(element) ? element[1] : element;
}

/** What it is called in this way, or what it is about is. */
function named(element: Node, name: string): readonly unknown[] {
  if (isPair(element)) return name === 'name' ? [element[0]] : [];
  if (typeof element === 'string') return name === 'name' ? [element] : [];
  if (!isRecord(element)) return [];
  const value = element[name] ?? (isRecord(element.row) ? element.row[name] : undefined);
  return Array.isArray(value) ? value : value === undefined ? [] : [value];
}

/** Is the value the one that is asked for, as a number or as text in which `*` stands for anything? */
function same(value: unknown, asked: string): boolean {
  const number = numberOf(asked);
  if (typeof value === 'number') return number !== undefined && value === number;
  if (!asked.includes('*')) return String(value) === asked;
  const pieces = asked.split('*').map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${pieces.join('.*')}$`, 's').test(String(value));
}

function inSet(words: readonly number[], key: string): Node[] {
  const vector = numberOf(key);
  if (vector === undefined || vector >= 256) return [];
  return [((words[vector >> 5]! >>> (vector & 31)) & 1) === 1];
}

function isSet(list: readonly Node[]): list is number[] {
  return list.length === 8 && list.every((n) => typeof n === 'number');
}

function bitsOf(words: readonly number[]): number {
  return words.reduce((n, word) => n + (word >>> 0).toString(2).replaceAll('0', '').length, 0);
}

/** A whole number, in decimal or with 0x. */
export function numberOf(text: string): number | undefined {
  return /^(?:\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : undefined;
}

function isRecord(node: Node): node is Record<string, unknown> {
  return typeof node === 'object' && node !== null && !Array.isArray(node);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, n) => all + n, 0);
}
