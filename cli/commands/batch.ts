/** -b, -J, --csv: an update every simulated delay, to whoever reads standard output. */
import { setImmediate } from 'node:timers/promises';
import { type Machine, takeSnapshot } from '../../engine/index.ts';
import { booksTable } from '../batch/books.ts';
import { CsvReport } from '../batch/csv.ts';
import { HookReport } from '../batch/hook.ts';
import { JsonReport } from '../batch/json.ts';
import type { Report } from '../batch/report.ts';
import { TextReport } from '../batch/text.ts';
import { chosenOf } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { Pace } from '../pace.ts';
import { Player } from '../player.ts';
import { runOf } from '../run.ts';
import { UsageError } from '../usage.ts';

export const DEFAULT_DELAY = 1e9;
const LONGEST_WAIT = 1e9;

export async function batch(options: Options, out: Output): Promise<number> {
  const delay = options.delay ?? DEFAULT_DELAY;
  const iterations = options.iterations ?? Infinity;
  const { machine, recorded, recorder } = await runOf(options);
  const start = machine.clock.now;
  checkLength(start, delay, options.iterations);
  const player = new Player(machine, options.fire, { recorded, scribe: recorder });
  if (!recorded) player.checkEnd(start + delay * iterations);
  /** without a number of updates a recording is replayed to its end */
  const end = iterations === Infinity ? recorded?.end : undefined;

  const before = takeSnapshot(machine);
  chosenOf(before, options.domain);
  const report = reportOf(machine, options);
  if (options.metrics) await (await import('../metrics.ts')).serveMetrics(machine, options.metrics);
  recorder?.begin();
  await out.write(report.begin(before));
  const pace = options.realtime ? new Pace(options.speed ?? 1) : undefined;
  for (let i = 1; i <= iterations && start + i * delay <= Number.MAX_SAFE_INTEGER; i++) {
    const due = Math.min(start + i * delay, end?.at ?? Infinity);
    await meanwhile(player, due, report, out);
    if (end && due === end.at) await player.finish(end);
    else await player.advance(due);
    await pace?.reach((due - start) / 1e6);
    await out.write(report.update(takeSnapshot(machine)));
    if (due === end?.at) break;
    await setImmediate(); // a write to a pipe is done at once: let signals in
  }
  recorder?.end(machine.place);
  if (report.end) await out.write(report.end(takeSnapshot(machine)));
  if (options.books) await out.write(`\n${booksTable(takeSnapshot(machine))}`);
  return 0;
}

/** Up to the last second before an update, for a report that cannot wait for it. */
async function meanwhile(player: Player, due: number, report: Report, out: Output): Promise<void> {
  if (!report.until) return;
  const { clock } = player.machine;
  while (due - clock.now > LONGEST_WAIT) {
    await player.advance(clock.now + LONGEST_WAIT);
    await out.write(report.until(clock.now));
  }
}

function reportOf(machine: Machine, options: Options): Report {
  if (options.hook) return new HookReport(machine, options);
  if (options.json) return new JsonReport(options);
  if (options.csv) return new CsvReport(options);
  return new TextReport(options);
}

/** Simulated time is an integer of nanoseconds and ends where doubles stop being exact. */
export function checkLength(start: number, delay: number, iterations = 1): void {
  if (start + delay * iterations <= Number.MAX_SAFE_INTEGER) return;
  throw new UsageError(`${iterations} updates of ${delay / 1e9} s: too long, at most 104 days`);
}
