/** Devices passed through to HVM guests: what they raise reaches the guest's handler, and its EOI comes back. */
import { describe, expect, test } from 'vitest';
import type { Part } from '../../engine/core/state.ts';
import { buildMachine, JourneyLog, type Machine, takeSnapshot } from '../../engine/index.ts';
import type { PassedMsix } from '../../engine/machine/xen/passed-msix.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { amiss, HOSTS, type Host, handled, passedMachine, passedScenario, told } from '../support/passed.ts';

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

  test('a line of dom0 and two guests: each of the three looks, whoever asks', () => {
    const machine = passedMachine(host, { second: true });
    for (const device of ['dom2.hba', 'usb', 'dom1.hba']) {
      machine.fire(device);
      machine.runUntil(machine.clock.now + MS);
      expect(told(machine, device)).toBe('delivered 1');
      expect(inService(machine)).toEqual({ inFlight: 0, served: false });
    }
    expect([0, 1, 2].map((domain) => handled(machine, domain, domain ? 'hba' : 'uhci_hcd:usb3'))).toEqual([
      3, 3, 3,
    ]);
    expect(told(machine, 'irq 23')).toBe('delivered 9');
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

  test.each([{}, { second: true }, { stuck: true, second: true }, { vfStuck: true }])(
    'raised at random, every raise is accounted for after every event: %o',
    (options) => {
      const devices = ['dom1.vf', 'dom1.hba', 'usb', ...('second' in options ? ['dom2.hba'] : [])];
      const arrivals = devices
        .map((device) => `  - {what: device, device: ${device}, pattern: {kind: poisson, rate: 20000}}\n`)
        .join('');
      const machine = passedMachine(host, { ...options, more: `workloads:\n${arrivals}` }, 20 * MS);
      for (let i = 0; i < 2_000; i++) {
        machine.step();
        expect(machine.platform.pendingMismatch()).toEqual([]);
        if (i % 50 === 0) expect(amiss(machine)).toEqual([]);
      }
      for (const device of devices) expect(told(machine, device)).toMatch(/\d/);
      const stuck = 'stuck' in options || 'vfStuck' in options;
      if (stuck) expect(handled(machine, 0, 'uhci_hcd:usb3')).toBeGreaterThan(3);
      else
        expect([handled(machine, 1, 'vf-0') > 100, handled(machine, 1, 'hba') > 100]).toEqual([true, true]);
    },
  );

  test.each([
    ['of an interrupt', {}],
    ['of one that its guest never ends', { stuck: true, second: true }],
    ['of a message that its guest never ends', { vfStuck: true }],
  ])('saved after any event %s and restored, it runs on the same', (_, options) => {
    const scenario = parseScenario(passedScenario(host, options), 'passed.yaml');
    const original = passedMachine(host, options);
    const saved: string[] = [];
    for (const device of ['dom1.vf', 'dom1.hba', 'dom1.vf', 'dom1.vf']) original.fire(device);
    for (let i = 0; i < 60; i++) {
      original.step();
      if (i % 2 === 0) saved.push(JSON.stringify(original.save()));
    }
    // beyond all that gives up waiting
    const until = original.clock.now + 10 * MS;
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

/** Times in us after now at which the line's state changes, as `inService` tells it, until `for_` is over. */
function changes(machine: Machine, span: number): [us: number, state: string][] {
  const start = machine.clock.now;
  const out: [number, string][] = [];
  while (machine.clock.now < start + span) {
    machine.step();
    const { inFlight, served } = inService(machine);
    const state = `${inFlight} ${served ? 'served' : 'free'}`;
    if (out.at(-1)?.[1] !== state) out.push([(machine.clock.now - start) / 1e3, state]);
  }
  return out;
}

/** When nobody was waited for any longer, in us since the fire. */
const given = (seen: [us: number, state: string][]) =>
  seen.filter(([us, state]) => us > 100 && state.startsWith('0')).map(([us]) => us);

describe('a guest that never ends the interrupt of a line it shares', () => {
  test.each(HOSTS.filter(([xen]) => xen === '4.17'))('%s: is waited for 1 ms, each time anew', (...host) => {
    const machine = passedMachine(host, { stuck: true });
    machine.fire('dom1.hba');
    const times = given(changes(machine, 5 * MS));
    expect(times).toHaveLength(4);
    times.forEach((us, n) => {
      expect(us).toBeGreaterThan(1_000 * (n + 1));
      expect(us).toBeLessThan(1_000 * (n + 1) + 50);
    });
    // the device still asks, and dom0, which shares the line, is asked each time
    expect([handled(machine, 0, 'uhci_hcd:usb3'), handled(machine, 1, 'hba')]).toEqual([5, 1]);
  });

  test('3.4: is waited for 8 ms, each time anew', () => {
    const machine = passedMachine(HOSTS[2]!, { stuck: true });
    machine.fire('dom1.hba');
    const times = given(changes(machine, 20 * MS));
    expect(times.map((us) => Math.round(us / 1_000))).toEqual([8, 16]);
    expect(told(machine, 'irq 23')).toMatch(/in service [12]/);
    expect([handled(machine, 0, 'uhci_hcd:usb3'), handled(machine, 1, 'hba')]).toEqual([3, 1]);
  });

  test('3.4: what waited for the assist when the time was over is told of as such', () => {
    const machine = passedMachine(HOSTS[2]!, { stuck: true, second: true });
    machine.fire('dom1.hba');
    machine.runUntil(machine.clock.now + 20 * MS);
    expect(told(machine, 'irq 23')).toContain('timed out 1');
    expect(amiss(machine)).toEqual([]);
  });
});

describe('messages', () => {
  /** The hops of one message for the guest's second virtual CPU, whose first one sleeps. */
  function toSecond(host: Host): string[] {
    const machine = passedMachine(host);
    // the first queue's message takes the first virtual CPU's turn
    machine.fire('dom1.vf');
    machine.runUntil(machine.clock.now + MS);
    machine.fire('dom1.vf');
    const log = new JourneyLog(machine, machine.lastFired!);
    while (!log.over && machine.step()) log.look();
    return log.snapshot.hops.map((h) => `${h.name} ${h.detail}`);
  }

  test('4.17: the softirq brings it to its virtual CPU, whatever the first one does', () => {
    const hops = toSecond(HOSTS[0]!);
    const assist = hops.findIndex((h) => h.startsWith('hvm_dirq_assist'));
    expect(hops.slice(0, assist).filter((h) => h.startsWith('vcpu_'))).toEqual([]);
    expect(hops.find((h) => h.startsWith('vlapic_set_irq'))).toMatch(/^vlapic_set_irq dom1\.1 /);
    expect(hops.filter((h) => h.startsWith('vcpu_wake'))).toEqual(['vcpu_wake dom1.1']);
  });

  test('3.4: the first virtual CPU is woken for it, and on its way in brings it to the second', () => {
    const hops = toSecond(HOSTS[2]!);
    const at = (hop: string) => hops.findIndex((h) => h.startsWith(hop));
    const order = [
      'hvm_do_IRQ_dpci',
      'vcpu_wake dom1.0',
      'hvm_dirq_assist',
      'vmsi_deliver',
      'vlapic_set_irq dom1.1',
    ];
    const places = order.map(at);
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
    expect(hops.slice(places.at(-1)!)).toContain('vcpu_wake dom1.1');
  });

  /** The guest writes the vector control of the first message. */
  const mask = (machine: Machine, masked: boolean) => msixOf(machine).registers.write(12, Number(masked), 4);
  const pendingBits = (machine: Machine) => msixOf(machine).registers.read(0x800, 4);

  test.each(HOSTS)('%s, %s, %s: one that the guest masks waits in the device', (...host) => {
    const machine = passedMachine(host);
    mask(machine, true);
    machine.fire('dom1.vf');
    machine.runUntil(machine.clock.now + MS);
    expect([handled(machine, 1, 'vf-0'), pendingBits(machine)]).toEqual([0, 1]);
    expect(told(machine, 'dom1.vf')).toBe('pending 1');
    mask(machine, false);
    machine.runUntil(machine.clock.now + MS);
    expect([handled(machine, 1, 'vf-0'), pendingBits(machine)]).toEqual([1, 0]);
    expect(told(machine, 'dom1.vf')).toBe('delivered 1');
  });

  test('3.4: one that came again before its guest ended it is braked, for 1 ms', () => {
    const machine = passedMachine(HOSTS[2]!, { vfStuck: true });
    const [GUEST, INPROGRESS, GUEST_EOI_PENDING] = [0x10, 0x01, 0x20];
    const statuses = () =>
      [...machine.platform.dump('i')!.matchAll(/type=PCI-MSI +status=([0-9a-f]+)/g)].map((m) =>
        Number.parseInt(m[1]!, 16),
      );
    const fire = () => {
      machine.fire('dom1.vf');
      machine.runUntil(machine.clock.now + MS / 10);
      return statuses();
    };
    // the first handler never returns, but it has acknowledged its interrupt: the edge is over
    expect(fire()).toEqual([GUEST, GUEST]);
    expect(fire()).toEqual([GUEST, GUEST | INPROGRESS]);
    expect(fire()).toEqual([GUEST | INPROGRESS, GUEST | INPROGRESS]);
    expect(fire()).toEqual([GUEST | INPROGRESS, GUEST | INPROGRESS | GUEST_EOI_PENDING]);
    expect(told(machine, 'dom1.vf')).toBe('delivered 1, pending 2, coalesced 1');
    machine.runUntil(machine.clock.now + MS);
    expect(statuses()).toEqual([GUEST | INPROGRESS, GUEST]);
    expect(amiss(machine)).toEqual([]);
  });
});
/** A part of the machine by its id. */
function msixOf(machine: Machine): PassedMsix {
  const { all } = machine.shop.parts as unknown as { all: ReadonlyMap<string, Part> };
  return all.get('msix.dom1.vf') as PassedMsix;
}
