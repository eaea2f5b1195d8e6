/** An event gone through a trace record at a time: what is in the chips between them, and nothing changed by it. */
import { describe, expect, test } from 'vitest';
import {
  buildMachine,
  builtinScenario,
  builtinScenarios,
  type Machine,
  takeSnapshot,
} from '../../engine/index.ts';
import { Driver } from '../../tui/driver.ts';
import { ManualHost } from '../support/manual-host.ts';

const MS = 1e6;

function driverOf(name: string, ms = 50): { machine: Machine; driver: Driver } {
  const machine = buildMachine(builtinScenario(name)!, 5);
  machine.runUntil(ms * MS);
  return { machine, driver: new Driver(machine, new ManualHost()) };
}

describe.each(builtinScenarios().map(({ name }) => [name]))('%s', (name) => {
  test('looking inside of events changes nothing, and ends where the machine is', () => {
    const { machine, driver } = driverOf(name);
    const other = driverOf(name);
    const start = machine.clock.events;
    let inside = 0;
    while (machine.clock.events < start + 30) {
      driver.stepRecord();
      const { inside: place, snapshot } = driver.get();
      if (place && place.record < place.of) inside++;
      else expect(snapshot).toEqual(takeSnapshot(machine, snapshot.lastFired));
    }
    expect(inside).toBeGreaterThan(10);
    while (other.machine.clock.events < machine.clock.events) other.driver.step();
    expect(machine.save()).toEqual(other.machine.save());
  });
});

/** Steps until the frame is as asked for. */
function stepTo(driver: Driver, found: () => boolean): void {
  for (let i = 0; i < 20_000; i++) {
    driver.stepRecord();
    if (found()) return;
  }
  throw new Error('it does not come about');
}

describe('kvm', () => {
  const lapics = (driver: Driver) => driver.get().snapshot.domains.find((d) => d.name === 'vm1')!.x86!.lapics;
  const set = (words: readonly number[]) => words.some((word) => word !== 0);

  test('a guest is seen with an interrupt in service, after it was requested and before its EOI, which KVM sees later', () => {
    const { driver } = driverOf('kvm');
    const states: string[] = [];
    stepTo(driver, () => lapics(driver).some((apic) => set(apic.irr)));
    const of = lapics(driver).findIndex((apic) => set(apic.irr));
    for (let i = 0; i < 400; i++) {
      const { irr, isr, pvEoi } = lapics(driver)[of]!;
      const service = pvEoi === 0 ? 'ISR over' : 'ISR';
      const state = `${set(irr) ? 'IRR' : ''}${set(isr) ? service : ''}`;
      if (states.at(-1) !== state) states.push(state);
      driver.stepRecord();
    }
    const from = states.indexOf('IRR');
    expect(states.slice(from, from + 4)).toEqual(['IRR', 'ISR', 'ISR over', '']);
  });

  test('the log and the ways end at the record that was written last, and go back with it', () => {
    const { machine, driver } = driverOf('kvm');
    stepTo(driver, () => (driver.get().inside?.of ?? 0) > 5);
    const first = machine.shop.trace.written - driver.get().inside!.of + 1;
    const newest = () =>
      driver
        .look()
        .events({ last: 200 })
        .events.reduce((n, { seq }) => Math.max(n, seq), 0);
    expect(newest()).toBe(first);
    driver.stepRecord();
    driver.stepRecord();
    expect(newest()).toBe(first + 2);
    expect(driver.look().events({ last: 0 }).written).toBe(first + 2);
    const third = driver.get().snapshot;
    expect(driver.stepBackRecord()).toBe(true);
    expect(newest()).toBe(first + 1);
    driver.stepRecord();
    expect(driver.get().snapshot).toEqual(third);
    driver.leaveEvent();
    expect(newest()).toBe(machine.shop.trace.written);
    expect(driver.get().inside).toBeUndefined();
    expect(driver.stepBackRecord()).toBe(false);
  });

  test('who does something stands at the end of the event', () => {
    const { machine, driver } = driverOf('kvm');
    stepTo(driver, () => (driver.get().inside?.of ?? 0) > 2);
    const { events } = machine.clock;
    driver.do({ do: 'fire', device: 'vm1.kbd' });
    expect(driver.get().inside).toBeUndefined();
    expect(machine.clock.events).toBe(events);
  });
});

test('event channels are those between the records as well', () => {
  const { machine, driver } = driverOf('xen-pv');
  stepTo(driver, () => {
    const live = machine.platform.channels!(0);
    return JSON.stringify(driver.channels(0)) !== JSON.stringify(live);
  });
  driver.leaveEvent();
  expect(driver.channels(0)).toEqual(machine.platform.channels!(0));
});
