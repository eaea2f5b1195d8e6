/** Waveforms look at a signal only when who has it says that it may have changed: nothing changes untold. */
import { expect, test } from 'vitest';
import type { Changing } from '../../../engine/core/bits.ts';
import { traceHost } from '../../../engine/exchange.ts';
import { buildMachine, builtinScenario } from '../../../engine/index.ts';

const TIME = 12e6;

function text(value: number | string | Uint32Array): string {
  return typeof value === 'object' ? value.join() : String(value);
}

test.each(['kvm', 'kvm-posted', 'xen-mixed', 'xen-arm-v3'])(
  '%s: each change of a signal is told',
  (scenario) => {
    const machine = buildMachine(builtinScenario(scenario)!, 42);
    machine.runUntil(1e9);
    const wires = traceHost(machine)
      .signals()
      .flatMap((signal) => (signal.kind !== 'rate' && signal.of ? [{ ...signal, of: signal.of }] : []));
    const told = new Set<Changing>();
    for (const each of new Set(wires.flatMap(({ of }) => of)))
      each.watcher = { changed: () => told.add(each) };
    const values = wires.map(({ read }) => text(read()));
    let changed = 0;
    const look = () => {
      for (const [i, { scope, name, of, read }] of wires.entries()) {
        const value = text(read());
        if (value === values[i]) continue;
        changed++;
        if (!of.some((each) => told.has(each))) throw new Error(`${scope.join('.')}.${name} changed untold`);
        values[i] = value;
      }
      told.clear();
    };
    machine.clock.watch = look;
    machine.shop.trace.watch = look;
    machine.runUntil(1e9 + TIME);
    expect(changed).toBeGreaterThan(20);
  },
);
