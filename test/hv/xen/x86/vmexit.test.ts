/** VM exits and entries of HVM guests, told by the records they leave: what is acknowledged, queued again, put off. */
import { describe, expect, test } from 'vitest';
import { INFO_VALID } from '../../../../engine/hw/x86/vmcs-fields.ts';
import type { Machine } from '../../../../engine/index.ts';
import { xenMachine } from '../../../support/xen-scenario.ts';

interface Record {
  readonly time: number;
  readonly cpu: number;
  readonly name: string;
  readonly args: readonly number[];
}

function machineOf(xen: string, guest: string, workloads: string): Machine {
  return xenMachine(xen, { cpus: 2, guests: [guest], workloads });
}

const NATIVE = '{type: hvm, kernel: linux-2.6.36, vcpus: 1, cpus: [1], devices: [{driver: i8042}]}';
const BUSY = '{what: compute, domain: 1, share: 1}';

/** Records of these tracepoints up to a time. */
function records(machine: Machine, until: number, ...names: string[]): Record[] {
  const out: Record[] = [];
  let seen = -1;
  const { trace } = machine.shop;
  for (let t = 1e6; t <= until; t += 1e6) {
    machine.runUntil(t);
    for (const r of trace.records()) {
      if (r.seq <= seen) continue;
      seen = r.seq;
      if (names.includes(r.point.name))
        out.push({ time: r.time, cpu: r.cpu, name: r.point.name, args: r.args });
    }
  }
  return out;
}

const exitsOf = (list: readonly Record[], reason: number) => list.filter((r) => r.args[1] === reason);

describe('an external interrupt', () => {
  const machine = machineOf('4.17', NATIVE, BUSY);
  const all = records(machine, 5e7, 'vmexit', 'vmx_do_extint', 'vmentry');

  test('is acknowledged by the exit: its vector stands in the interruption-information', () => {
    const exits = exitsOf(
      all.filter((r) => r.name === 'vmexit'),
      1,
    );
    expect(exits.length).toBeGreaterThan(10);
    for (const { args } of exits) {
      expect(args[2]! >>> 0).toBeGreaterThanOrEqual(INFO_VALID);
      expect((args[2]! >> 8) & 7).toBe(0);
    }
  });

  test('is handled before anything else: vmx_do_extint has that vector, on that CPU', () => {
    const list = all.filter((r) => r.name !== 'vmentry');
    list.forEach((r, i) => {
      if (r.name !== 'vmx_do_extint') return;
      const exit = list[i - 1]!;
      expect([exit.name, exit.args[1], exit.cpu, exit.args[2]! & 0xff]).toEqual([
        'vmexit',
        1,
        r.cpu,
        r.args[1],
      ]);
    });
  });

  test('every exit is followed by an entry of the same virtual CPU before its next exit', () => {
    const list = all.filter((r) => r.name !== 'vmx_do_extint');
    const inGuest = new Map<number, boolean>();
    for (const { name, args } of list) {
      const before = inGuest.get(args[0]!);
      if (before !== undefined) expect(before).toBe(name === 'vmexit');
      inGuest.set(args[0]!, name === 'vmentry');
    }
  });
});

describe('an event whose delivery is cut short', () => {
  test('is queued again with the same vector, and delivered once', () => {
    const machine = machineOf('4.17', NATIVE, BUSY);
    const all = records(machine, 5e7, 'vmexit', 'vmx_inject_extint', 'vmx_idtv_reinject', 'vmentry');
    const again = all.findIndex((r) => r.name === 'vmx_idtv_reinject');
    const around = all.slice(again - 3, again + 2).map((r) => r.name);
    expect(around).toEqual(['vmx_inject_extint', 'vmentry', 'vmexit', 'vmx_idtv_reinject', 'vmentry']);
    // EPT_VIOLATION, while the frame is pushed
    expect(all[again - 1]!.args[1]).toBe(48);
    expect(all[again]!.args[1]! & 0xff).toBe(all[again - 3]!.args[1]);
    expect(all.filter((r) => r.name === 'vmx_idtv_reinject')).toHaveLength(1);
    for (const a of machine.shop.books.accounts()) {
      const ignored = Object.values(a.ignored).reduce((n, m) => n + m, 0);
      expect(a.raised).toBe(a.delivered + a.coalesced + a.pending + ignored);
    }
  });
});

