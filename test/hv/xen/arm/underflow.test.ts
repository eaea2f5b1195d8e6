/**
 * List registers that run out: UIE is set when some still wait and all registers are taken, and cleared at the next entry
 * into Xen, before IAR is read. The maintenance interrupt that it asks for therefore stops the guest, but is found by nobody.
 */
import { describe, expect, test } from 'vitest';
import type { XenArm } from '../../../../engine/hv/xen/arm/xen.ts';
import { Ppi } from '../../../../engine/hw/arm/board-virt.ts';
import { HCR_UIE } from '../../../../engine/hw/arm/virtual-regs.ts';
import { buildMachine, builtinScenario, type Machine, takeSnapshot } from '../../../../engine/index.ts';
import { parseScenario } from '../../../../engine/scenario/load.ts';

const xenOf = (machine: Machine): XenArm =>
  (machine.platform as unknown as { host: { xen: XenArm } }).host.xen;

interface Seen {
  /** what happens on a CPU, in order: `full`, `uie`, `clear`, `maintenance`, `irq N` */
  readonly events: { readonly cpu: number; readonly what: string; readonly at: number }[];
  readonly wrong: string[];
}

/** Watches the bit, the line of PPI 25, and what IAR says. */
function watch(machine: Machine): Seen {
  const xen = xenOf(machine);
  const seen: Seen = { events: [], wrong: [] };
  const note = (cpu: number, what: string) => seen.events.push({ cpu, what, at: machine.clock.now });
  for (const here of xen.gicCpus) {
    const { hw } = here;
    const update = hw.updateHcrStatus.bind(hw);
    hw.updateHcrStatus = (flag, on) => {
      if (flag === HCR_UIE && on) {
        note(here.cpu, 'uie');
        const { queues } = here.current!;
        if (queues.lrNext === queues) seen.wrong.push('nothing waits');
        if (here.lrMask !== (1 << hw.nrLrs) - 1) seen.wrong.push('a register is free');
      } else if (flag === HCR_UIE) note(here.cpu, 'clear');
      update(flag, on);
    };
  }
  const setLine = xen.hardware.gic.setPrivateLine.bind(xen.hardware.gic);
  xen.hardware.gic.setPrivateLine = (cpu, intid, high) => {
    if (intid === Ppi.MAINTENANCE && high) note(cpu, 'maintenance');
    return setLine(cpu, intid, high);
  };
  xen.hostGic.trace = (cpu, register, _, value) => {
    if (register === 'IAR') note(cpu, `irq ${value}`);
  };
  return seen;
}

/** More than the scenario of that name: interrupts of all kinds for one CPU, faster than it has done with them. */
const WORKLOADS = [
  { what: 'disk', domain: 0, jobs: 16, think: 0.2 },
  { what: 'device', device: 'disk1', pattern: { kind: 'poisson', rate: 8_000 } },
  { what: 'device', device: 'rtc', pattern: { kind: 'poisson', rate: 8_000 } },
  { what: 'calls', domain: 0, rate: 4_000 },
  { what: 'compute', domain: 0, share: 0.3 },
];

const exhaustion = (gic: 2 | 3, lrs: number): Machine => {
  const base = builtinScenario('xen-arm-lr-exhaustion')!;
  const text = JSON.stringify({ ...base, gic, 'list-registers': lrs, workloads: WORKLOADS });
  return buildMachine(parseScenario(text, 'exhaustion.yaml'), 1);
};

describe.each([2, 3] as const)('GICv%i', (gic) => {
  test('UIE is set when all is full and some wait, and never outlives the next entry', () => {
    const machine = exhaustion(gic, 2);
    const { events, wrong } = watch(machine);
    machine.runUntil(2e8);
    expect(wrong).toEqual([]);
    expect(events.filter(({ what }) => what === 'uie').length).toBeGreaterThan(20);
    for (const { cpu } of xenOf(machine).cpus) {
      const own = events.filter((e) => e.cpu === cpu && /^(uie|clear)$/.test(e.what)).map((e) => e.what);
      for (let i = 1; i < own.length; i++) {
        if (own[i] === 'uie') expect(own[i - 1], `the ${i}th`).toBe('clear');
      }
    }
  });

  test('the maintenance interrupt stops the guest; Xen then reads 1023, and what waited has a register', () => {
    const machine = exhaustion(gic, 2);
    const { events } = watch(machine);
    machine.runUntil(2e8);
    const xen = xenOf(machine);
    let alone = 0;
    for (const { cpu } of xen.cpus) {
      const own = events.filter((e) => e.cpu === cpu);
      own.forEach((e, i) => {
        if (e.what !== 'maintenance') return;
        // entry: UIE falls, and with it the line; then the first IAR
        expect(own[i + 1]!.what).toBe('clear');
        const iar = own.slice(i + 1).find(({ what }) => what.startsWith('irq'))!;
        expect(iar.what).not.toBe(`irq ${Ppi.MAINTENANCE}`);
        if (iar.what === 'irq 1023') alone++;
      });
      expect(xen.irqs.counts[cpu]![Ppi.MAINTENANCE]).toBe(0);
    }
    expect(alone).toBeGreaterThan(10);
    expect(machine.platform.pendingMismatch()).toEqual([]);
  });

  test('with registers to spare there is nothing of the kind', () => {
    const machine = exhaustion(gic, 16);
    const { events } = watch(machine);
    machine.runUntil(2e8);
    expect(events.filter(({ what }) => what === 'uie' || what === 'maintenance')).toEqual([]);
  });

  test('with a single register, which is never more than one in use, the guest still gets on', () => {
    const machine = exhaustion(gic, 1);
    machine.runUntil(1e8);
    const before = takeSnapshot(machine).totals.interrupts;
    machine.runUntil(2e8);
    expect(takeSnapshot(machine).totals.interrupts).toBeGreaterThan(before + 1_000);
    expect(machine.platform.pendingMismatch()).toEqual([]);
  });
});

test('saved while UIE is set, it goes on the same', () => {
  const original = exhaustion(3, 2);
  const { events } = watch(original);
  const set = () => events.at(-1)?.what === 'uie';
  for (let i = 0; i < 100_000 && !set(); i++) original.step();
  expect(set()).toBe(true);
  const copy = exhaustion(3, 2);
  copy.restore(JSON.parse(JSON.stringify(original.save())));
  const until = original.clock.now + 2e8;
  original.runUntil(until);
  copy.runUntil(until);
  expect(JSON.stringify(copy.save())).toBe(JSON.stringify(original.save()));
});
