/** Posted to while they sleep: one wake-up interrupt of the processor wakes all of them (pi_wakeup_handler). */
import { expect, test } from 'vitest';
import { buildMachine } from '../../../engine/machine/build.ts';
import type { Machine } from '../../../engine/machine/machine.ts';
import { parseScenario } from '../../../engine/scenario/load.ts';
import { takeSnapshot } from '../../../engine/snapshot.ts';

const VM = '  - {vcpus: 1, cpus: [0], devices: [{driver: vfio, name: card, queues: 1}]}\n';

/** who is posted to, in this order */
const CARDS = ['vm3.card', 'vm1.card', 'vm4.card'];
const KEYS = CARDS.map((device) => `  - {device: ${device}}\n`).join('');

function machine(): Machine {
  const text = `name: p\ntitle: p\nkvm: '6.1'\ncpus: 2\napicv: true\nposted: true\nvms:\n${VM.repeat(4)}keys:\n${KEYS}workloads: []\n`;
  return buildMachine(parseScenario(text, 'p.yaml'), 1);
}

/** Nothing happens for a while: all of them sleep. */
function asleep(): Machine {
  const made = machine();
  do made.step();
  while (made.clock.now < 2e8 || made.clock.next < made.clock.now + 1e6);
  return made;
}

const handled = (made: Machine) =>
  takeSnapshot(made).domains.map(
    ({ interrupts }) =>
      interrupts.rows.find(({ actions }) => actions.includes('card-0'))?.counts.reduce((a, b) => a + b) ?? 0,
  );

test('three of four at once: each runs its handler once', () => {
  const made = asleep();
  for (const card of CARDS) made.fire(card);
  made.runUntil(made.clock.now + 1e6);
  expect(handled(made)).toEqual([0, 1, 0, 1, 1]);
});

test('restored while the wake-up interrupt is on its way, they are woken all the same', () => {
  const made = asleep();
  for (const card of CARDS) made.fire(card);
  const saved = JSON.parse(JSON.stringify(made.save()));
  const [fresh, used] = [machine(), asleep()];
  for (const copy of [fresh, used]) {
    copy.restore(saved);
    copy.runUntil(copy.clock.now + 1e6);
    expect(handled(copy)).toEqual([0, 1, 0, 1, 1]);
  }
});
