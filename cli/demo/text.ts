/** A demo that was played, as text: what it says, what is done, what came of it. */
import {
  type Demo,
  type DemoCommand,
  type Finding,
  observe,
  parseExpectation,
  pathsIn,
  valueText,
} from '../../engine/index.ts';
import { wrap } from '../../tui/format.ts';
import { tableLines } from '../table.ts';
import { printable } from '../usage.ts';
import type { PlayedDemo, PlayedRun } from './play.ts';

const WIDTH = 80;
const INDENT = ' '.repeat(13);

/** @param all captions and commands too, not the expectations alone */
export function playedText(played: PlayedDemo, all: boolean): string {
  const { demo, runs, findings } = played;
  const lines = [`demo ${demo.name}: ${demo.title}`];
  if (all && demo.about !== '') lines.push('', ...wrap(demo.about, WIDTH));
  for (const run of runs) lines.push('', ...headOf(run), ...runLines(run, demo, all));
  if (findings.length > 0) lines.push('', 'Between the runs:', ...findings.map((f) => findingLine(f)));
  const table = runs.length > 1 ? tableOf(played) : [];
  if (all && table.length > 0) lines.push('', ...table);
  return `${lines.map(printable).join('\n')}\n`;
}

function headOf({ run, now }: PlayedRun): string[] {
  const name = run.name === '' ? '' : `${run.name}: ${run.title}: `;
  const settings = run.settings.map((s) => ` ${s}`).join('');
  return wrap(`== ${name}${run.scenario.name}${settings}, seed ${now.seed}`, WIDTH);
}

function runLines({ steps, findings }: PlayedRun, demo: Demo, all: boolean): string[] {
  const lines: string[] = [];
  for (const { step, findings, refused } of steps) {
    const said = all && step.caption ? wrap(step.caption, WIDTH - INDENT.length) : [];
    const done = step.do.flatMap((command, i) => {
      if (refused[i] !== undefined) return [`refused: ${commandText(command)}: ${refused[i]}`];
      return all ? [`> ${commandText(command)}`] : [];
    });
    const body = [...said, ...done].map((line) => INDENT + line);
    const [head, ...rest] = [...findings.map((f) => findingLine(f)), ...body];
    if (head !== undefined) lines.push(stamped(head, step.at), ...rest);
  }
  const [head, ...rest] = findings.map((f) => findingLine(f));
  if (head !== undefined) lines.push(stamped(head, demo.end), ...rest);
  return lines;
}

/** The time stands before the first line of a step. */
function stamped(line: string, at: number): string {
  return `${(at / 1e9).toFixed(3).padStart(9)} s${line.slice(11)}`;
}

function findingLine({ held, text, found }: Finding): string {
  return `${INDENT}${held ? 'ok      ' : 'FAILED  '}${text}   (${found})`;
}

/** `fire vm1.kbd, times 3`: a command in words. */
export function commandText({ do: what, ...rest }: DemoCommand): string {
  const [first, ...others] = Object.entries(rest);
  const value = (v: unknown) => (typeof v === 'object' ? JSON.stringify(v) : String(v));
  const words = others.map(([key, v]) => `, ${key} ${value(v)}`).join('');
  return `${what}${first ? ` ${typeof first[1] === 'string' ? '' : `${first[0]} `}${value(first[1])}` : ''}${words}`;
}

/** What the expectations between the runs look at, a row each, a column for each run. */
function tableOf({ demo, runs }: PlayedDemo): string[] {
  const terms = demo.expect.flatMap((text) => pathsIn(parseExpectation(text)));
  const paths = new Map(terms.map(({ name, path }) => [name, path]));
  const cells = [...paths].map(([name, path]) => [
    name,
    ...runs.map(({ now }) => valueText(observe(now, path))),
  ]);
  return tableLines([{ title: '' }, ...runs.map(({ run }) => ({ title: run.name, right: true }))], cells);
}
