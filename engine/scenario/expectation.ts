/**
 * What a demo expects of the machine, as a sentence: `domains[vm1].interrupts[LOC].total since 3s == 0`.
 *
 *     TERM RELATION TERM                     RELATION: == != < <= > >=
 *     PATH has TERM                          of a list, or of text
 *     once TERM RELATION TERM                after some event since the last step that does or expects anything
 *     never TERM RELATION TERM               after none of them
 *
 * A term is a number, `true`, `false`, `nothing` (the path leads nowhere), text in quotes, or a path into the snapshot
 * (observable.ts), which may have a number before it, `2 * PATH`, and behind it `since TIME`, the change from that step
 * of the demo on, and `of RUN`, where several runs are compared.
 */
import { momentOf } from './moment.ts';
import { contains, numberOf, observe, pathOf, type Step, type Value } from './observable.ts';

const RELATIONS = ['==', '!=', '<=', '>=', '<', '>', 'has'] as const;
type Relation = (typeof RELATIONS)[number];

export interface PathTerm {
  /** as it is written */
  readonly name: string;
  readonly path: readonly Step[];
  readonly times: number;
  /** ns */
  readonly since?: number;
  readonly run?: string;
}

type Term = PathTerm | { readonly value: Value | undefined };

export interface Expectation {
  readonly text: string;
  readonly left: Term;
  readonly relation: Relation;
  readonly right: Term;
  /** after some event since the last step that does or expects anything, or after none; undefined: at the moment */
  readonly when: 'once' | 'never' | undefined;
}

/** The snapshots that a sentence is about. */
export interface Evidence {
  readonly now: unknown;
  /** as it was at an earlier step; undefined: there is no such step */
  at(ns: number): unknown;
  /** as it was at the end of that run */
  of?(run: string): unknown;
}

export interface Finding {
  readonly text: string;
  readonly held: boolean;
  /** what was there, for somebody who expected something else */
  readonly found: string;
}

/** What a snapshot consists of. */
const PARTS = [
  'cpus',
  'domains',
  'xen',
  'devices',
  'lastFired',
  'books',
  'totals',
  'time',
  'events',
  'ended',
];

/** @throws SyntaxError saying what is wrong with it */
export function parseExpectation(text: string): Expectation {
  const [, when, sentence] = /^(?:(once|never)\s+)?(.*)$/s.exec(text)!;
  const { terms, relation } = split(sentence!);
  const [left, right] = terms.map(termOf) as [Term, Term];
  if (!('path' in left) && !('path' in right))
    throw new SyntaxError('no path in it, expected one as totals.interrupts');
  return { text, left, relation, right, when: when as Expectation['when'] };
}

/** At the relation that stands outside of quotes and brackets. */
function split(text: string): { readonly terms: [string, string]; readonly relation: Relation } {
  const [, before, relation, after] =
    /^((?:"[^"]*"|'[^']*'|\[[^\]]*\]|[^"'[=!<>\s]|\s(?!has\s))*)(==|!=|<=|>=|<|>|\shas\s)(.*)$/s.exec(text) ??
    [];
  const found = RELATIONS.find((r) => r === relation?.trim());
  if (!found)
    throw new SyntaxError(`no relation in it, expected PATH and one of ${RELATIONS.join(' ')} and a value`);
  return { terms: [before!.trim(), after!.trim()], relation: found };
}

function termOf(text: string): Term {
  const [, quoted] = /^(?:"([^"]*)"|'([^']*)')$/.exec(text)?.filter((g) => g !== undefined) ?? [];
  if (quoted !== undefined || text === '""' || text === "''") return { value: quoted ?? '' };
  if (text === 'true' || text === 'false') return { value: text === 'true' };
  if (text === 'nothing') return { value: undefined };
  const number = amountOf(text);
  if (number !== undefined) return { value: number };
  return pathTerm(text);
}

function pathTerm(text: string): PathTerm {
  if (text === '') throw new SyntaxError('nothing on one side of it, expected a path or a value there');
  const [, times, path, since, run] =
    /^(?:([\d.]+)\s*\*\s*)?((?:[^[\s]|\[[^\]]*\])+)(?:\s+since\s+(\S+))?(?:\s+of\s+(\S+))?$/.exec(text) ?? [];
  const steps = path === undefined ? undefined : pathOf(path);
  if (!steps)
    throw new SyntaxError(`'${text}' is no path, expected one as domains[vm1].interrupts[LOC].total`);
  if (!PARTS.includes(steps[0]!.text)) {
    throw new SyntaxError(`'${steps[0]!.text}' is not in a snapshot, expected one of ${PARTS.join(', ')}`);
  }
  const factor = times === undefined ? 1 : amountOf(times);
  if (factor === undefined) throw new SyntaxError(`'${times}' is no number`);
  const moment = since === undefined ? undefined : momentOf(since);
  if (since !== undefined && moment === undefined)
    throw new SyntaxError(`'${since}' is no time, expected one as 2s`);
  return {
    name: path!,
    path: steps,
    times: factor,
    ...(moment !== undefined && { since: moment }),
    ...(run !== undefined && { run }),
  };
}

/** A number, with grouping underscores perhaps. */
function amountOf(text: string): number | undefined {
  const digits = text.replaceAll('_', '');
  return /^-?\d+(?:\.\d+)?$/.test(digits) ? Number(digits) : numberOf(digits);
}

/** The paths in it. */
export function pathsIn({ left, right }: Expectation): PathTerm[] {
  return [left, right].filter((term) => 'path' in term);
}

/** The moments and runs that it asks for. */
export function needsOf(expectation: Expectation): { since: number[]; runs: string[] } {
  const paths = pathsIn(expectation);
  return {
    since: paths.flatMap((term) => (term.since === undefined ? [] : [term.since])),
    runs: paths.flatMap((term) => (term.run === undefined ? [] : [term.run])),
  };
}

export function judgeExpectation(expectation: Expectation, evidence: Evidence): Finding {
  const { text, relation } = expectation;
  const left = termValue(expectation.left, evidence);
  const right = termValue(expectation.right, evidence);
  const held = relation === 'has' ? hasIn(expectation, evidence) : holds(left, relation, right);
  const told = [expectation.left, expectation.right].flatMap((term, i) =>
    'path' in term ? [valueText(i === 0 ? left : right)] : [],
  );
  return { text, held, found: told.join(' and ') };
}

function hasIn({ left, right }: Expectation, evidence: Evidence): boolean {
  const value = termValue(right, evidence);
  if (!('path' in left) || value === undefined) return false;
  return contains(left.run === undefined ? evidence.now : evidence.of?.(left.run), left.path, value);
}

function termValue(term: Term, evidence: Evidence): Value | undefined {
  if (!('path' in term)) return term.value;
  const { path, times, since, run } = term;
  const value = observe(run === undefined ? evidence.now : evidence.of?.(run), path);
  if (typeof value !== 'number') return since === undefined ? value : undefined;
  if (since === undefined) return times * value;
  const before = observe(evidence.at(since), path) ?? 0; // rows come when they count for the first time
  return typeof before === 'number' ? times * (value - before) : undefined;
}

function holds(
  left: Value | undefined,
  relation: Exclude<Relation, 'has'>,
  right: Value | undefined,
): boolean {
  if (relation === '==') return left === right;
  if (relation === '!=') return left !== right;
  if (typeof left !== 'number' || typeof right !== 'number') return false;
  switch (relation) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
  }
}

/** A value for people. */
export function valueText(value: Value | undefined): string {
  if (value === undefined) return 'nothing there';
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
