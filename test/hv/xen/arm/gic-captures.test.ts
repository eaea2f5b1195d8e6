/**
 * The same accesses to the virtual interface, with the same values in the same order, as Xen and its guests made on real
 * machines (emulated by QEMU): situations of the excerpts, replayed by hand.
 */
import { expect, test } from 'vitest';
import { archDumpVcpuInfo } from '../../../../engine/hv/xen/arm/debug-keys/gic.ts';
import { GIC_IRQ_GUEST_VISIBLE } from '../../../../engine/hv/xen/arm/pending-irq.ts';
import { capture } from '../../../support/captures.ts';
import { accessesFrom, virtualAccesses } from '../../../support/gic-traces.ts';
import { VgicRig } from '../../../support/vgic-rig.ts';

/** Those of a CPU; reads of VMCR and of active priorities are not in the traces of GICv3. */
function made(rig: VgicRig, cpu = 0): string[] {
  return rig
    .takeAccesses()
    .filter((access) => access.startsWith(`${cpu} `) && !/ICH_(VMCR|AP\dR0)_EL2 read/.test(access))
    .map((access) => access.slice(2));
}

/** A virtual CPU that is asleep, its list registers as they are left. */
function asleep(rig: VgicRig, lrs: readonly string[]): void {
  const { gic } = rig.v(0);
  rig.switchTo(null);
  for (const [n, lr] of lrs.entries()) {
    gic.lrHigh[n] = Number.parseInt(lr.slice(0, -8) || '0', 16) | 0;
    gic.lrLow[n] = Number.parseInt(lr.slice(-8), 16) | 0;
  }
  rig.takeAccesses();
}

test('GICv2, a level SPI for a dom0 that sleeps', () => {
  const rig = new VgicRig({ hw: [36], vcpus: 2, cpus: 2 });
  rig.enable([36]);
  asleep(rig, ['8a009024', '0a000001', '0a00001b', '0a000000']);
  expect(rig.physical(36)).toBe('queued');
  expect(made(rig)).toEqual([]);
  rig.switchTo(0);
  rig.leave();
  expect(rig.ack()).toBe(36);
  rig.enter(); // to send an IPI to its other CPU
  rig.leave();
  rig.eoi(36);
  expect(rig.takeLog()).toContain('deactivate 36');
  expect(rig.ack()).toBe(1023);
  rig.enter(); // WFI
  expect(rig.vgic.gic.vcpuPendingIrq(rig.cpus[0]!)).toBe(false);
  rig.switchTo(null);
  const real = virtualAccesses('gicv2-level36-dom0', 1);
  expect(made(rig)).toEqual(accessesFrom(real, 'GICH_LR0 write 8a009024', 26));
});

test('GICv2, the timer fires once more while its interrupt is active', () => {
  const rig = new VgicRig({ vcpus: 2 });
  rig.enable([27]);
  rig.switchTo(1);
  const stale = ['1a00001b', '0a00001b', '0a00001b', '00000000'];
  for (const [n, lr] of stale.entries()) rig.v(0).gic.lrLow[n] = Number.parseInt(lr, 16);
  // it is pending in its list register since before it was switched from
  const p = rig.v(0).pending[27]!;
  p.insertInflight(rig.v(0).queues);
  p.status |= GIC_IRQ_GUEST_VISIBLE;
  rig.v(0).lrMask = 1;
  for (const [n, lr] of ['0a00001b', '0a000001', '0a000001', '00000000'].entries()) {
    rig.cpus[0]!.hw.core.writeLr(
      n,
      ((Number.parseInt(lr, 16) & 0x0f80_0000) >>> 4) | 0,
      Number.parseInt(lr, 16) & 0x3ff,
    );
  }
  rig.takeAccesses();
  rig.switchTo(0);
  rig.leave();
  expect(rig.ack()).toBe(27);
  rig.enter();
  expect(rig.inject(27)).toBe('queued');
  rig.leave();
  rig.eoi(27);
  expect(rig.ack()).toBe(27);
  rig.eoi(27);
  expect(rig.ack()).toBe(1023);
  const real = virtualAccesses('gicv2-vtimer-pend+active', 1);
  expect(made(rig)).toEqual(accessesFrom(real, 'GICH_LR0 read a00001b', 24));
});

