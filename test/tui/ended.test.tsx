/** The monitor on a host whose hypervisor has ended. */
import { afterEach, expect, test } from 'vitest';
import { buildMachine } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { FakeScreen } from '../support/fake-screen.tsx';
import { HALTING_YAML } from '../support/halting.ts';

let screen: FakeScreen;
afterEach(() => screen.close());

test.each([80, 120, 200])(
  'at %i columns the top line says what has ended it, and keys still work',
  async (columns) => {
    const machine = buildMachine(parseScenario(HALTING_YAML, 'halting.yaml'), 1);
    machine.runUntil(1e9);
    machine.fire('fiq');
    machine.runUntil(2e9);
    screen = new FakeScreen(machine, { columns, rows: 24 });
    const [top] = await screen.lines();
    expect(top).toContain('halting');
    expect(top).toContain('Panic on CPU 0: bad mode');
    expect(top).toContain(' ENDED ');
    screen.press('1', 'right', 'f3');
    const lines = await screen.lines();
    expect(lines[0]).toContain(' ENDED ');
    expect(lines.join('\n')).toContain('dom0');
  },
);