describe('non-maskable interrupts', () => {
  test("one of the processor's leaves the guest as EXCEPTION_NMI of type NMI, and do_nmi runs", () => {
    const machine = machineOf('4.17', NATIVE, `${BUSY}, {what: nmi, domain: 0, rate: 200}`);
    const all = records(machine, 1e8, 'vmexit', 'do_nmi');
    const exits = exitsOf(
      all.filter((r) => r.name === 'vmexit'),
      0,
    );
    expect(exits.length).toBeGreaterThan(3);
    for (const { args } of exits) expect(args[2]! >>> 0).toBe(0x8000_0202);
    const nmis = all.filter((r) => r.name === 'do_nmi' && r.cpu === 1).length;
    expect(nmis).toBe(exits.length);
    // the guest has none of it
    const row = machine.platform.domains()[1]!.interrupts.arch.find((r) => r.label === 'NMI')!;
    expect(row.counts).toEqual([0]);
  });

  test('one sent to the guest is injected, and blocks the next until its IRET', () => {
    const machine = machineOf('4.17', NATIVE, `${BUSY}, {what: nmi, domain: 1, rate: 200}`);
    const all = records(machine, 1e8, 'vmx_inject_nmi');
    const row = machine.platform.domains()[1]!.interrupts.arch.find((r) => r.label === 'NMI')!;
    expect(all.length).toBeGreaterThan(5);
    expect(row.counts).toEqual([all.length]);
  });
});

describe('exceptions', () => {
  test('3.4 loads the FPU when it is first used after a switch: #NM exits, and not twice in a turn', () => {
    const machine = machineOf('3.4', NATIVE, '{what: faults, domain: 1, kind: fpu, rate: 500}');
    const exits = exitsOf(records(machine, 2e8, 'vmexit'), 0);
    expect(exits.length).toBeGreaterThan(0);
    for (const { args } of exits) expect(args[2]! >>> 0).toBe(0x8000_0307);
  });

  test('4.17 has the FPU loaded: no exit', () => {
    const machine = machineOf('4.17', NATIVE, '{what: faults, domain: 1, kind: fpu, rate: 500}');
    expect(exitsOf(records(machine, 2e8, 'vmexit'), 0)).toEqual([]);
  });

  test('#DB leaves the guest on 4.17, and is given back to it', () => {
    const machine = machineOf('4.17', NATIVE, '{what: faults, domain: 1, kind: debug, rate: 200}');
    const all = records(machine, 1e8, 'vmexit', 'vmx_propagate_intr', 'vmentry');
    const given = all.flatMap((r, i) => (r.name === 'vmx_propagate_intr' ? [i] : []));
    expect(given.length).toBeGreaterThan(3);
    for (const i of given) {
      expect([all[i - 1]!.name, all[i - 1]!.args[2]! >>> 0]).toEqual(['vmexit', 0x8000_0301]);
      expect([all[i]!.args[1], all[i + 1]!.name]).toEqual([1, 'vmentry']);
    }
  });

  test.each([
    ['3.4', 'debug'],
    ['3.4', 'int3'],
    ['4.17', 'int3'],
  ])('on %s without a debugger %s is the guest’s alone', (xen, kind) => {
    const machine = machineOf(xen, NATIVE, `{what: faults, domain: 1, kind: ${kind}, rate: 500}`);
    const exits = exitsOf(records(machine, 1e8, 'vmexit'), 0);
    expect(exits.filter(({ args }) => [1, 3].includes(args[2]! & 0xff))).toEqual([]);
  });
});

