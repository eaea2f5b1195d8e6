/** Records in the order of their times. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROW_WIDTH } from '../../../engine/core/trace.ts';
import { InOrder } from '../../../engine/export/trace/in-order.ts';

function row(time: number, seq: number): Float64Array {
  const rows = new Float64Array(ROW_WIDTH);
  rows[0] = time;
  rows[ROW_WIDTH - 1] = seq;
  return rows;
}

test('records come out by time, those of one moment as they came, whenever they are asked for', () => {
  const steps = fc.array(fc.record({ time: fc.nat(5000), release: fc.boolean() }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (list) => {
      const order = new InOrder();
      const given: [number, number][] = [];
      const out: [number, number][] = [];
      const take = (rows: Float64Array, at: number) => out.push([rows[at]!, rows[at + ROW_WIDTH - 1]!]);
      let released = 0;
      list.forEach(({ time, release }, seq) => {
        const when = released + time;
        order.push(row(when, seq), 0);
        given.push([when, seq]);
        if (!release) return;
        released += 1000;
        order.release(released, take);
        expect(out.every(([t]) => t < released)).toBe(true);
      });
      order.release(Infinity, take);
      expect(out).toEqual(given.sort((a, b) => a[0] - b[0] || a[1] - b[1]));
    }),
    { numRuns: 50 },
  );
});

test('a record of before what has been released is an error, not a silent disorder', () => {
  const order = new InOrder();
  order.release(100, () => {});
  expect(() => order.push(row(99, 0), 0)).toThrow('comes after 100 ns');
  order.push(row(100, 0), 0);
});
