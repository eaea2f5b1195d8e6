/** The scenarios of interrupts that come too often, or are never ended: what brakes them, and that the rest goes on. */
import { describe, expect, test } from 'vitest';
import type { IrqDesc } from '../../engine/hv/xen/x86/irq-desc.ts';
import { IRQ_GUEST_EOI_PENDING } from '../../engine/hv/xen/x86/irq-status.ts';
import type { Xen } from '../../engine/hv/xen/x86/xen.ts';
import { buildMachine, builtinScenario, type Machine, takeSnapshot } from '../../engine/index.ts';
import { amiss, handled, told } from '../support/passed.ts';
import { onX86 } from '../support/xen-snapshots.ts';

const MS = 1e6;
const SECOND = 1e9;

const hostOf = (name: string) => buildMachine(builtinScenario(name)!, 42);

const irqsOf = (machine: Machine) => (machine.platform as unknown as { host: { xen: Xen } }).host.xen.irqs;

/** How long each interrupt was braked, each time, until `end`; those still braked then are left out. */
function brakes(machine: Machine, end: number, isBraked: (desc: IrqDesc) => boolean): Map<number, number[]> {
  const since = new Map<number, number>();
  const lasted = new Map<number, number[]>();
  while (machine.clock.now < end) {
    machine.step();
    for (const desc of irqsOf(machine).descs) {
      if (!desc) continue;
      const begin = since.get(desc.irq);
      if (isBraked(desc) === (begin !== undefined)) continue;
      if (begin === undefined) since.set(desc.irq, machine.clock.now);
      else {
        since.delete(desc.irq);
        lasted.set(desc.irq, [...(lasted.get(desc.irq) ?? []), machine.clock.now - begin]);
      }
    }
  }
  return lasted;
}

/** The interrupts of one kind that a domain has. */
const irqOf = (machine: Machine, domain: number, kind: string) =>
  irqsOf(machine).descs.flatMap((d) =>
    d?.type === kind && d.action?.guests.some((g) => g.domain === domain) ? [d.irq] : [],
  );

/** Counts of all rows of the domains' /proc/interrupts that say one of these. */
function moved(machine: Machine, ...actions: string[]): number[] {
  const { domains } = takeSnapshot(machine);
  const rows = domains.flatMap((d) => d.interrupts.rows);
  return actions.map((action) =>
    rows
      .filter((r) => r.actions.some((a) => a.includes(action)))
      .flatMap((r) => r.counts)
      .reduce((a, b) => a + b, 0),
  );
}

describe('xen-storm', () => {
  test('what is too fast is switched off for 10 ms: messages of dom0 and of a guest, and an edge line', () => {
    const machine = hostOf('xen-storm');
    const { rateLimit } = irqsOf(machine);
    machine.runUntil(1.5 * SECOND);
    const lasted = brakes(machine, 6 * SECOND, (desc) => rateLimit.braked().includes(desc.irq));
    expect([...lasted.keys()].sort((a, b) => a - b)).toHaveLength(3);
    const messages = irqOf(machine, 0, 'PCI-MSI/-X').filter((irq) => lasted.has(irq));
    const passed = irqOf(machine, 2, 'PCI-MSI/-X').filter((irq) => lasted.has(irq));
    const line = irqOf(machine, 0, 'IO-APIC-edge').filter((irq) => lasted.has(irq));
    expect([messages.length, passed.length, line]).toEqual([1, 1, [7]]);
    // one timer serves all, from the first of them on: what is braked while it runs waits for less
    const all = [...lasted.values()].flat();
    expect(Math.max(...all)).toBeLessThan(10.2 * MS);
    expect(all.filter((ns) => ns >= 10 * MS).length).toBeGreaterThan(all.length * 0.8);
  });

  test('no more than irq_ratelimit of them reach dom0 in 10 ms, while their card sends three times as many', () => {
    const machine = hostOf('xen-storm');
    machine.runUntil(1.5 * SECOND);
    const before = { ...counted(machine, 'fpga0') };
    let most = { raised: 0, reached: 0 };
    for (let i = 0; i < 400; i++) {
      const from = counted(machine, 'fpga0');
      machine.runUntil(machine.clock.now + 10 * MS);
      const to = counted(machine, 'fpga0');
      const raised = to.raised - from.raised;
      const reached = to.taken - from.taken;
      most = { raised: Math.max(most.raised, raised), reached: Math.max(most.reached, reached) };
    }
    expect(most.raised).toBeGreaterThan(2_500);
    // the end of one quantum and the beginning of the next may be in one interval
    expect(most.reached).toBeLessThanOrEqual(2_010);
    expect(counted(machine, 'fpga0').taken - before.taken).toBeGreaterThan(10_000);
    expect(told(machine, 'fpga0')).toMatch(/rate limit \d/);
    expect(told(machine, 'parport')).toMatch(/rate limit \d/);
    expect(told(machine, 'dom2.vf')).toMatch(/rate limit \d/);
    expect(amiss(machine)).toEqual([]);
  });

  /** Raises of a source, and those that went on to a guest's event channel. */
  function counted(machine: Machine, source: string) {
    const accounts = takeSnapshot(machine).books.filter((a) => a.source === source);
    const sum = (of: (a: (typeof accounts)[number]) => number) => accounts.reduce((n, a) => n + of(a), 0);
    return { raised: sum((a) => a.raised), taken: sum((a) => a.delivered) };
  }

  test('Xen tells how many were lost, and what it holds back now', () => {
    const machine = hostOf('xen-storm');
    const brake = (m: Machine) => onX86(takeSnapshot(m).xen).brakes.find((b) => b.name === 'irq_ratelimit')!;
    const { rateLimit } = irqsOf(machine);
    machine.runUntil(2 * SECOND);
    while (rateLimit.braked().length === 0) machine.step();
    expect(brake(machine).irqs).toEqual(rateLimit.braked());
    const lost = takeSnapshot(machine).books.reduce((n, a) => n + (a.ignored['rate limit'] ?? 0), 0);
    expect(brake(machine).count).toBe(lost);
    expect(lost).toBeGreaterThan(0);
    const copy = hostOf('xen-storm');
    copy.restore(machine.save());
    expect(brake(copy)).toEqual(brake(machine));
  });

  test('without the limit they would come as fast as their CPU can take them', () => {
    const scenario = builtinScenario('xen-storm')!;
    const free = buildMachine({ ...scenario, 'command-line': { irq_ratelimit: 0 } } as typeof scenario, 42);
    const machine = hostOf('xen-storm');
    for (const m of [free, machine]) m.runUntil(5 * SECOND);
    expect(counted(free, 'fpga0').taken).toBeGreaterThan(2 * counted(machine, 'fpga0').taken);
    expect(told(free, 'fpga0')).not.toContain('rate limit');
  });

  test('disks and networks of all go on', () => {
    const machine = hostOf('xen-storm');
    machine.runUntil(2 * SECOND);
    const before = moved(machine, 'nvme0', 'eth0', 'blkif', 'vif');
    machine.runUntil(4 * SECOND);
    const after = moved(machine, 'nvme0', 'eth0', 'blkif', 'vif');
    after.forEach((n, i) => {
      expect(n - before[i]!).toBeGreaterThan(100);
    });
  });
});