describe('instructions that leave the guest', () => {
  const counts = (workload: string, guest = NATIVE) => {
    const machine = machineOf('4.17', guest, `{what: faults, domain: 1, kind: ${workload}, rate: 300}`);
    machine.runUntil(1e8);
    const { rows } = machine.platform.domains()[1]!.exits!;
    return Object.fromEntries(rows.map((r) => [r.name, r.counts[0]!]));
  };
  const SHADOW = NATIVE.replace('type: hvm', 'type: hvm, hap: false, emulate-tsc: true');

  test.each([
    ['page', 'EPT_VIOLATION'],
    ['cpuid', 'CPUID'],
    ['cr', 'CR_ACCESS'],
    ['task', 'TASK_SWITCH'],
  ])('%s always does', (kind, name) => {
    expect(counts(kind)[name]).toBeGreaterThan(10);
  });

  test('the debug registers are loaded once in a turn', () => {
    const { DR_ACCESS, HLT } = counts('dr');
    expect(DR_ACCESS).toBeGreaterThan(0);
    expect(DR_ACCESS).toBeLessThanOrEqual(HLT! + 1);
  });

  test.each([
    ['cr3', 'CR_ACCESS'],
    ['invlpg', 'INVLPG'],
    ['rdtsc', 'RDTSC'],
  ])('%s does without nested paging, or with an emulated TSC, alone', (kind, name) => {
    expect(counts(kind)[name]).toBeUndefined();
    expect(counts(kind, SHADOW)[name]).toBeGreaterThan(10);
  });

  test('without nested paging a page that is not there is a page fault, in delivery too', () => {
    const { EPT_VIOLATION, EXCEPTION_NMI } = counts('page', SHADOW);
    expect([EPT_VIOLATION, EXCEPTION_NMI! > 10]).toEqual([undefined, true]);
    const machine = machineOf('4.17', SHADOW, BUSY);
    const all = records(machine, 5e7, 'vmexit', 'vmx_idtv_reinject');
    const again = all.findIndex((r) => r.name === 'vmx_idtv_reinject');
    expect(all[again - 1]!.args.slice(1, 3).map((n) => n >>> 0)).toEqual([0, 0x8000_030e]);
  });

  test.each(['4.17', '3.4'])('a triple fault ends the guest, all of it, and nobody else (%s)', (xen) => {
    const guest = NATIVE.replace('vcpus: 1', 'vcpus: 2');
    const workloads = `{what: compute, domain: 1, share: 1}, {what: faults, domain: 1, kind: triple, rate: 30}`;
    const machine = machineOf(xen, guest, workloads);
    const exits = () => {
      const { rows } = machine.platform.domains()[1]!.exits!;
      return rows.reduce((n, r) => n + r.counts[0]! + r.counts[1]!, 0);
    };
    machine.runUntil(4e8);
    const [before, dom0] = [exits(), machine.platform.domains()[0]!.vcpus[0]!.runNs];
    machine.runUntil(8e8);
    expect(exits()).toBe(before);
    expect(machine.platform.domains()[0]!.vcpus[0]!.runNs).toBeGreaterThan(dom0);
    const { lapics } = machine.platform.domains()[1]!.x86!;
    expect(lapics.map((l) => l.vmcs!.place)).toEqual(Array(2).fill('shut down by a triple fault'));
    expect(machine.platform.pendingMismatch()).toEqual([]);
  });
});

describe('windows', () => {
  test('what the guest cannot take yet asks for the window; its exit closes it, and injects what still waits', () => {
    const guest = '{type: hvm, vcpus: 2, cpus: [1], rings: 0, devices: [{driver: i8042}]}';
    const machine = machineOf('4.17', guest, `${BUSY}, {what: calls, domain: 1, rate: 500}`);
    const names = ['vmx_enable_intr_window', 'vmexit', 'vmx_inject_extint'];
    const all = records(machine, 2e8, ...names).filter((r) => r.name !== 'vmexit' || r.args[1] === 7);
    let injected = 0;
    for (const vcpu of new Set(all.map((r) => r.args[0]))) {
      const own = all.filter((r) => r.args[0] === vcpu);
      let open = false;
      own.forEach((r, i) => {
        if (r.name === 'vmx_enable_intr_window') open = true;
        if (r.name !== 'vmexit') return;
        expect(open).toBe(true);
        open = false;
        if (own[i + 1]?.name === 'vmx_inject_extint') injected++;
      });
    }
    expect(injected).toBeGreaterThan(0);
  });
});

describe('the device model', () => {
  test('a virtual CPU that waits for it sleeps in Xen, whatever events come', () => {
    const guest = '{type: hvm, kernel: linux-2.6.36, vcpus: 1, cpus: [1], devices: [{driver: ata}]}';
    const machine = machineOf('4.17', guest, '{what: disk, domain: 1, jobs: 1, think: 0}');
    const { platform } = machine;
    let waits = 0;
    for (let i = 0; i < 40_000; i++) {
      machine.step();
      const { state } = platform.domains()[1]!.vcpus[0]!;
      const { place } = platform.domains()[1]!.x86!.lapics[0]!.vmcs!;
      if (!place.startsWith('waits for the device model')) continue;
      waits++;
      expect(['running', 'blocked']).toContain(state);
      i += 200;
      for (let n = 0; n < 200; n++) machine.step();
    }
    expect(waits).toBeGreaterThan(3);
  });
});
