/** `virqtop paper`: published microbenchmarks, and ours beside them. */
import { MICROBENCHMARKS, PAPER_SYSTEMS } from '../../engine/index.ts';
import { DEFAULT_SEED } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { MOST_OFF, tableOf } from '../paper/table.ts';
import { paperJson, paperText } from '../paper/text.ts';
import { hint, quoted, UsageError } from '../usage.ts';

export async function paper(rows: readonly string[], options: Options, out: Output): Promise<number> {
  const { why = false, seed = DEFAULT_SEED, json } = options;
  for (const row of rows) {
    if ((MICROBENCHMARKS as readonly string[]).includes(row)) continue;
    throw new UsageError(`paper ${quoted(row)}: must be a row${hint(row, MICROBENCHMARKS)}`);
  }
  const tables = PAPER_SYSTEMS.map((system) => tableOf(system, seed, { rows, why }));
  await out.write(json ? paperJson(tables) : paperText(tables));
  return tables.every((table) => table.rows.every(({ error }) => Math.abs(error) <= MOST_OFF)) ? 0 : 1;
}
