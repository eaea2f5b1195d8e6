/**
 * What the world outside may do to a machine, as plain data: keys, scripts, sockets and recordings all say the
 * same. A command takes effect between two events; the same commands at the same places make the same run.
 *
 * Domains go by their names in snapshots: `dom0`, `host`, `vm1`, `Xen`.
 */
import type { Ns } from '../core/clock.ts';

export type Command =
  /** one event of a device, or so many at once */
  | { readonly do: 'fire'; readonly device: string; readonly times?: number }
  /** Xen's interrupt hook */
  | { readonly do: 'hook'; readonly on: boolean }
  /**
   * What is behind a row of /proc/interrupts raises it, so often: the device of a physical or emulated interrupt, the other
   * end of an event channel. Rows of Xen go by vector, on ARM by INTID. Where each CPU has its own, that of `cpu`.
   */
  | {
      readonly do: 'raise';
      readonly domain: string;
      readonly irq: number | string;
      readonly cpu?: number;
      readonly times?: number;
    }
  /** a device fires by itself, so often in a second, until it is switched off */
  | { readonly do: 'storm'; readonly device: string; readonly on: boolean; readonly rate?: number }
  /** how often a running workload, or a storm by the name of its device, happens: in a second, or times what it was */
  | { readonly do: 'rate'; readonly source: string; readonly perSecond?: number; readonly factor?: number }
  /** disable_irq, enable_irq: by a module that a process of the domain loads */
  | { readonly do: 'mask'; readonly domain: string; readonly irq: number; readonly masked: boolean }
  /** a process of the domain writes /proc/irq/N/smp_affinity_list */
  | {
      readonly do: 'affinity';
      readonly domain: string;
      readonly irq: number;
      readonly cpus: readonly number[];
    }
  /** xen_set_irq_priority, 0 the most urgent: by a module that a process of the domain loads; FIFO event channels alone */
  | { readonly do: 'priority'; readonly domain: string; readonly irq: number; readonly priority: number }
  /**
   * A process of a machine of KVM writes HV_X64_MSR_SINT0 on a CPU, with AutoEOI or without: with it KVM inhibits APICv in
   * that machine
   */
  | { readonly do: 'autoeoi'; readonly domain: string; readonly vcpu: number; readonly on: boolean }
  /** memory.reclaim of a machine's control group: what the next interrupt of that virtual CPU touches is on the swap device */
  | { readonly do: 'reclaim'; readonly domain: string; readonly vcpu: number }
  /** smp_send_reschedule on one virtual CPU, to another */
  | { readonly do: 'ipi'; readonly domain: string; readonly from: number; readonly to: number }
  /** `xl trigger`, QEMU's `nmi`; of Xen and of a host at the physical CPU */
  | { readonly do: 'nmi'; readonly domain: string; readonly vcpu: number };

/** What came of a command. */
export interface Outcome {
  /** why nothing was done; absent: it was done */
  readonly refused?: string;
  /** the journey of the interrupt that it raised last; absent: it raised none */
  readonly journey?: number;
}

/** Between which two events something happened: so many have run, and time stood there. */
export interface Place {
  readonly events: number;
  readonly at: Ns;
}

/** A command and where it took effect. */
export interface Done extends Place {
  readonly command: Command;
}
