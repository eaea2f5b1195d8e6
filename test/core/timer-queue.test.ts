import { describe, expect, test } from 'vitest';
import { Rng } from '../../engine/core/rng.ts';
import { TimerQueue } from '../../engine/core/timer-queue.ts';

describe('timers that are set', () => {
  test('go in the order they are due, those of one moment in the order they were set', () => {
    const queue = new TimerQueue<string>();
    expect([queue.size, queue.next, queue.shift()]).toEqual([0, Infinity, undefined]);
    expect(queue.add('b', 20)).toBe(true);
    expect(queue.add('c', 20)).toBe(false);
    expect(queue.add('a', 10)).toBe(true);
    expect(queue.add('d', 30)).toBe(false);
    expect(queue.next).toBe(10);
    expect(queue.entries()).toEqual([
      ['a', 10],
      ['b', 20],
      ['c', 20],
      ['d', 30],
    ]);
    expect(queue.remove('c', 20)).toBe(false);
    expect(queue.remove('a', 10)).toBe(true);
    expect([queue.shift(), queue.shift(), queue.size]).toEqual(['b', 'd', 0]);
  });

  test('the last that is due by a moment', () => {
    const queue = new TimerQueue<string>();
    expect(queue.lastBy(5)).toBe(Infinity);
    for (const when of [10, 20, 30]) queue.add(`${when}`, when);
    expect([9, 10, 25, 99].map((until) => queue.lastBy(until))).toEqual([Infinity, 10, 20, 30]);
  });

  test('keep that order through anything done to them', () => {
    const rng = new Rng(1).stream('timers');
    const queue = new TimerQueue<number>();
    let model: [timer: number, when: number][] = [];
    for (let n = 0; n < 3_000; n++) {
      const whether = rng.below(5);
      if (whether < 3) {
        const when = rng.below(40);
        const at = model.findIndex(([, other]) => other > when);
        model.splice(at < 0 ? model.length : at, 0, [n, when]);
        expect(queue.add(n, when)).toBe(model[0]![0] === n);
      } else if (model.length > 0) {
        const at = whether === 3 ? rng.below(model.length) : 0;
        const [timer, when] = model[at]!;
        if (whether === 3) expect(queue.remove(timer, when)).toBe(at === 0);
        else expect(queue.shift()).toBe(timer);
        model = model.filter(([other]) => other !== timer);
      }
      expect(queue.next).toBe(model[0]?.[1] ?? Infinity);
    }
    expect(model.length).toBeGreaterThan(100);
    expect(queue.entries()).toEqual(model);
  });
});
