/** What Xen on ARM tells of itself and of its domains' virtual GICs, as snapshots. */
import { DOMID_XEN } from '../../abi/xen.ts';
import type { Arm64Kernel } from '../../guest/linux/arm64.ts';
import type { ArmVcpu } from '../../hv/xen/arm/arm-vcpu.ts';
import {
  type ArmIrqDesc,
  GIC_SGI_CALL_FUNCTION,
  GIC_SGI_DUMP_STATE,
  GIC_SGI_EVENT_CHECK,
} from '../../hv/xen/arm/irq.ts';
import type { XenArm } from '../../hv/xen/arm/xen.ts';
import { COMMON_SOFTIRQS, SOFTIRQS } from '../../hv/xen/softirq.ts';
import { PRIVATE, SGIS } from '../../hw/arm/gic-regs.ts';
import type { ArchRow } from '../../proc/types.ts';
import type {
  ArmSnapshot,
  ArmVcpuSnapshot,
  GicCpuSnapshot,
  GicSnapshot,
  XenArmSnapshot,
  XenIrqSnapshot,
} from '../inspect.ts';
import { latencySnapshot } from '../latency.ts';

// a domain

export function armSnapshot(
  xen: XenArm,
  vcpus: readonly ArmVcpu[],
  kernel: Arm64Kernel,
  arch: readonly ArchRow[],
): ArmSnapshot {
  return {
    version: xen.hardware.gic.version,
    vcpus: vcpus.map(
      (v): ArmVcpuSnapshot => ({
        ...xen.inspectVcpu(v),
        place: placeOf(v),
        irqsMasked: v.irqsMasked,
      }),
    ),
    names: handlers(kernel, arch),
  };
}

function placeOf(v: ArmVcpu): string {
  const cpu = `CPU${v.cpu.cpu}`;
  if (!v.online) return 'not brought up';
  if (v.state === 'blocked') return `blocked, last on ${cpu}`;
  if (v.state === 'running') return `running on ${cpu}, ${v.exited ? 'EL2' : 'EL1'}`;
  return `waits for ${cpu}`;
}

/** By INTID: who handles it. An SGI goes by its row of counts. */
function handlers({ irqs, gic }: Arm64Kernel, arch: readonly ArchRow[]): Record<number, string> {
  const names: Record<number, string> = {};
  for (const { hwirq, actions, ports } of irqs.all()) {
    if (hwirq === null || ports.length > 0 || actions.length === 0) continue;
    const ipi = hwirq < SGIS ? arch.find(({ label }) => label === `IPI${hwirq}`) : undefined;
    names[hwirq] = ipi ? `${ipi.label} ${ipi.text}` : gic.handlersOf(hwirq);
  }
  return names;
}

// Xen

/** @param driver what a domain calls the device behind one of its interrupts; empty: it has no driver */
export function xenArmSnapshot(
  xen: XenArm,
  driver: (domain: number, virq: number) => string,
): XenArmSnapshot {
  const ownerOf = (intid: number) => owner(intid, xen.irqs.descs[intid]!, driver);
  const { sent, skipped } = xen.eventCheck;
  return {
    id: DOMID_XEN,
    name: 'Xen',
    kind: `hypervisor ${xen.profile}`,
    irqs: irqsOf(xen, ownerOf),
    softirqs: SOFTIRQS[xen.profile].slice(0, COMMON_SOFTIRQS).map((name, nr) => ({
      name,
      counts: Array.from(xen.softirqCounts[nr]!),
      pending: xen.cpus.map((cpu) => cpu.softirqPending(nr)),
    })),
    eventChecks: { sent, skipped },
    latency: latencySnapshot(xen.irqs.latency, (intid) => ({ row: intid, name: ownerOf(intid) })),
    gic: gicOf(xen, ownerOf),
  };
}

/** enum gic_sgi */
const XEN_SGIS: Readonly<Record<number, string>> = {
  [GIC_SGI_EVENT_CHECK]: 'GIC_SGI_EVENT_CHECK',
  [GIC_SGI_DUMP_STATE]: 'GIC_SGI_DUMP_STATE',
  [GIC_SGI_CALL_FUNCTION]: 'GIC_SGI_CALL_FUNCTION',
};

function owner(
  intid: number,
  { guest, action }: ArmIrqDesc,
  driver: (domain: number, virq: number) => string,
): string {
  if (guest) {
    const { domain, virq } = guest;
    return `dom${domain.domain}:${virq} ${driver(domain.domain, virq)}`.trimEnd();
  }
  const name = intid < SGIS ? (XEN_SGIS[intid] ?? '') : action;
  return name === '' ? '' : `Xen ${name}`;
}

/** What has come, and what somebody waits for: of a guest's interrupts those that its kernel has switched on. */
function irqsOf(xen: XenArm, ownerOf: (intid: number) => string): XenIrqSnapshot[] {
  const { irqs } = xen;
  const { gic } = xen.hardware;
  const wanted = new Set(
    gic.inspect().flatMap(({ intid, enabled }) => (enabled && intid >= SGIS ? [intid] : [])),
  );
  return irqs.descs.flatMap(({ irq }): XenIrqSnapshot[] => {
    const counts = irqs.counts.map((row) => row[irq]!);
    if (!wanted.has(irq) && counts.every((n) => n === 0)) return [];
    return [{ intid: irq, what: whatIs(xen.hardware, irq), owner: ownerOf(irq), counts }];
  });
}

function whatIs({ gic }: XenArm['hardware'], intid: number): string {
  if (intid < SGIS) return 'SGI';
  return `${intid < PRIVATE ? 'PPI' : 'SPI'} ${gic.isEdge(intid) ? 'edge' : 'level'}`;
}

function gicOf(xen: XenArm, ownerOf: (intid: number) => string): GicSnapshot {
  const { gic } = xen.hardware;
  return {
    version: gic.version,
    cpus: xen.gicCpus.map(
      ({ cpu, lrMask, current, hw }): GicCpuSnapshot => ({
        ...gic.inspectCpu(cpu),
        cpu,
        vcpu: current && `dom${current.domain.domain}.${current.id}`,
        hcr: hw.core.hcr,
        misr: hw.core.misr,
        lrs: hw.nrLrs,
        lrMask,
        virq: hw.core.virq,
      }),
    ),
    interrupts: gic.inspect().map((irq) => ({ ...irq, owner: ownerOf(irq.intid) })),
  };
}
