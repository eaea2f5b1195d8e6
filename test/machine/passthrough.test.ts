/** Devices passed through to HVM guests: what they raise reaches the guest's handler, and its EOI comes back. */
import { describe, expect, test } from 'vitest';
import { buildMachine, type Machine, takeSnapshot } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { amiss, HOSTS, handled, passedMachine, passedScenario, told } from '../support/passed.ts';

const MS = 1e6;
const bytes = (machine: Machine) => JSON.stringify(takeSnapshot(machine));

/** The shared line as debug key i tells of it: guests that have not answered, and is it in service at the IOAPIC? */
function inService(machine: Machine): { inFlight: number; served: boolean } {
  const text = machine.platform.dump('i')!;
  const inFlight = /(?:IRQ: *23 |IRQ *23:).*in-flight=(\d+)/.exec(text)![1];
  return { inFlight: Number(inFlight), served: /Pin 23: .* irr=1/.test(text) };
}

describe.each(HOSTS)('Xen %s, dom0 %s, guest %s', (...host) => {
  test('a message of each queue in turn; one raise, one handler', () => {
    const machine = passedMachine(host);
    for (let i = 1; i <= 5; i++) {
      machine.fire('dom1.vf');
      machine.runUntil(machine.clock.now + MS);
    }
    expect([handled(machine, 1, 'vf-0'), handled(machine, 1, 'vf-1')]).toEqual([3, 2]);
    expect(told(machine, 'dom1.vf')).toBe('delivered 5');
  });

  test('while one waits for its handler a second one is the same', () => {
    const machine = passedMachine(host);
    // both of the first queue, before the guest can have taken one
    for (let i = 0; i < 3; i++) machine.fire('dom1.vf');
    machine.runUntil(machine.clock.now + MS);
    expect(told(machine, 'dom1.vf')).toBe('delivered 2, coalesced 1');
  });

  test('a line of the guest alone', () => {
    const machine = passedMachine(host, { shared: false });
    for (let i = 0; i < 3; i++) {
      machine.fire('dom1.hba');
      machine.runUntil(machine.clock.now + MS);
    }
    expect(handled(machine, 1, 'hba')).toBe(3);
    expect(told(machine, 'dom1.hba')).toBe('delivered 3');
  });

  test('a line shared with dom0: both handlers look, whoever asks', () => {
    const machine = passedMachine(host);
    for (const device of ['dom1.hba', 'usb', 'dom1.hba']) {
      machine.fire(device);
      machine.runUntil(machine.clock.now + MS);
    }
    expect([handled(machine, 0, 'uhci_hcd:usb3'), handled(machine, 1, 'hba')]).toEqual([3, 3]);
    expect([told(machine, 'dom1.hba'), told(machine, 'usb')]).toEqual(['delivered 2', 'delivered 1']);
    expect(told(machine, 'irq 23')).toBe('delivered 6');
  });

  test('the line is let go of at the machine only when both have ended it', () => {
    const machine = passedMachine(host);
    machine.fire('dom1.hba');
    const states = new Set<string>();
    for (let i = 0; i < 60; i++) {
      machine.step();
      const [dom0, dom1] = [handled(machine, 0, 'uhci_hcd:usb3'), handled(machine, 1, 'hba')];
      const { inFlight, served } = inService(machine);
      states.add(`${dom0} ${dom1} ${inFlight} ${served}`);
    }
    // never out of service while one of them is still to answer
    expect([...states].filter((s) => / [12] false$/.test(s))).toEqual([]);
    expect([...states].at(-1)).toBe('1 1 0 false');
    expect([...states]).toContain('1 1 1 true');
    expect([...states]).toContain('0 0 2 true');
  });

  test('raised at random, every raise is accounted for after every event', () => {
    const arrivals = ['dom1.vf', 'dom1.hba', 'usb']
      .map((device) => `  - {what: device, device: ${device}, pattern: {kind: poisson, rate: 20000}}\n`)
      .join('');
    const machine = passedMachine(host, { more: `workloads:\n${arrivals}` }, 20 * MS);
    for (let i = 0; i < 2_000; i++) {
      machine.step();
      expect(machine.platform.pendingMismatch()).toEqual([]);
      if (i % 50 === 0) expect(amiss(machine)).toEqual([]);
    }
    expect(handled(machine, 1, 'vf-0')).toBeGreaterThan(100);
    expect(handled(machine, 1, 'hba')).toBeGreaterThan(100);
  });

  test('saved after any event of an interrupt and restored, it runs on the same', () => {
    const scenario = parseScenario(passedScenario(host), 'passed.yaml');
    const original = passedMachine(host);
    const saved: string[] = [];
    for (const device of ['dom1.vf', 'dom1.hba']) original.fire(device);
    for (let i = 0; i < 40; i++) {
      original.step();
      saved.push(JSON.stringify(original.save()));
    }
    const until = original.clock.now + MS;
    original.runUntil(until);
    for (const state of saved) {
      const copy = buildMachine(scenario, 42);
      copy.restore(JSON.parse(state));
      expect(JSON.stringify(copy.save())).toBe(state);
      copy.runUntil(until);
      expect(bytes(copy)).toBe(bytes(original));
    }
  });
});
