/** `virqtop scenario list`, `show`, `validate` and `schema`. */
import {
  builtinScenario,
  builtinScenarios,
  builtinText,
  DEFAULT_SCENARIO,
  isKvm,
  loadScenario,
  printScenario,
  type Scenario,
  scenarioJsonSchema,
  shortSystemOf,
  systemOf,
} from '../../engine/index.ts';
import { readText } from '../files.ts';
import { looksLikeFile } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { hint, printable, quoted, UsageError } from '../usage.ts';
import { validate } from './validate.ts';

const WHAT = ['list', 'show', 'validate', 'schema'] as const;

/** Options that go with some of them only. */
const GOES_WITH = { full: ['show'], platform: ['schema'], json: ['list', 'validate'] } as const;

export async function scenario(
  what: string | undefined,
  names: readonly string[],
  options: Options,
  out: Output,
): Promise<number> {
  const wanted = WHAT.find((w) => w === what);
  if (!wanted) {
    throw new UsageError(
      `scenario${what === undefined ? '' : ` ${quoted(what)}`}: must be list, show, validate or schema${
        what === undefined ? '' : hintOf(what)
      }`,
    );
  }
  for (const [option, commands] of Object.entries(GOES_WITH)) {
    if (options[option as keyof typeof GOES_WITH] === undefined) continue;
    if (commands.some((c) => c === wanted)) continue;
    throw new UsageError(`--${option}: goes with 'scenario ${commands.join("' and 'scenario ")}'`);
  }
  switch (wanted) {
    case 'list':
      none('list', names);
      return list(options, out);
    case 'show':
      if (names.length !== 1) throw new UsageError('scenario show: must have one scenario, a name or a file');
      return show(names[0]!, options, out);
    case 'validate':
      if (names.length === 0)
        throw new UsageError('scenario validate: must have files, or - for standard input');
      return validate(names, options, out);
    case 'schema':
      none('schema', names);
      await out.write(`${JSON.stringify(await scenarioJsonSchema(options.platform), null, 2)}\n`);
      return 0;
  }
}

function hintOf(what: string): string {
  const found = hint(what, WHAT);
  return found.startsWith('; did') ? found : '';
}

function none(what: string, names: readonly string[]): void {
  if (names.length > 0) throw new UsageError(`scenario ${what}: takes no name, got ${quoted(names[0]!)}`);
}

async function list(options: Options, out: Output): Promise<number> {
  const lines = builtinScenarios().map(options.json ? jsonLine : textLine);
  await out.write(lines.map((line) => `${line}\n`).join(''));
  return 0;
}

function textLine(s: Scenario): string {
  const title = s.name === DEFAULT_SCENARIO ? `default: ${s.title}` : s.title;
  return `${s.name.padEnd(21)}  ${shortSystemOf(s).padEnd(14)}  ${title}`;
}

function jsonLine(s: Scenario): string {
  return JSON.stringify({
    name: s.name,
    system: systemOf(s),
    title: s.title,
    cpus: s.cpus,
    guests: isKvm(s) ? s.vms.length : s.guests.length,
    default: s.name === DEFAULT_SCENARIO,
  });
}

async function show(wanted: string, options: Options, out: Output): Promise<number> {
  const builtin = builtinScenario(wanted);
  if (!builtin && !looksLikeFile(wanted)) {
    const names = builtinScenarios().map((s) => s.name);
    throw new UsageError(`unknown scenario ${quoted(wanted)}${hint(wanted, names)}`);
  }
  const text = builtin ? builtinText(wanted)! : readText(wanted);
  const found = builtin ?? (await loadScenario(text, wanted));
  await out.write(options.full ? await printScenario(found) : shown(text));
  return 0;
}

/** Text of a file, fit for a terminal: comments may hold anything. */
function shown(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.split('\t').map(printable).join('\t'));
  return `${lines.join('\n').replace(/\n$/, '')}\n`;
}
