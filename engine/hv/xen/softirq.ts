/**
 * Softirqs of Xen, in the order they run (xen/include/xen/softirq.h, asm-x86/softirq.h), and raising one on
 * another CPU (xen/common/softirq.c), which sends it an event-check IPI unless it waits in mwait.
 */
import type { Clock, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import { timing } from '../../timing.ts';
import type { PcpuWiring } from '../hypervisor.ts';
import type { Pcpu } from '../pcpu.ts';

export const SOFTIRQS = {
  '3.4': [
    'TIMER',
    'SCHEDULE',
    'NEW_TLBFLUSH_CLOCK_PERIOD',
    'PAGE_SCRUB',
    'RCU',
    'STOPMACHINE',
    'TASKLET',
    'NMI_MCE',
    'TIME_CALIBRATE',
    'VCPU_KICK',
    'MACHINE_CHECK',
  ],
  '4.17': [
    'TIMER',
    'RCU',
    'SCHED_SLAVE',
    'SCHEDULE',
    'NEW_TLBFLUSH_CLOCK_PERIOD',
    'TASKLET',
    'NMI',
    'TIME_CALIBRATE',
    'VCPU_KICK',
    'MACHINE_CHECK',
    'HVM_DPCI',
  ],
} as const;

/** Of 4.17's those that every architecture has: on ARM there are no others. */
export const COMMON_SOFTIRQS = 6;

export type XenProfile = keyof typeof SOFTIRQS;

/** Number of a softirq that both profiles have. */
export function softirqNumber(
  profile: XenProfile,
  name: 'TIMER' | 'SCHEDULE' | 'TASKLET' | 'TIME_CALIBRATE' | 'VCPU_KICK' | 'MACHINE_CHECK' | 'HVM_DPCI',
): number {
  return (SOFTIRQS[profile] as readonly string[]).indexOf(name);
}

/** Xen's own vectors (asm-x86/mach-default/irq_vectors.h). */
export const APIC_TIMER_VECTOR = { '3.4': 0xf9, '4.17': 0xfa } as const;
export const CALL_FUNCTION_VECTOR = 0xfb;
export const EVENT_CHECK_VECTOR = 0xfc;

/** How a CPU is told that a softirq was raised on it; the last: it is the one that raises it. */
export const BY_IPI = 0;
export const BY_MWAIT = 1;
export const BY_ITSELF = 2;

/** Event-check IPIs: each CPU can have one on its way and one pending. */
export class EventCheck {
  /** IPIs sent, and those saved because the CPU monitored its softirq word */
  sent = 0;
  skipped = 0;
  private readonly flights: Task[];

  /**
   * @param mwait idle CPUs monitor their pending softirqs (arch_skip_send_event_check, since 4.0)
   * @param interrupt the IPI of a CPU arrives at another
   * @param told a CPU is told of a softirq, by IPI, by the store that it monitors, or not at all as it is this one
   */
  constructor(
    private readonly clock: Clock,
    private readonly wiring: PcpuWiring,
    private readonly mwait: boolean,
    private readonly interrupt: (cpu: Pcpu, from: number) => void,
    private readonly told: (cpu: Pcpu, nr: number, how: number) => void = () => {},
  ) {
    this.flights = wiring.cpus.map((cpu) =>
      clock.task(`cpu${cpu.cpu}.event_check`, Priority.hardware, (how, from) => {
        if (how === BY_MWAIT) cpu.mwaitWakeup();
        else this.interrupt(cpu, from);
      }),
    );
  }

  /** cpu_raise_softirq; what was raised before and has not run yet needs no message. */
  raiseSoftirq(cpu: Pcpu, nr: number): void {
    if (cpu.softirqPending(nr)) return;
    cpu.raiseSoftirq(nr);
    const { here } = this.wiring;
    if (here === cpu) {
      this.told(cpu, nr, BY_ITSELF);
      return;
    }
    if (this.mwait && cpu.inMwait) {
      this.skipped++;
      this.told(cpu, nr, BY_MWAIT);
      const flight = this.flights[cpu.cpu]!;
      const leaves = here ? here.time : this.clock.now;
      if (!flight.queued) flight.at(leaves + timing.mwaitStore, BY_MWAIT, 0);
      return;
    }
    this.told(cpu, nr, BY_IPI);
    this.send(cpu);
  }

  /** smp_send_event_check_cpu */
  send(cpu: Pcpu): void {
    const { here } = this.wiring;
    this.sent++;
    const flight = this.flights[cpu.cpu]!;
    const leaves = here ? here.time : this.clock.now;
    if (!flight.queued) flight.at(leaves + timing.ipiFlight, BY_IPI, here ? here.cpu : 0);
  }

  save(): [number, number] {
    return [this.sent, this.skipped];
  }

  restore([sent, skipped]: readonly [number, number]): void {
    this.sent = sent;
    this.skipped = skipped;
  }
}
