/**
 * Softirqs of Xen, in the order they run (xen/include/xen/softirq.h, asm-x86/softirq.h), and raising one on
 * another CPU, which sends it an event-check IPI.
 */
import type { Clock, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import { timing } from '../../timing.ts';
import type { Pcpu, PcpuWiring } from '../pcpu.ts';

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

export type XenProfile = keyof typeof SOFTIRQS;

/** Number of a softirq that both profiles have. */
export function softirqNumber(profile: XenProfile, name: 'TIMER' | 'SCHEDULE'): number {
  return (SOFTIRQS[profile] as readonly string[]).indexOf(name);
}

/** Xen's own vectors (asm-x86/irq-vectors.h, the same on 3.4 and 4.17). */
export const APIC_TIMER_VECTOR = 0xfa;
export const EVENT_CHECK_VECTOR = 0xfc;

/** Event-check IPIs: each CPU can have one on its way and one pending. */
export class EventCheck {
  private readonly flights: Task[];

  constructor(
    clock: Clock,
    private readonly wiring: PcpuWiring,
  ) {
    this.flights = wiring.cpus.map((cpu) =>
      clock.task(`cpu${cpu.cpu}.event_check`, Priority.hardware, () => {
        cpu.lapic.accept(EVENT_CHECK_VECTOR);
      }),
    );
  }

  /** smp_send_event_check_cpu: the other CPU enters Xen and looks at what is pending. */
  send(cpu: Pcpu): void {
    const flight = this.flights[cpu.cpu]!;
    if (flight.queued) return;
    const { here } = this.wiring;
    flight.at((here ?? cpu).time + timing.ipiFlight);
  }

  /** cpu_raise_softirq. */
  raiseSoftirq(cpu: Pcpu, nr: number): void {
    if (cpu.softirqPending(nr)) return;
    cpu.raiseSoftirq(nr);
    if (this.wiring.here !== cpu) this.send(cpu);
  }
}
