/** What comes over a host from outside of its GIC: stores that fail, of guests and of Xen, and interrupts signalled as FIQ. */
import { DOMID_XEN } from '../../../abi/xen.ts';
import type { Books } from '../../../core/books.ts';
import type { Clock } from '../../../core/clock.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { ArmVcpu } from './arm-vcpu.ts';
import type { HostHardware } from './host-hardware.ts';
import type { Traps } from './traps.ts';

export interface FaultHost {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly books: Books;
  readonly hardware: HostHardware;
  readonly traps: Traps;
}

/** Each is a journey of its own, in nobody's account; that is the answer. */
export class Faults {
  private readonly tpStore: Tracepoint;
  private readonly tpFiq: Tracepoint;

  constructor(private readonly host: FaultHost) {
    this.tpStore = host.trace.point('store_fails', 'dom');
    this.tpFiq = host.trace.point('fiq', 'cpu');
  }

  /** A store of the guest's fails. */
  guestStore(v: ArmVcpu): number {
    const journey = this.begin(this.tpStore, v.domain);
    v.makeStoreFail(journey);
    return journey;
  }

  /** One of Xen's own does, on this CPU: now if that idles, else when Xen next has it. */
  xenStore(cpu: Pcpu): number {
    const { traps } = this.host;
    const journey = this.begin(this.tpStore, DOMID_XEN);
    traps.failing[cpu.cpu] = journey;
    if (cpu.idle) traps.storeFails(cpu);
    return journey;
  }

  /** The secure side of the GIC signals an interrupt of group 0. */
  fiq(cpu: Pcpu): number {
    const journey = this.begin(this.tpFiq, cpu.cpu);
    this.host.hardware.signals.raiseFiq(cpu.cpu, journey);
    return journey;
  }

  private begin(point: Tracepoint, whose: number): number {
    const { books, trace, clock } = this.host;
    const journey = books.beside();
    trace.emit(point, clock.now, journey, -1, whose);
    return journey;
  }
}
