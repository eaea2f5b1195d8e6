/**
 * Every cost in one table, in nanoseconds of virtual time, each with where it comes from.
 *
 * Sources: [dall] is Dall et al., "ARM Virtualization: Performance and Architectural Implications", ISCA
 * 2016, table II, transcribed from memory; x86 ran at 2.1 GHz there. [sdm] is the Intel SDM. [est] is an
 * estimate of ours, chosen to be of the right order and to add up with the published sums.
 */
import type { Ns } from './core/clock.ts';

/** Nanoseconds of `n` cycles at the 2.1 GHz of [dall]. */
function cycles(n: number): Ns {
  return Math.round(n / 2.1);
}

export const timing = {
  /** an interrupt message from a device or IOAPIC to a local APIC over the bus [est] */
  apicMessage: 200,
  /** an inter-processor interrupt from ICR write to the request at the other side [est] */
  ipiFlight: 500,
  /** the processor takes an interrupt and enters Xen's gate, registers saved [est] */
  irqEntry: 350,
  /** Xen's do_IRQ up to the guest's or the own action: descriptor, ack [est] */
  doIrq: 250,
  /** __do_IRQ_guest for one bound guest [est] */
  doIrqGuest: 120,
  /** evtchn_set_pending: bits, selector or queue, kick [est] */
  evtchnSetPending: 100,
  /** Xen's own timer interrupt handler and the timer softirq for one timer [est] */
  xenTimer: 400,
  /** event-check interrupt: ack and return [est] */
  eventCheck: 150,
  /** return to a guest or the idle loop [est] */
  xenExit: 150,
  /** a bounce frame for the upcall is made on the guest's stack [est] */
  bounceFrame: 180,
  /** a hypercall that does nothing, there and back [dall], Hypercall, Xen x86 */
  hypercall: cycles(1_228),
  /** switching to another virtual CPU: credit, registers, address space [dall], VM switch, Xen x86 halves it */
  contextSwitch: cycles(2_400),
  /** an idle processor leaves mwait [est] */
  idleWake: 900,
  /** the guest's upcall entry: registers, irq_enter, irq stack [est] */
  upcallEntry: 220,
  /** finding one port in the bitmaps or queues and its descriptor [est] */
  eventScan: 60,
  /** irq_exit and the way back without softirqs [est] */
  upcallExit: 150,
  /** entry of one softirq handler [est] */
  softirqEntry: 120,
  /** switch to another thread in the guest [est] */
  threadSwitch: 900,
  /** the guest's timer interrupt: clock event, run queues, timers [est] */
  tickHandler: 1_800,
  /** a handler that only acknowledges or wakes someone [est] */
  shortHandler: 600,
} as const;
