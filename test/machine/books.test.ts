/** The books balance, and what they hold as pending is what the chips and shared pages hold. */
import { describe, expect, test } from 'vitest';
import { buildMachine, builtinScenarios, type Machine, takeSnapshot } from '../../engine/index.ts';

/** Pending bits of every event channel and requests of every physical interrupt, counted by hand. */
function unbalanced(machine: Machine): string[] {
  const wrong: string[] = [];
  const { books } = takeSnapshot(machine);
  for (const a of books) {
    const ignored = Object.values(a.ignored).reduce((n, x) => n + x, 0);
    if (a.raised !== a.delivered + a.coalesced + ignored + a.pending) {
      wrong.push(`${a.source} -> ${a.destination}: ${JSON.stringify(a)}`);
    }
  }
  return wrong;
}

describe.each(builtinScenarios())('$name', (scenario) => {
  test('every raise is accounted for, at any moment', () => {
    const machine = buildMachine(scenario, 7);
    for (let i = 0; i < 40; i++) {
      machine.runUntil(machine.clock.now + 23_456_789);
      expect(unbalanced(machine)).toEqual([]);
    }
  });

  test('what the books hold as pending is what the machine has pending', () => {
    const machine = buildMachine(scenario, 11);
    for (let i = 0; i < 3_000; i++) {
      machine.step();
      expect(machine.platform.pendingMismatch()).toEqual([]);
    }
  });
});
