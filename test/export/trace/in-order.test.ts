/** Records in the order of their times. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROW_WIDTH } from '../../../engine/core/trace.ts';
import { InOrder } from '../../../engine/export/trace/in-order.ts';

/** Where it is told which record a row is. */
const SEQ = ROW_WIDTH - 1;

/** Its rows come to `out` as time and number. */
function ordering(): { order: InOrder; out: [number, number][] } {
  const out: [number, number][] = [];
  const order = new InOrder({
    record: (rows, at) => out.push([rows[at]!, rows[at + SEQ]!]),
    flush() {},
    end() {},
  });
  return { order, out };
}

function give(order: InOrder, records: readonly (readonly [time: number, seq: number])[]): void {
  // behind a row that is none of them
  const rows = new Float64Array((records.length + 1) * ROW_WIDTH).fill(-1);
  records.forEach(([time, seq], i) => {
    rows[(i + 1) * ROW_WIDTH] = time;
    rows[(i + 1) * ROW_WIDTH + SEQ] = seq;
  });
  order.records(rows, ROW_WIDTH, rows.length);
}

test('records come out by time, those of one moment as they came, whenever they are asked for', () => {
  const batch = fc.record({
    times: fc.array(fc.nat(5000), { maxLength: 9 }),
    copies: fc.constantFrom(1, 1, 900),
  });
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 60 }), (batches) => {
      const { order, out } = ordering();
      const given: [number, number][] = [];
      let released = 0;
      for (const { times, copies } of batches) {
        const from = given.length;
        for (const time of Array.from({ length: copies }, () => times).flat())
          given.push([released + time, given.length]);
        give(order, given.slice(from));
        released += 700;
        order.release(released);
        expect(out.every(([time]) => time < released)).toBe(true);
      }
      order.end(0);
      expect(out).toEqual(given.sort((a, b) => a[0] - b[0] || a[1] - b[1]));
    }),
    { numRuns: 50 },
  );
});

test('a record of before what has been released is an error, not a silent disorder', () => {
  const { order } = ordering();
  order.release(100);
  expect(() => give(order, [[99, 0]])).toThrow('comes after 100 ns');
  give(order, [[100, 0]]);
});
