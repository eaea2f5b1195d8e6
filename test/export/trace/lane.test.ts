/** Rows between two threads: none is lost, none comes twice, and nobody waits for good. */
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROW_WIDTH, type TakeRows } from '../../../engine/core/trace.ts';
import { LaneEnd, LaneStart, laneMemory } from '../../../engine/exchange.ts';

/** So many, with numbers from `first` on. */
function rowsOf(first: number, count: number): Float64Array {
  return Float64Array.from({ length: count * ROW_WIDTH }, (_, i) => first * ROW_WIDTH + i);
}

test('rows come as they went, however much there is at a time', () => {
  const steps = fc.array(fc.record({ put: fc.nat(40), take: fc.boolean() }), { maxLength: 100 });
  fc.assert(
    fc.property(steps, (list) => {
      const memory = laneMemory(16);
      const start = new LaneStart(memory);
      const end = new LaneEnd(memory);
      const out: number[] = [];
      const see: TakeRows = (rows, at, until) => out.push(...rows.subarray(at, until));
      let given = 0;
      for (const { put, take } of list) {
        const rows = rowsOf(given, put);
        start.put(rows, 0, rows.length);
        rows.fill(NaN);
        given += put;
        if (take) end.take(see);
      }
      while (start.behind(0)) end.take(see);
      expect(out).toEqual(Array.from(rowsOf(0, given)));
    }),
  );
});

test('32 bits of the number of rows are enough', () => {
  const memory = laneMemory(16);
  const start = new LaneStart(memory);
  const end = new LaneEnd(memory);
  for (const part of [start, end] as unknown as { written: number; read: number }[])
    part.written = part.read = 2 ** 31 - 8;
  memory.state.fill(2 ** 31 - 8);
  const out: number[] = [];
  const rows = rowsOf(0, 40);
  start.put(rows, 0, rows.length);
  while (start.behind(0)) end.take((from, at, until) => out.push(...from.subarray(at, until)));
  expect(out).toEqual(Array.from(rows));
  expect(memory.state[0]).toBe(-(2 ** 31) + 32);
});

test('a thread that waits for them gets all, and who gives them sees that it goes on', async () => {
  const memory = laneMemory(64);
  const start = new LaneStart(memory);
  // what LaneEnd does, as a thread cannot load it here: sums rows until one is negative
  const worker = new Worker(
    `const { workerData: { rows, state }, parentPort } = require('node:worker_threads');
    let read = 0, sum = 0, done = false;
    while (!done) {
      const woken = Atomics.load(state, 2);
      for (; read !== Atomics.load(state, 0); ) {
        const n = rows[(read & 63) * ${ROW_WIDTH}];
        if (n < 0) done = true; else sum += n;
        Atomics.store(state, 1, ++read);
      }
      if (!done) Atomics.wait(state, 2, woken);
    }
    parentPort.postMessage(sum);`,
    { eval: true, workerData: memory },
  );
  const answer = new Promise<number>((resolve) => worker.once('message', resolve));
  const row = new Float64Array(ROW_WIDTH);
  let sum = 0;
  for (let n = 0; n <= 20_000; n++) {
    row[0] = n < 20_000 ? n : -1;
    sum += Math.max(0, row[0]);
    start.put(row, 0, ROW_WIDTH);
    while (n % 300 === 0 && start.behind(100)) await setImmediate();
  }
  while (start.behind(0)) await setImmediate();
  expect(await answer).toBe(sum);
  await worker.terminate();
});
