/** A disk of its own behind a block device. */
import { expect, test } from 'vitest';
import { Clock } from '../../../engine/core/clock.ts';
import { Stream } from '../../../engine/core/rng.ts';
import { TimedBackend } from '../../../engine/devices/pc/backend.ts';
import { travelled } from '../../support/pc-wire.ts';

class Rig {
  readonly clock = new Clock();
  readonly rng = new Stream(7, 'disk');
  processed: number[] = [];
  done: [time: number, queue: number, tag: number][] = [];
  readonly backend = new TimedBackend('disk', this.clock, this.rng, { least: 50_000, extra: 20_000 });

  constructor() {
    this.backend.attach({
      process: (queue) => this.processed.push(queue),
      complete: (queue, tag) => this.done.push([this.clock.now, queue, tag]),
    });
  }
}

test('looks at a queue as soon as it is told', () => {
  const rig = new Rig();
  rig.backend.kick(3);
  expect(rig.processed).toEqual([3]);
});

test('requests take their time, several at once, and end in the order they are done', () => {
  const rig = new Rig();
  for (let tag = 0; tag < 20; tag++) rig.backend.start(tag % 2, tag);
  rig.clock.runUntil(49_999);
  expect(rig.done).toEqual([]);
  rig.clock.runUntil(1_000_000);
  const times = rig.done.map(([time]) => time);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(rig.done.map(([, , tag]) => tag).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 20 }, (_, n) => n),
  );
  expect(rig.done.every(([, queue, tag]) => queue === tag % 2)).toBe(true);
});

test('a copy goes on as the original does', () => {
  const rig = new Rig();
  for (let tag = 0; tag < 5; tag++) rig.backend.start(0, tag);
  rig.clock.runUntil(60_000);
  const copy = new Rig();
  copy.clock.restore(rig.clock.save());
  copy.rng.restore(rig.rng.save());
  copy.backend.restore(travelled(rig.backend.save()));
  rig.done = [];
  for (const r of [rig, copy]) {
    r.backend.start(1, 9);
    r.clock.runUntil(1_000_000);
  }
  expect(copy.done).toEqual(rig.done);
  expect(copy.done.length).toBeGreaterThan(1);
});
