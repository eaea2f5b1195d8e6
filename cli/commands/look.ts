/** --dump and --books: run to a moment, print what is there, leave. */
import { takeSnapshot } from '../../engine/index.ts';
import { booksTable } from '../batch/books.ts';
import { dumpOf } from '../dump.ts';
import { machineOf } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { Player } from '../player.ts';

export const DEFAULT_AT = 1e9;

export async function look(options: Options, out: Output): Promise<number> {
  const at = options.at ?? DEFAULT_AT;
  const machine = await machineOf(options);
  const { dump, domain } = options;
  const text = dump === undefined ? () => '' : dumpOf(machine, dump, domain);
  const player = new Player(machine, options.fire);
  player.checkEnd(at);
  await player.advance(at);
  const books = options.books ? booksTable(takeSnapshot(machine)) : '';
  await out.write(endLine(text()) + books);
  return 0;
}

function endLine(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
