/** --dump and --books: run to a moment, print what is there, leave. */
import { takeSnapshot } from '../../engine/index.ts';
import { booksTable } from '../batch/books.ts';
import { machineOf } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { Player } from '../player.ts';
import { hint, quoted, UsageError } from '../usage.ts';

export const DEFAULT_AT = 1e9;

export async function look(options: Options, out: Output): Promise<number> {
  const at = options.at ?? DEFAULT_AT;
  const machine = await machineOf(options);
  const { platform, scenario } = machine;
  const { dump } = options;
  if (dump !== undefined && !platform.dumps.includes(dump)) {
    throw new UsageError(
      `--dump ${quoted(dump)}: no such dump of ${scenario.name}${hint(dump, platform.dumps)}`,
    );
  }
  const player = new Player(machine, options.fire);
  player.checkEnd(at);
  await player.advance(at);
  let text = dump === undefined ? '' : endLine(platform.dump(dump) ?? '');
  if (options.books) text += booksTable(takeSnapshot(machine));
  await out.write(text);
  return 0;
}

function endLine(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
