/** What the records of a machine's trace are about, as plain data: beside the numbers, all that exports need. */
import type { Changing } from '../core/bits.ts';

export interface TraceHost {
  readonly kind: 'kvm' | 'xen-x86' | 'xen-arm' | 'imported';
  readonly scenario: string;
  readonly seed: number;
  /** e.g. `KVM on Linux 6.1 x86_64` */
  readonly system: string;
  /** physical CPUs */
  readonly cpus: number;
  /** tracepoints by the ids that records carry */
  readonly points: readonly { readonly name: string; readonly args: readonly string[] }[];
  /** by number: `dom0`, `vm1`; on KVM 0 is the host */
  readonly domains: readonly string[];
  /** virtual CPUs by the index that records carry */
  readonly vcpus: readonly TraceVcpu[];
  /** what the physical CPUs' scheduler switches between: threads of KVM's host, virtual CPUs of Xen, by their index */
  readonly tasks: readonly TraceTask[];
  /** of each physical CPU, when the trace begins: the task that has it; -1: it idles */
  readonly running: readonly number[];
  /** reasons of exits by their numbers; empty where there are none */
  readonly exits: readonly (readonly [reason: number, name: string])[];
  /** drivers of an interrupt of a domain's kernel, by its number now; empty: nobody's */
  action(domain: number, irq: number): string;
  /** what can be watched between its events */
  signals(): readonly TraceSignal[];
}

export interface TraceVcpu {
  /** `vm1.0` */
  readonly name: string;
  readonly domain: number;
  /** number within its domain */
  readonly vcpu: number;
  /** its task */
  readonly task: number;
  /** RUNSTATE_*, when the trace begins; 3, offline, where nobody keeps them */
  readonly runstate: number;
  /** leaves and enters its guest by VM exits and entries */
  readonly hvm: boolean;
}

export interface TraceTask {
  readonly pid: number;
  /** its process */
  readonly tgid: number;
  /** 15 characters at most */
  readonly comm: string;
}

/** What is said of a signal. A wire may be a number that people know in decimal digits; a name is one of these, by its place. */
interface SignalName {
  /** from the outside in: `vm1`, `vcpu0` */
  readonly scope: readonly string[];
  readonly name: string;
}

type NumberAbout =
  /** of 32 bits at most */
  | { readonly kind: 'wire'; readonly width: number; readonly decimal?: boolean }
  /** a counter; what is shown is how much it grows in a second */
  | { readonly kind: 'rate' }
  | { readonly kind: 'name'; readonly names: readonly string[] };

/** A set of small integers, `width` of them: what is shown is all of it, and its highest member, which 0 stands for if it is empty. */
interface SetAbout {
  readonly kind: 'set';
  readonly width: number;
}

export type SignalAbout = SignalName & (NumberAbout | SetAbout);

/** Something that has a value at any time; what it reads belongs to the machine and is looked at only. */
export type TraceSignal = SignalName & {
  /** who tells when it may have changed: of signals that follow each other the same list; rates are looked at by themselves */
  readonly of: readonly Changing[];
} & (
    | (NumberAbout & { readonly read: () => number })
    /** the words of the set, the lowest first */
    | (SetAbout & { readonly read: () => Uint32Array })
  );
