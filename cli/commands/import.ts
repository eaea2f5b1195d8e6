/** `virqtop import`: a recorded trace beside the simulated run that it drives. */

import { checkTrace, traceIn } from '../import/captures.ts';
import { importJson } from '../import/json.ts';
import { measureImport } from '../import/measure.ts';
import { importText } from '../import/text.ts';
import { DEFAULT_SEED } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { printable, UsageError } from '../usage.ts';

export async function importTrace(file: string, options: Options, out: Output): Promise<number> {
  const capture = traceIn(options, file);
  if (!capture) {
    throw new UsageError(
      `${printable(file)}: no trace; of xentrace, trace-cmd or ftrace it would be right (--import takes /proc/interrupts)`,
    );
  }
  checkTrace(options, [file], capture);
  const report = await measureImport(capture, options.seed ?? DEFAULT_SEED);
  await out.write(options.json ? importJson(report) : importText(report));
  return 0;
}
