/** `virqtop scenario validate`: every mistake of scenario files, a line each, and a summary. */
import { buildMachine, checkScenario, type Scenario, systemOf, UserError } from '../../engine/index.ts';
import { readStandardInput, readText } from '../files.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { printable, UsageError } from '../usage.ts';

/** What `-` is called in messages. */
const STANDARD_INPUT = '<stdin>';

/** More of them are told as a number. */
const MOST = 100;

/** What came of one file. */
interface Checked {
  readonly file: string;
  readonly scenario?: Scenario;
  readonly mistakes: readonly Mistake[];
}

interface Mistake {
  /** from 1; null: of the file as a whole */
  readonly line: number | null;
  /** place, what is wrong, what would be right */
  readonly problem: string;
  /** the whole line, with the file */
  readonly text: string;
}

/** @returns 0, or 2 if there is any mistake */
export async function validate(names: readonly string[], options: Options, out: Output): Promise<number> {
  if (names.filter((name) => name === '-').length > 1) {
    throw new UsageError('scenario validate: - twice, must be once');
  }
  let wrong = 0;
  let mistakes = 0;
  for (const name of names) {
    const checked = await check(name);
    await out.write(options.json ? json(checked) : text(checked));
    if (checked.mistakes.length > 0) wrong++;
    mistakes += checked.mistakes.length;
  }
  if (!options.json) await out.write(summary(names.length, wrong, mistakes));
  return wrong > 0 ? 2 : 0;
}

async function check(name: string): Promise<Checked> {
  const file = name === '-' ? STANDARD_INPUT : name;
  let content: string;
  try {
    content = name === '-' ? await readStandardInput(file) : readText(name);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { file, mistakes: [{ line: null, problem: error.message, text: error.message }] };
  }
  const { scenario, mistakes } = await checkScenario(content, file);
  if (!scenario) {
    return { file, mistakes: mistakes.map((m) => ({ line: m.line, problem: m.problem, text: m.message })) };
  }
  try {
    buildMachine(scenario, 0); // what has no room is found here
    return { file, scenario, mistakes: [] };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { file, mistakes: [{ line: null, problem: error.message, text: `${file}: ${error.message}` }] };
  }
}

function text({ file, scenario, mistakes }: Checked): string {
  if (scenario) return `${printable(file)}: ${printable(scenario.name)}, ${systemOf(scenario)}: no mistake\n`;
  const lines = mistakes.slice(0, MOST).map((m) => printable(m.text));
  if (mistakes.length > MOST) lines.push(`${printable(file)}: ${mistakes.length - MOST} more mistakes`);
  return lines.map((line) => `${line}\n`).join('');
}

function json({ file, scenario, mistakes }: Checked): string {
  return `${JSON.stringify({
    file,
    valid: scenario !== undefined,
    name: scenario?.name ?? null,
    system: scenario ? systemOf(scenario) : null,
    mistakes: mistakes.map(({ line, problem }) => ({ line, problem })),
  })}\n`;
}

function summary(files: number, wrong: number, mistakes: number): string {
  const all = count(files, 'file');
  if (wrong === 0) return `${all}, no mistake\n`;
  return `${all}, ${count(mistakes, 'mistake')}${files === 1 ? '' : ` in ${wrong}`}\n`;
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