test('GICv3, a level and an edge SPI for a dom0 that sleeps, and once more the level one', () => {
  const rig = new VgicRig({ version: 3, hw: [36, 79], vcpus: 2, cpus: 2 });
  rig.enable([36, 79]);
  asleep(rig, ['10a0000000000001', '30a0004f0000004f', '30a0004f0000004f', '0000000000000000']);
  rig.physical(36);
  rig.physical(79);
  rig.switchTo(0);
  rig.leave();
  expect(rig.ack()).toBe(36);
  rig.enter();
  rig.leave();
  rig.eoi(36);
  expect(rig.ack()).toBe(79);
  rig.eoi(79);
  rig.enter();
  rig.switchTo(null);
  rig.physical(36);
  rig.switchTo(0);
  rig.leave();
  expect(rig.ack()).toBe(36);
  rig.enter();
  rig.leave();
  rig.eoi(36);
  rig.enter();
  rig.switchTo(null);
  const real = virtualAccesses('gicv3-level36-edge79-dom0', 0);
  expect(made(rig)).toEqual(accessesFrom(real, 'ICH_VMCR_EL2 write f04c000a', 45));
});

test('GICv3, four list registers full, a fifth interrupt waits and UIE is asked for', () => {
  const rig = new VgicRig({ version: 3, hw: [36, 78, 79] });
  rig.enable([1, 27, 36, 78, 79]);
  rig.physical(36);
  rig.switchTo(null);
  const stale = ['70a0002400000024', ...new Array<string>(3).fill('30a0004f0000004f')];
  asleep(rig, stale);
  rig.inject(1);
  rig.physical(78);
  rig.physical(79);
  rig.inject(27);
  rig.switchTo(0);
  rig.leave();
  expect(rig.waiting()).toEqual([27]);
  rig.enter();
  rig.switchTo(null);
  const real = virtualAccesses('gicv3-LRfull-UIE', 3);
  expect(made(rig)).toEqual(accessesFrom(real, 'ICH_VMCR_EL2 write f04c000a', 22));
  // two are in use at the least: there is no maintenance interrupt
  expect(rig.takeLog().filter((line) => line.startsWith('maintenance'))).toEqual([]);
});

test('GICv3, a SPI for a domU while it runs', () => {
  const rig = new VgicRig({ version: 3, hw: [34] });
  rig.enable([34, 27]);
  rig.inject(27);
  rig.leave();
  rig.ack();
  rig.enter();
  rig.takeAccesses();
  rig.physical(34);
  expect(made(rig)).toEqual(['ICH_LR1_EL2 write 70a0002200000022']);
});

test("the debug key q's list registers and lists of dom0", () => {
  const rig = new VgicRig({ version: 3, hw: [36, 79], vcpus: 2, cpus: 2 });
  rig.enable([27, 36, 79]);
  rig.enable([27], 1);
  const { hw } = rig.cpus[0]!;
  hw.core.writeLr(3, 0x30a0_004f, 0x4f);
  // virtual CPU 1 has had three interrupts at once, then its timer's alone
  rig.enable([1, 2], 1);
  for (const irq of [2, 1, 27]) rig.inject(irq, 1, 1);
  for (const irq of [2, 1, 27]) {
    expect(rig.ack(1)).toBe(irq);
    rig.eoi(irq, 1);
  }
  rig.enter(1);
  rig.inject(27, 1, 1);
  rig.ack(1);
  rig.eoi(27, 1);
  rig.enter(1);
  rig.switchTo(null, 1);
  rig.physical(36);
  rig.physical(79);
  rig.inject(27);
  rig.v(0).lrMask = 1; // as it was when its CPU was switched last
  rig.inject(27, 0, 1);
  const real = capture('xen-arm64/xen-gicv3-pt.debug-key-q.txt')
    .split('\n')
    .map((line) => line.replace(/^\(XEN\) \[[ \d.]+\] /, ''));
  for (const v of [0, 1]) {
    const at = real.indexOf(`GICH_LRs (vcpu ${v}) mask=${1 - v}`);
    const lines = archDumpVcpuInfo(rig.v(v), hw, rig.cpus[0]!);
    expect(lines).toEqual(real.slice(at, at + lines.length));
    expect(real[at + lines.length]).toBe('No periodic timer');
  }
});
