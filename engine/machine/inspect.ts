/**
 * The machine at one moment, as plain data: what the monitor draws, `--json` prints and tests compare.
 * Taking one has no effect on the machine.
 */
import type { Account } from '../core/books.ts';
import type { Interrupts, IrqRow, Softirqs, Stat } from '../proc/types.ts';

export interface Snapshot {
  readonly scenario: string;
  readonly title: string;
  /** e.g. `Xen 4.17 x86_64` */
  readonly system: string;
  readonly seed: number;
  /** virtual nanoseconds since boot */
  readonly time: number;
  /** events simulated so far */
  readonly events: number;
  readonly cpus: readonly CpuSnapshot[];
  readonly domains: readonly DomainSnapshot[];
  readonly devices: readonly DeviceSnapshot[];
  /** the interrupt fired last by the user, hop by hop; null before the first */
  readonly lastFired: JourneySnapshot | null;
  readonly books: readonly Account[];
  /** sums over the run */
  readonly totals: { readonly interrupts: number; readonly upcalls: number };
}

/** A physical CPU. */
export interface CpuSnapshot {
  readonly cpu: number;
  /** who runs: e.g. `dom1.0`; null when idle */
  readonly running: string | null;
  readonly mode: 'guest' | 'xen' | 'idle';
  /** nanoseconds since boot spent in guests, in the hypervisor and idle; they add up to the time */
  readonly guestNs: number;
  readonly xenNs: number;
  readonly idleNs: number;
}

export interface DomainSnapshot {
  readonly id: number;
  /** as the toolstack names it: `Domain-0` is `dom0` here */
  readonly name: string;
  /** e.g. `PV dom0, Linux 6.1` */
  readonly kind: string;
  readonly vcpus: readonly VcpuSnapshot[];
  readonly interrupts: Interrupts;
  /** beside each row of `interrupts.rows`, by the same index */
  readonly irqStates: readonly IrqState[];
  readonly softirqs: Softirqs;
  /** /proc/stat; where it is missing, `statOf` puts it together from the rest */
  readonly stat?: Stat;
  /** what its kernel complained of */
  readonly messages?: readonly string[];
  /** event channels in use, by port; empty where the domain has none */
  readonly channels: readonly ChannelSnapshot[];
}

export interface VcpuSnapshot {
  readonly vcpu: number;
  readonly state: 'running' | 'runnable' | 'blocked' | 'offline';
  /** the physical CPU it runs on or ran on last */
  readonly cpu: number;
  readonly runNs: number;
  readonly upcallPending: boolean;
  readonly upcallMask: boolean;
  /** upcalls taken since boot */
  readonly upcalls: number;
}

/** What /proc/interrupts does not tell about a row. */
export interface IrqState {
  readonly row: IrqRow;
  readonly pending: boolean;
  readonly masked: boolean;
  /** being handled now */
  readonly active: boolean;
  /** event channel; null where there is none */
  readonly port: number | null;
}

export interface ChannelSnapshot {
  readonly port: number;
  readonly kind: 'unbound' | 'interdomain' | 'pirq' | 'virq' | 'ipi';
  /** vCPU that is notified */
  readonly vcpu: number;
  readonly pending: boolean;
  readonly masked: boolean;
  /** e.g. `dom1:15`, `virq 0`, `pirq 12 (irq 24)` */
  readonly peer: string;
}

/** Something that can be fired. */
export interface DeviceSnapshot {
  /** the key, a digit */
  readonly key: string;
  /** as `--fire` takes it */
  readonly name: string;
  /** e.g. `i8042 keyboard` */
  readonly title: string;
  /** times fired by the user */
  readonly fired: number;
}

export interface JourneySnapshot {
  readonly journey: number;
  readonly device: string;
  /** virtual time of the raise */
  readonly start: number;
  readonly hops: readonly HopSnapshot[];
  /** raise to the end of its last handler in ns; null while under way */
  readonly latency: number | null;
}

export interface HopSnapshot {
  /** ns since the raise */
  readonly at: number;
  /** physical CPU, -1 outside */
  readonly cpu: number;
  /** short text: `port 31 pending`, `do_IRQ vec b8` */
  readonly text: string;
  /** a handler ran here */
  readonly end: boolean;
}
