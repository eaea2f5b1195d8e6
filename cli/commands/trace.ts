/** `virqtop trace`: every record of a run, in the format of a tool that reads such. */
import { setImmediate } from 'node:timers/promises';
import { TRACE_FORMATS, TraceExporter, type TraceFormat, traceHost } from '../../engine/exchange.ts';
import { machineOf } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { Player } from '../player.ts';
import { checkMachine } from '../together.ts';
import { destinationOf } from '../trace/destination.ts';
import { UsageError } from '../usage.ts';

const DEFAULT_FORMAT = 'ftrace';
const DEFAULT_FOR = 1e9;
/** simulated time after which what has been recorded is written */
export const SLICE = 100e6;

export async function trace(options: Options, out: Output): Promise<number> {
  checkMachine(options);
  const format = formatOf(options);
  const machine = await machineOf(options);
  const refused = format.refuses?.(traceHost(machine));
  if (refused !== undefined) throw new UsageError(`--format ${format.name}: ${refused}`);
  const { at = 0, for: time = DEFAULT_FOR } = options;
  const end = at + time;
  const player = new Player(machine, options.fire);
  player.checkEnd(end);
  const sink = await destinationOf(format, options.output ?? out);
  try {
    if (at > 0) await player.advance(at);
    const { clock, shop } = machine;
    const exporter = new TraceExporter(shop.trace, clock, sink.writer(format, traceHost(machine)));
    for (let now = at; now < end; ) {
      now = Math.min(now + SLICE, end);
      await player.advance(now);
      exporter.advance(now);
      await sink.flush();
      await setImmediate(); // signals get their turn
    }
    exporter.end(end);
    await sink.close();
  } catch (error) {
    sink.drop();
    throw error;
  }
  return 0;
}

function formatOf({ format: name = DEFAULT_FORMAT, output }: Options): TraceFormat {
  const format = TRACE_FORMATS.find((f) => f.name === name)!;
  if (output !== undefined) return format;
  if (format.directory) throw new UsageError(`--format ${name}: several files, needs -o DIRECTORY`);
  if (format.binary && process.stdout.isTTY) {
    throw new UsageError(`--format ${name}: no text for a terminal, needs -o FILE or a pipe`);
  }
  return format;
}
