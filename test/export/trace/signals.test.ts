/** Waveforms look at a signal only when who has it says that it may have changed: nothing changes untold. */
import { expect, test } from 'vitest';
import { traceHost } from '../../../engine/exchange.ts';
import { buildMachine, builtinScenario } from '../../../engine/index.ts';

const TIME = 12e6;

function text(value: number | Uint32Array): string {
  return typeof value === 'number' ? String(value) : value.join();
}

test.each(['kvm', 'kvm-posted', 'xen-mixed', 'xen-arm-v3'])(
  '%s: each change of a signal is counted',
  (scenario) => {
    const machine = buildMachine(builtinScenario(scenario)!, 42);
    machine.runUntil(1e9);
    const told = traceHost(machine)
      .signals()
      .flatMap((signal) => (signal.kind === 'wire' && signal.of ? [{ ...signal, of: signal.of }] : []));
    const seen = told.map(({ of, read }) => ({ changes: of.changes, value: text(read()) }));
    let changed = 0;
    const look = () => {
      for (const [i, { scope, name, of, read }] of told.entries()) {
        const before = seen[i]!;
        const value = text(read());
        if (value !== before.value) {
          changed++;
          if (of.changes === before.changes) throw new Error(`${scope.join('.')}.${name} changed untold`);
        }
        seen[i] = { changes: of.changes, value };
      }
    };
    machine.clock.watch = look;
    machine.shop.trace.watch = look;
    machine.runUntil(1e9 + TIME);
    expect(changed).toBeGreaterThan(20);
  },
);
