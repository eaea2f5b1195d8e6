/** Every demo that comes with the program: its commands are done, and what it promises comes true. */
import { expect, test } from 'vitest';
import { failuresOf, playDemo } from '../../cli/demo/play.ts';
import { DEMOS } from '../../engine/scenario/demos.ts';

test.each(DEMOS.map((demo) => [demo.name, demo] as const))('%s', async (_, demo) => {
  const played = await playDemo(demo);
  expect(failuresOf(played)).toEqual([]);
  for (const { findings, steps } of played.runs) {
    const told = steps.flatMap((s) => s.findings).length + findings.length + played.findings.length;
    expect(told).toBeGreaterThan(2);
  }
  for (const { now } of played.runs) {
    for (const { raised, delivered, coalesced, ignored, pending, source } of now.books) {
      const lost = Object.values(ignored).reduce((n, m) => n + m, 0);
      expect([source, raised]).toEqual([source, delivered + coalesced + lost + pending]);
    }
  }
});