describe('xen-storm-3.4', () => {
  test('what dom0 has not looked at is switched off, until it does or 1 ms is over', () => {
    const machine = hostOf('xen-storm-3.4');
    machine.runUntil(1.5 * SECOND);
    const lasted = brakes(machine, 6 * SECOND, (desc) => (desc.status & IRQ_GUEST_EOI_PENDING) !== 0);
    const [message] = irqOf(machine, 0, 'PCI-MSI/-X');
    const card = lasted.get(message!)!;
    // at once by dom0's EOI, or by the timer, a little late as all of Xen's
    const byTimer = card.filter((ns) => ns >= MS);
    expect(byTimer.length).toBeGreaterThan(50);
    expect(Math.max(...byTimer)).toBeLessThan(1.1 * MS);
    expect(card.filter((ns) => ns < 0.1 * MS).length).toBeGreaterThan(500);
    const [brake] = onX86(takeSnapshot(machine).xen).brakes;
    expect(brake).toMatchObject({ name: 'IRQ_GUEST_EOI_PENDING' });
    expect(brake!.count).toBeGreaterThan(card.length);
    // an edge line cannot be switched off: each further pulse brakes it anew
    expect(Math.max(...lasted.get(7)!)).toBeGreaterThan(2 * MS);
    expect(amiss(machine)).toEqual([]);
  });
});

describe('xen-eoi-timer', () => {
  test('a line whose guest never ends it comes a thousand times a second, no more and no less', () => {
    const machine = hostOf('xen-eoi-timer');
    machine.fire('dom2.hba');
    machine.runUntil(SECOND);
    const looked = () => [handled(machine, 0, 'uhci_hcd:usb3'), handled(machine, 1, 'hba')];
    const stuck = handled(machine, 2, 'hba');
    const before = looked();
    machine.runUntil(3 * SECOND);
    looked().forEach((n, i) => {
      expect(n - before[i]!).toBeGreaterThan(1_950);
      expect(n - before[i]!).toBeLessThanOrEqual(2_001);
    });
    expect(handled(machine, 2, 'hba')).toBe(stuck);
    const timer = onX86(takeSnapshot(machine).xen).brakes.find((b) => b.name === 'irq_guest_eoi_timer')!;
    expect(timer.count).toBeGreaterThan(2_900);
    expect(timer.count).toBeLessThanOrEqual(3_000);
    expect(amiss(machine)).toEqual([]);
  });

  test('until its device has asked nobody waits for the timer', () => {
    const machine = hostOf('xen-eoi-timer');
    const quiet = { ...builtinScenario('xen-eoi-timer')! } as { workloads: { device?: string }[] };
    quiet.workloads = quiet.workloads.filter((w) => w.device !== 'dom2.hba');
    const without = buildMachine(quiet as never, 42);
    for (const m of [machine, without]) m.runUntil(20 * SECOND);
    const forced = (m: Machine) => {
      let n = 0;
      for (const { point } of m.shop.trace.records()) if (point.name === 'irq_guest_eoi_timer') n++;
      return n;
    };
    expect(forced(without)).toBe(0);
    expect(forced(machine)).toBeGreaterThan(0);
    expect(handled(without, 0, 'uhci_hcd:usb3')).toBeLessThan(2_000);
    expect(handled(machine, 0, 'uhci_hcd:usb3')).toBeGreaterThan(10_000);
  });
});
