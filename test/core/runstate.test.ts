import { expect, test } from 'vitest';
import { Runstate } from '../../engine/core/runstate.ts';

test('times are those between changes, and add up to the time', () => {
  const r = new Runstate('offline');
  r.change('blocked', 100);
  r.change('runnable', 150);
  r.change('runnable', 170);
  r.change('running', 180);
  r.change('blocked', 1_180);
  expect(r.times(1_200)).toEqual({ offline: 100, blocked: 70, runnable: 30, running: 1_000 });
  expect([r.since, r.wakeUps]).toEqual([1_180, 1]);
});

test('who decides ahead of the clock has not done it yet', () => {
  const r = new Runstate('blocked');
  r.change('running', 500);
  r.change('blocked', 900);
  expect(r.times(700)).toEqual({ offline: 0, blocked: 500, runnable: 0, running: 200 });
});

test('another one whose time is behind changes it at once', () => {
  const r = new Runstate('running');
  r.change('blocked', 900);
  r.change('runnable', 850);
  expect(r.times(1_000)).toEqual({ offline: 0, blocked: 0, runnable: 100, running: 900 });
});

test('it is saved and goes on', () => {
  const [r, copy] = [new Runstate('blocked'), new Runstate('offline')];
  r.change('runnable', 10);
  copy.restore(JSON.parse(JSON.stringify(r.save())));
  for (const it of [r, copy]) it.change('running', 30);
  expect(copy).toEqual(r);
});
