/** From raises to handlers, as a snapshot. */
import type { LatencyTable } from '../core/latency.ts';
import type { LatencySnapshot } from './inspect.ts';

/** @param rowOf the row that an interrupt is counted in, and who handles it */
export function latencySnapshot(
  table: LatencyTable,
  rowOf: (irq: number) => { readonly row: number | string; readonly name: string },
): LatencySnapshot[] {
  return table.totals().map(({ row: irq, totals }) => ({ ...rowOf(irq), irq, ...totals }));
}
