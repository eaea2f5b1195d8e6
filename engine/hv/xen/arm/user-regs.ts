/**
 * What an exception saves on Xen's stack (struct cpu_user_regs of asm-arm/arm64/processor.h, the entry and entry_guest
 * macros of arm64/entry.S), as far as the machine has it: a guest's code is not instructions here, so that registers hold
 * what those that leave the guest put there. Of an AArch32 guest the banked SPSRs are saved, and the upper halves of its
 * registers are clear.
 */
import type { Plain } from '../../../core/state.ts';

/** SPSR_EL2.M: EL1 and EL2 with their own stack pointer; AArch32's supervisor mode */
const MODE_EL1H = 5;
export const MODE_EL2H = 9;
const MODE_SVC = 0x13;
export const PSR_MODE = 0x1f;
/** PSTATE.I, with which arm64 Linux masks FIQ; D and A it leaves clear */
const PSR_I = 0x80;
const PSR_F = 0x40;

/** PSTATE of a kernel that runs. */
export function pstate(irqsMasked: boolean, compat: boolean): number {
  if (compat) return MODE_SVC | (irqsMasked ? PSR_I : 0);
  return MODE_EL1H | (irqsMasked ? PSR_I | PSR_F : 0);
}

export class UserRegs {
  /** X0 to X30, low and high halves */
  readonly x = new Uint32Array(62);
  /** ESR_EL2 */
  hsr = 0;
  /** SPSR_EL2 */
  cpsr = 0;
  /** SPSR_EL1, which is SPSR_svc; AArch32's others */
  spsrEl1 = 0;
  spsrIrq = 0;
  spsrAbt = 0;
  spsrUnd = 0;
  spsrFiq = 0;
  /** of the last exception that the guest has taken with a syndrome */
  esrEl1 = 0;

  /** SPSR_EL2 of the guest as it was. */
  fromGuest(irqsMasked: boolean, compat: boolean, hsr: number): void {
    this.cpsr = pstate(irqsMasked, compat);
    this.hsr = hsr;
  }

  /** The guest takes an interrupt of its own while PSTATE.I is clear. */
  takesIrq(compat: boolean): void {
    if (compat) this.spsrIrq = MODE_SVC;
    else this.spsrEl1 = MODE_EL1H;
  }

  /** The guest takes an SError. */
  takesSerror(compat: boolean, irqsMasked: boolean, syndrome: number): void {
    const before = pstate(irqsMasked, compat);
    if (compat) this.spsrAbt = before;
    else this.spsrEl1 = before;
    this.esrEl1 = syndrome;
  }

  setX(n: number, low: number, high = 0): void {
    this.x[2 * n] = low;
    this.x[2 * n + 1] = high;
  }

  save(): Plain {
    const { hsr, cpsr, spsrEl1, spsrIrq, spsrAbt, spsrUnd, spsrFiq, esrEl1 } = this;
    return [Array.from(this.x), [hsr, cpsr, spsrEl1, spsrIrq, spsrAbt, spsrUnd, spsrFiq, esrEl1]];
  }

  restore(state: Plain): void {
    const [x, rest] = state as [number[], [number, number, number, number, number, number, number, number]];
    this.x.set(x);
    [this.hsr, this.cpsr, this.spsrEl1, this.spsrIrq] = rest;
    [, , , , this.spsrAbt, this.spsrUnd, this.spsrFiq, this.esrEl1] = rest;
  }
}
