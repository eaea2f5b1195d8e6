/**
 * What an exception saves on Xen's stack (struct cpu_user_regs of asm-arm/arm64/processor.h, the entry and entry_guest
 * macros of arm64/entry.S), as far as the machine has it: a guest's code is not instructions here, so that registers hold
 * what those that leave the guest put there.
 */
import type { Plain } from '../../../core/state.ts';

/** SPSR_EL2: EL1 with its own stack pointer; AArch32's supervisor mode */
const MODE_EL1H = 5;
const MODE_SVC = 0x13;
/** PSTATE.I, and D, A and F, which Linux leaves clear */
const PSR_I = 0x80;

export class UserRegs {
  /** X0 to X30, low and high halves */
  readonly x = new Uint32Array(62);
  /** ESR_EL2 */
  hsr = 0;
  /** SPSR_EL2 */
  cpsr = 0;
  /** the address of a data abort (HPFAR_EL2 and FAR_EL2) */
  far = 0;

  /** SPSR_EL2 of the guest as it was. */
  fromGuest(irqsMasked: boolean, compat: boolean, hsr: number): void {
    this.cpsr = (compat ? MODE_SVC : MODE_EL1H) | (irqsMasked ? PSR_I : 0);
    this.hsr = hsr;
  }

  setX(n: number, low: number, high = 0): void {
    this.x[2 * n] = low;
    this.x[2 * n + 1] = high;
  }

  save(): Plain {
    return [Array.from(this.x), this.hsr, this.cpsr, this.far];
  }

  restore(state: Plain): void {
    const [x, hsr, cpsr, far] = state as [number[], number, number, number];
    this.x.set(x);
    this.hsr = hsr;
    this.cpsr = cpsr;
    this.far = far;
  }
}
