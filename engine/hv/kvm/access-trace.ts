/**
 * What tracepoints tell of an instruction that KVM emulates (arch/x86/kvm/trace.h, include/trace/events/kvm.h), behind
 * the exit: only who follows the trace is told.
 */
import { wide } from '../../core/bits.ts';
import type { Tracepoint } from '../../core/trace.ts';
import type { Kvm } from './kvm.ts';
import type { KvmVcpu } from './vcpu.ts';

/** Of kvm_mmio: a read that KVM leaves to user space, one that is answered, a write. */
export const MMIO_READ_UNSATISFIED = 0;
export const MMIO_READ = 1;
export const MMIO_WRITE = 2;

/** of an access: what it is, above its width */
const KIND = 1 << 8;

/** of an access to an MSR that ended with #GP */
const MSR_GP = 2;

export class AccessTrace {
  constructor(
    private readonly kvm: Kvm,
    private readonly v: KvmVcpu,
  ) {}

  pio(write: boolean, port: number, width: number, value: number): void {
    this.emit(this.kvm.points.pio, port, (write ? KIND : 0) | width, value);
  }

  mmio(type: number, address: number, width: number, value: number): void {
    this.emit(this.kvm.points.mmio, address, type * KIND + width, value);
  }

  /** @param offset in its page */
  apic(write: boolean, offset: number, low: number, high = 0): void {
    this.emit(this.kvm.points.apic, Number(write), offset, wide(low, high));
  }

  /** @param fine without #GP */
  msr(write: boolean, msr: number, low: number, high: number, fine: boolean): void {
    this.emit(this.kvm.points.msr, Number(write) + (fine ? 0 : MSR_GP), msr, wide(low, high));
  }

  /** A store that only signals an event. */
  fastMmio(address: number): void {
    this.emit(this.kvm.points.fastMmio, address);
  }

  /** On the way to user space, which has floating-point registers of its own. */
  toUser(reason: number): void {
    this.emit(this.kvm.points.fpu, 0);
    this.emit(this.kvm.points.userspaceExit, reason);
  }

  fromUser(): void {
    this.emit(this.kvm.points.fpu, 1);
  }

  private emit(point: Tracepoint, a: number, b = 0, c = 0): void {
    const { kvm, v } = this;
    if (kvm.trace.detailed) v.emit(point, a, b, c);
  }
}
