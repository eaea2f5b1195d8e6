/** `virqtop vectors DIR`: replays golden vectors against the models, and says where one parts from them. */
import { printable, UsageError } from '../usage.ts';
import { type VectorLine, vectorFiles, vectorLines } from '../vectors/read.ts';
import { BadVector, type Mismatch, type Suite } from '../vectors/suite.ts';
import { SUITES } from '../vectors/suites.ts';

/** longest value shown of a mismatch */
const WIDEST = 200;

interface Tally {
  readonly suite: Suite | undefined;
  passed: number;
  total: number;
  first: Mismatch | undefined;
}

/**
 * Prints a line per suite, and the first mismatch of each that fails.
 * @returns the exit code: 0 when every case of every suite passes
 * @throws UsageError naming file and line if something cannot be read or makes no sense
 */
export async function vectors(
  dir: string,
  out: { write(text: string): unknown },
  suites: ReadonlyMap<string, Suite> = SUITES,
): Promise<number> {
  const tallies = new Map<string, Tally>();
  for (const file of vectorFiles(dir)) {
    for (const line of vectorLines(file)) {
      let tally = tallies.get(line.suite);
      if (!tally) {
        tally = { suite: suites.get(line.suite), passed: 0, total: 0, first: undefined };
        tallies.set(line.suite, tally);
      }
      count(tally, line);
    }
  }
  for (const [name, tally] of tallies) await out.write(report(name, tally));
  return [...tallies.values()].every((t) => t.suite && t.passed === t.total) ? 0 : 1;
}

function count(tally: Tally, { at, vector, meta }: VectorLine): void {
  if (!tally.suite) return;
  let mismatch: Mismatch | undefined;
  try {
    mismatch = tally.suite.replay(vector, meta);
  } catch (error) {
    if (!(error instanceof BadVector)) throw error;
    throw new UsageError(`${at}: ${printable(error.message)}`);
  }
  tally.total++;
  if (mismatch) tally.first ??= mismatch;
  else tally.passed++;
}

function report(name: string, { suite, passed, total, first }: Tally): string {
  if (!suite) return `${name}: no model\n`;
  const line = `${name}: ${passed}/${total} cases\n`;
  if (!first) return line;
  const where = `case ${printable(first.case)}, op ${first.op} (${printable(first.name)})`;
  const what = `${printable(first.key)}: expected ${shown(first.expected)}, got ${shown(first.got)}`;
  return `${line}  first mismatch: ${where}, key ${what}\n`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return printable(text.length > WIDEST ? `${text.slice(0, WIDEST - 3)}...` : text);
}
