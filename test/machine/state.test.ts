/** Same seed, same bytes; and a machine saved at any event goes on as if nothing had happened. */
import { describe, expect, test } from 'vitest';
import { buildMachine, builtinScenarios, type Machine, takeSnapshot } from '../../engine/index.ts';

const bytes = (machine: Machine) => JSON.stringify(takeSnapshot(machine));

describe.each(builtinScenarios())('$name', (scenario) => {
  test('two runs with one seed are the same to the byte', () => {
    const [a, b] = [buildMachine(scenario, 3), buildMachine(scenario, 3)];
    a.runUntil(1e9);
    // in another rhythm, with looks in between
    for (let t = 0; t <= 1e9; t += 7_777_777) {
      b.runUntil(t);
      if (t % 5 === 0) bytes(b);
    }
    b.runUntil(1e9);
    expect(bytes(b)).toBe(bytes(a));
    expect(JSON.stringify(b.save())).toBe(JSON.stringify(a.save()));
  });

  test('another seed is another run', () => {
    const [a, b] = [buildMachine(scenario, 3), buildMachine(scenario, 4)];
    a.runUntil(1e9);
    b.runUntil(1e9);
    expect(bytes(b)).not.toBe(bytes(a));
  });

  test.each([137, 4_321, 33_333])('saved after event %i and restored, it runs on the same', (events) => {
    const original = buildMachine(scenario, 5);
    for (let i = 0; i < events; i++) original.step();
    original.fire('3');
    const saved = JSON.parse(JSON.stringify(original.save()));
    const copy = buildMachine(scenario, 5);
    copy.restore(saved);
    expect(bytes(copy)).toBe(bytes(original));
    const until = original.clock.now + 500_000_000;
    original.runUntil(until);
    copy.runUntil(until);
    expect(copy.clock.events).toBe(original.clock.events);
    expect(bytes(copy)).toBe(bytes(original));
    expect(JSON.stringify(copy.save())).toBe(JSON.stringify(original.save()));
  });

  test('state of another scenario or seed is refused', () => {
    const saved = buildMachine(scenario, 5).save();
    expect(() => buildMachine(scenario, 6).restore(saved)).toThrow('seed 5');
  });
});
