/** A virtual CPU's list registers and lists, for who looks on. */
import { upperHalf } from '../../../hw/arm/gich.ts';
import {
  GICH_LR_VIRTUAL_ID,
  LR_GROUP1,
  LR_HW,
  LR_PINTID,
  LR_PRIORITY,
  LR_STATES,
} from '../../../hw/arm/virtual-regs.ts';
import type { GicCpu, GicHw } from './gic-hw.ts';
import { GIC_IRQ_GUEST_QUEUED, type PendingIrq } from './pending-irq.ts';
import type { GicVersion, VgicVcpu } from './vgic-domain.ts';

export type LrValue = readonly [high: number, low: number];

export interface ListRegister {
  readonly lr: number;
  /** as software reads it: 8 or 16 digits */
  readonly value: string;
  readonly state: (typeof LR_STATES)[number];
  readonly virq: number;
  /** the physical interrupt its EOI deactivates; null: none */
  readonly pirq: number | null;
  readonly priority: number;
  readonly group: 0 | 1;
  /** Xen counts it as used. One that is not holds what is left of an earlier interrupt. */
  readonly used: boolean;
}

export interface VcpuInterrupts {
  readonly vcpu: number;
  /** the registers are those of the CPU it runs on; else they are as they were when it was switched from */
  readonly live: boolean;
  /** only of the CPU it runs on */
  readonly hcr: number | null;
  readonly vmcr: number;
  readonly ap0: number;
  readonly ap1: number;
  readonly lrMask: number;
  readonly lrs: readonly ListRegister[];
  /** in flight, the most urgent first, and the list register of each; null: none */
  readonly inflight: readonly { readonly irq: number; readonly lr: number | null }[];
  /** of those: waiting for a list register */
  readonly waiting: readonly number[];
  /** raised while they were disabled, and no longer in flight: enabling them brings nothing, the next raise does */
  readonly leftQueued: readonly number[];
}

/**
 * @param hw the machine's virtual interface
 * @param here the CPU it runs on; null: none
 */
export function inspectVcpu(v: VgicVcpu, hw: GicHw, here: GicCpu | null): VcpuInterrupts {
  const { vmcr, ap0, ap1 } = here ? here.hw.core : v.gic;
  const lrMask = here ? here.lrMask : v.lrMask;
  return {
    vcpu: v.id,
    live: here !== null,
    hcr: here ? here.hw.core.hcr : null,
    vmcr,
    ap0,
    ap1,
    lrMask,
    lrs: Array.from({ length: hw.nrLrs }, (_, lr) => {
      const value = here ? here.hw.peekLr(lr) : savedLr(v, lr);
      return decode(hw.version, lr, value, ((lrMask >>> lr) & 1) === 1);
    }),
    inflight: v.inflight().map(({ irq, lr }) => ({ irq, lr: lr < hw.nrLrs ? lr : null })),
    waiting: v.lrPending().map(({ irq }) => irq),
    leftQueued: leftQueued(v),
  };
}

/** GIC_IRQ_GUEST_QUEUED of what is on no list. */
function leftQueued(v: VgicVcpu): number[] {
  const left = (p: PendingIrq) => (p.status & GIC_IRQ_GUEST_QUEUED) !== 0 && !p.inflight;
  const { domain } = v;
  const shared = domain.spis.filter((p) => left(p) && domain.target(v, p.irq) === v);
  return [...v.pending.filter(left), ...shared].map(({ irq }) => irq);
}

/** A list register as it was saved, bits 63-32 and 31-0. */
export function savedLr(v: VgicVcpu, lr: number): LrValue {
  return [v.gic.lrHigh[lr]! >>> 0, v.gic.lrLow[lr]! >>> 0];
}

function decode(version: GicVersion, lr: number, [high, low]: LrValue, used: boolean): ListRegister {
  const upper = version === 2 ? upperHalf(low | 0) : high;
  return {
    lr,
    value: version === 2 ? hex8(low) : hex8(high) + hex8(low),
    state: LR_STATES[(upper >>> 30) as 0 | 1 | 2 | 3],
    virq: version === 2 ? GICH_LR_VIRTUAL_ID.get(low) : low,
    pirq: upper & LR_HW ? LR_PINTID.get(upper) : null,
    priority: LR_PRIORITY.get(upper),
    group: upper & LR_GROUP1 ? 1 : 0,
    used,
  };
}

function hex8(value: number): string {
  return value.toString(16).padStart(8, '0');
}
