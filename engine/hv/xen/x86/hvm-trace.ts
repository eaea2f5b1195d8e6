/**
 * What Xen traces of an instruction that it emulates for an HVM guest, behind the exit (hvmtrace_io_assist of
 * hvm/emulate.c, HVMTRACE of hvm.c and vmx.c): only who follows the trace is told.
 */
import { wide } from '../../../core/bits.ts';
import type { Tracepoint } from '../../../core/trace.ts';
import type { HvmVcpu } from './hvm-vcpu.ts';
import type { HvmHost } from './vmexit.ts';

/** p2m_type_t of what an EPT violation was about */
export const P2M_MMIO_DM = 4;
export const P2M_POPULATE_ON_DEMAND = 6;

/** of an access: to memory rather than a port; a read */
export const IO_MEMORY = 1;
export const IO_READ = 2;

export class HvmTrace {
  constructor(
    private readonly xen: HvmHost,
    private readonly v: HvmVcpu,
  ) {}

  /** @param kind IO_MEMORY and IO_READ */
  io(kind: number, address: number, data: number): void {
    this.tell(this.xen.points.io, kind, address, data);
  }

  msr(write: boolean, msr: number, low: number, high: number): void {
    this.tell(this.xen.points.msr, Number(write), msr, wide(low, high));
  }

  /** vmx_handle_eoi_write */
  eoiWrite(): void {
    this.tell(this.xen.points.eoiWrite);
  }

  nestedPageFault(address: number, qualification: number, type: number): void {
    this.tell(this.xen.points.nestedPageFault, address, qualification, type);
  }

  hypercall(op: number, command: number): void {
    this.tell(this.xen.points.hypercall, op, command);
  }

  private tell(point: Tracepoint, a = 0, b = 0, c = 0): void {
    const { xen, v } = this;
    // kernels are booted before the guests run
    if (xen.trace.detailed && v.state !== 'offline') xen.emit(v, point, a, b, c);
  }
}
