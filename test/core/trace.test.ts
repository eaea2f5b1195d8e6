/** Tracepoints in a ring. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ROW, ROW_WIDTH, Trace, type TraceRecord } from '../../engine/core/trace.ts';

function filled(capacity: number, records: number) {
  const trace = new Trace(capacity);
  const point = trace.point('evtchn_set_pending', 'port', 'vcpu');
  for (let i = 1; i <= records; i++) trace.emit(point, i * 10, i % 3, i % 4, i, -i);
  return { trace, point };
}

function seqs(records: Iterable<TraceRecord>): number[] {
  return [...records].map((record) => record.seq);
}

test('a record tells time, point, journey, cpu and the arguments the point declares', () => {
  const trace = new Trace(8);
  const point = trace.point('do_IRQ', 'irq', 'vector');
  trace.emit(point, 1234.5, 7, 3, 24, 0xb8, 99);
  expect([...trace.records()]).toEqual([
    { seq: 1, time: 1234.5, point, journey: 7, cpu: 3, vcpu: -1, args: [24, 0xb8] },
  ]);
});

test('a record tells which virtual CPU had the processor, a restored one too', () => {
  const build = () => {
    const trace = new Trace(8);
    trace.runs = (cpu) => [6, -1, 0][cpu]!;
    return trace;
  };
  const trace = build();
  for (const cpu of [0, 1, 2, -1]) trace.emit(trace.point('p'), 10, 0, cpu);
  const places = (from: Trace) => [...from.records()].map(({ cpu, vcpu }) => [cpu, vcpu]);
  const expected = [
    [0, 6],
    [1, -1],
    [2, 0],
    [-1, -1],
  ];
  expect(places(trace)).toEqual(expected);
  const into = build();
  into.restore(JSON.parse(JSON.stringify(trace.save())));
  expect(places(into)).toEqual(expected);
});

test('backwards goes from the newest to the oldest that is asked for and kept, or until it is told to stop', () => {
  const { trace } = filled(8, 20);
  const seen: [number, number][] = [];
  const see = (most: number) => (seq: number, _: unknown, __: number, args: (i: number) => number) => {
    seen.push([seq, args(0)]);
    return seen.length < most;
  };
  trace.backwards(1, 99, see(100));
  expect(seen.map(([seq]) => seq)).toEqual([20, 19, 18, 17, 16, 15, 14, 13]);
  expect(seen.every(([seq, arg]) => seq === arg)).toBe(true);
  seen.length = 0;
  trace.backwards(15, 18, see(3));
  expect(seen.map(([seq]) => seq)).toEqual([18, 17, 16]);
});

test('arguments left out are 0, and numbers keep all their bits', () => {
  const trace = new Trace(8);
  const point = trace.point('p', 'a', 'b', 'c', 'd');
  trace.emit(point, 2 ** 53 - 1, 0, -1, 2 ** 52 + 1, -5);
  expect(trace.record(1)).toMatchObject({ time: 2 ** 53 - 1, cpu: -1, args: [2 ** 52 + 1, -5, 0, 0] });
});

test('a tracepoint of a known name is the same one', () => {
  const trace = new Trace(8);
  expect(trace.point('p', 'a')).toBe(trace.point('p', 'a'));
  expect(trace.point('q').id).toBe(1);
});

test('a tracepoint of five arguments is refused', () => {
  expect(() => new Trace(8).point('p', 'a', 'b', 'c', 'd', 'e')).toThrow('more than four');
});

test('the ring keeps the newest records', () => {
  const { trace } = filled(8, 20);
  expect([trace.written, trace.oldest]).toEqual([20, 13]);
  expect(seqs(trace.records())).toEqual([13, 14, 15, 16, 17, 18, 19, 20]);
  expect([...trace.records()].map((record) => record.args[0])).toEqual([13, 14, 15, 16, 17, 18, 19, 20]);
});

test('reading from a record on skips what is gone', () => {
  const { trace } = filled(8, 20);
  expect(seqs(trace.records(18))).toEqual([18, 19, 20]);
  expect(seqs(trace.records(1))[0]).toBe(13);
  expect(seqs(trace.records(21))).toEqual([]);
});

test('a record that is gone or not written yet is refused', () => {
  const { trace } = filled(8, 20);
  expect(trace.record(13).time).toBe(130);
  expect(() => trace.record(12)).toThrow(RangeError);
  expect(() => trace.record(21)).toThrow(RangeError);
});

test('an empty ring has no records', () => {
  const trace = new Trace(8);
  expect([[...trace.records()], trace.oldest]).toEqual([[], 1]);
});

test('a journey is its records in the order they were written', () => {
  const { trace } = filled(16, 20);
  expect(seqs(trace.journey(1))).toEqual([7, 10, 13, 16, 19]);
  expect(trace.journey(9)).toEqual([]);
});

test('tracing that is off writes nothing', () => {
  const { trace, point } = filled(8, 2);
  trace.enabled = false;
  trace.emit(point, 99, 1, 0);
  expect([trace.written, seqs(trace.records())]).toEqual([2, [1, 2]]);
});

test('a capacity that is no power of two is refused', () => {
  for (const capacity of [0, 3, 1000, -8]) expect(() => new Trace(capacity)).toThrow('a ring of');
});

test('a restored trace has the same records, goes on from them, and keeps its own tracepoints', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e'];
  const args = (name: string) => NAMES.slice(0, NAMES.indexOf(name));
  const build = (order: readonly string[]) => {
    const trace = new Trace(16);
    const points = new Map(order.map((name) => [name, trace.point(name, ...args(name))]));
    return { trace, points };
  };
  const record = fc.record({
    name: fc.constantFrom(...NAMES),
    time: fc.double({ min: 0, max: 2 ** 53, noNaN: true }),
    journey: fc.nat(5),
    args: fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat()),
  });
  fc.assert(
    fc.property(
      fc.array(record, { maxLength: 60 }),
      fc.array(record, { maxLength: 10 }),
      fc.boolean(),
      fc.shuffledSubarray(NAMES),
      (before, after, enabled, order) => {
        const from = build(NAMES);
        const emit = (to: typeof from, { name, time, journey, args }: (typeof before)[number]) =>
          to.trace.emit(to.trace.point(name), time, journey, 0, ...args);
        for (const r of before) emit(from, r);
        from.trace.enabled = enabled;
        const into = build(order); // the missing ones are declared late, while running
        for (const r of after) if (order.includes(r.name)) emit(into, r);
        into.trace.restore(JSON.parse(JSON.stringify(from.trace.save())));
        for (const r of after) {
          emit(from, r);
          emit(into, r);
        }
        const plain = ({ trace }: typeof from) =>
          [...trace.records()].map((r) => ({ ...r, point: [r.point.name, ...r.point.args] }));
        expect(plain(into)).toEqual(plain(from));
        expect(into.trace.enabled).toBe(enabled);
        for (const [name, point] of into.points) expect(into.trace.point(name)).toBe(point);
      },
    ),
    { numRuns: 200 },
  );
});

test('a saved trace has no numbers for arguments that a point does not declare', () => {
  const trace = new Trace(8);
  trace.emit(trace.point('p'), 10, 1, 2, 3, 4);
  expect(trace.save()).toEqual({ enabled: true, written: 1, points: [['p']], rows: [10, 0, 1, 2] });
});

test('who follows gets every record once, in order, even when the ring is overrun within one event', () => {
  const trace = new Trace(8);
  const point = trace.point('p', 'n');
  trace.emit(point, 1, 0, 0, -1);
  const seen: number[] = [];
  const read = trace.follow((rows, from, end) => {
    for (let at = from; at < end; at += ROW_WIDTH) seen.push(rows[at + ROW.args]!);
  });
  for (let n = 0; n < 100; n++) {
    trace.emit(point, n, 0, 0, n);
    if (n % 23 === 0) read();
  }
  read();
  read();
  expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => n));
  trace.unfollow();
  for (let n = 0; n < 20; n++) trace.emit(point, n, 0, 0, n);
  expect(seen.length).toBe(100);
});

test('who follows takes the records: the ring keeps a few meanwhile, and all again afterwards', () => {
  const trace = new Trace(4096);
  const point = trace.point('p', 'n');
  const emit = (count: number) => {
    for (let n = 0; n < count; n++) trace.emit(point, n, 0, 0, n);
  };
  const kept = () => [...trace.records()].map(({ args }) => args[0]);
  emit(3000);
  expect(kept().length).toBe(3000);
  let seen = 0;
  const read = trace.follow((_, from, end) => {
    seen += (end - from) / ROW_WIDTH;
  });
  expect(kept()).toEqual([]);
  emit(1500);
  read();
  expect(seen).toBe(1500);
  expect(kept()).toEqual(Array.from({ length: 1024 }, (_, n) => 476 + n));
  expect(trace.record(trace.written).args).toEqual([1499]);
  trace.unfollow();
  expect(kept()).toEqual([]);
  emit(4000);
  expect(kept()).toEqual(Array.from({ length: 4000 }, (_, n) => n));
});
