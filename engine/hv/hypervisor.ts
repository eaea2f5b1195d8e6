/** What a hypervisor does on its CPUs (pcpu.ts), and what these share. */
import type { Clock, Ns } from '../core/clock.ts';
import type { Trace } from '../core/trace.ts';
import type { Pcpu } from './pcpu.ts';
import type { Vcpu } from './vcpu.ts';

/** What interrupts a CPU: its local APIC, or its interface of the GIC. */
export interface InterruptLine {
  /** what it would take now; -1 for nothing */
  deliverable(): number;
  /** It goes through its gate: the vector that the local APIC names, or the entry of the vector table. */
  ack(): number;
}

/** What the hypervisor does on a CPU; one object for all CPUs. */
export interface Hypervisor {
  /** The processor has acknowledged an interrupt; the answer is the time from Xen's gate to its effect. */
  acknowledged(cpu: Pcpu, vector: number): Ns;
  /** The interrupt's effect, with the guest stopped; again, if it has said that it goes on. */
  interrupt(cpu: Pcpu, vector: number): void;
  /** A non-maskable interrupt, with the guest stopped. */
  nmi(cpu: Pcpu): void;
  /** A machine check, with the guest stopped; where processors have such. */
  machineCheck?(cpu: Pcpu): void;
  /** The CPU, which waited for others within a step (`hold`), goes on. */
  released?(cpu: Pcpu): void;
  /** The journey that a virtual CPU which now gets a CPU was woken for; 0: none. Asked once. */
  wokenBy(next: Vcpu): number;
  /** Runs one softirq. */
  softirq(cpu: Pcpu, nr: number): void;
}

/** What a CPU's ways cost. */
export interface PcpuCosts {
  /** from a guest or the idle loop to the hypervisor's gate, registers saved */
  readonly irqEntry: Ns;
  /** out of the idle loop */
  readonly idleWake: Ns;
  /** between two virtual CPUs, and to or from the idle loop */
  readonly contextSwitch: Ns;
  readonly idleSwitch: Ns;
}

/** What all CPUs of a host share. */
export interface PcpuWiring {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly hypervisor: Hypervisor;
  /** all CPUs and virtual CPUs by index, filled while building */
  readonly cpus: Pcpu[];
  readonly vcpus: Vcpu[];
  readonly costs: PcpuCosts;
  /** an idle CPU keeps the registers of who ran last (lazy switch) */
  readonly lazy: boolean;
  /** the CPU whose step runs; null outside */
  here: Pcpu | null;
}
