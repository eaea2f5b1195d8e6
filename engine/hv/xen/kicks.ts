/**
 * Telling virtual CPUs that there is something for them (vcpu_kick, vcpu_unblock), and which raise each message, wake-up
 * and upcall is made for.
 */
import type { Books } from '../../core/books.ts';
import type { Clock, Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Trace, Tracepoint } from '../../core/trace.ts';
import type { PcpuWiring } from '../hypervisor.ts';
import type { Pcpu } from '../pcpu.ts';
import type { Vcpu } from '../vcpu.ts';
import type { Schedule } from './schedule.ts';
import { BY_IPI } from './softirq.ts';

/** What vcpu_kick found: the virtual CPU asleep, waiting for a CPU, running on this one, running on another. */
export const KICK_ASLEEP = 0;
export const KICK_QUEUED = 1;
export const KICK_HERE = 2;
export const KICK_ELSEWHERE = 3;

export interface KickHost {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly books: Books;
  readonly wiring: PcpuWiring;
  readonly sched: Schedule;
  /** what the trace says of the time */
  readonly stamp: Ns;
  /** Another CPU, where a virtual CPU runs, is told to look. */
  tellElsewhere(cpu: Pcpu): void;
}

export class Kicks implements Part {
  readonly id = 'xen.kicks';
  /** kicks of running virtual CPUs and wake-ups make no IPIs before the guests run */
  private running = false;
  /** by virtual CPU: the journey whose event asks for its next upcall */
  private events: number[];
  /** by virtual CPU: the journey that it was woken for; 0 once it runs */
  private woken: number[];
  /** by CPU: the journey that its event-check IPI was sent for; 0: for none */
  private checked: number[];
  /** softirqs are raised on behalf of the raise that is carried on */
  private telling = false;
  private readonly tpKick: Tracepoint;
  private readonly tpWake: Tracepoint;
  private readonly tpRaiseSoftirq: Tracepoint;
  private readonly tpEventCheck: Tracepoint;

  constructor(
    private readonly host: KickHost,
    cpus: number,
    vcpus: number,
  ) {
    const { trace } = host;
    this.events = Array.from({ length: vcpus }, () => 0);
    this.woken = Array.from({ length: vcpus }, () => 0);
    this.checked = Array.from({ length: cpus }, () => 0);
    this.tpKick = trace.point('vcpu_kick', 'dom', 'vcpu', 'cpu', 'how');
    this.tpWake = trace.point('vcpu_wake', 'dom', 'vcpu');
    this.tpRaiseSoftirq = trace.point('cpu_raise_softirq', 'cpu', 'nr', 'how');
    this.tpEventCheck = trace.point('event_check_interrupt');
  }

  /** The guests run. */
  start(): void {
    this.running = true;
  }

  // what its next upcall is made for

  /** The current raise is what the virtual CPU will be told of. */
  pending(v: Vcpu): void {
    this.events[v.index] = this.host.books.journey;
  }

  pendingFor(v: Vcpu): number {
    return this.events[v.index]!;
  }

  /** It is told now. */
  takePending(v: Vcpu): number {
    const journey = this.events[v.index]!;
    this.events[v.index] = 0;
    return journey;
  }

  // waking it

  /** vcpu_kick: asleep it is woken; on another CPU, even if it is about to leave it, that CPU is told. */
  kick(v: Vcpu): void {
    if (!this.running) return;
    const { trace, stamp, books, wiring } = this.host;
    const onCpu = v.state === 'running';
    const here = v.cpu === wiring.here;
    const off = v.blocked ? KICK_ASLEEP : KICK_QUEUED;
    const how = onCpu ? (here ? KICK_HERE : KICK_ELSEWHERE) : off;
    trace.emit(this.tpKick, stamp, books.journey, this.hereCpu, v.domain, v.vcpu, v.cpu.cpu, how);
    this.unblock(v);
    if (how !== KICK_ELSEWHERE) return;
    this.telling = true;
    this.host.tellElsewhere(v.cpu);
    this.telling = false;
  }

  /** vcpu_unblock; one that waits for an answer goes on waiting. */
  unblock(v: Vcpu): void {
    if (!v.blocked || v.blockedInXen) return;
    const { trace, stamp, books, sched } = this.host;
    this.woken[v.index] = books.journey;
    trace.emit(this.tpWake, stamp, books.journey, this.hereCpu, v.domain, v.vcpu);
    this.telling = true;
    sched.unblock(v);
    this.telling = false;
  }

  wokenBy(next: Vcpu): number {
    const journey = this.woken[next.index]!;
    this.woken[next.index] = 0;
    return journey;
  }

  // messages to other CPUs

  /** cpu_raise_softirq has told a CPU. */
  told(cpu: Pcpu, nr: number, how: number): void {
    if (!this.telling) return;
    const { trace, stamp, books } = this.host;
    if (how === BY_IPI) this.checked[cpu.cpu] = books.journey;
    trace.emit(this.tpRaiseSoftirq, stamp, books.journey, this.hereCpu, cpu.cpu, nr, how);
  }

  /** event_check_interrupt: what it is about is looked at on the way out. */
  eventChecked(cpu: Pcpu): void {
    const journey = this.checked[cpu.cpu]!;
    this.checked[cpu.cpu] = 0;
    // the virtual CPU may have looked up by itself meanwhile
    if (journey === 0 || !this.events.includes(journey)) return;
    this.host.trace.emit(this.tpEventCheck, cpu.time, journey, cpu.cpu);
  }

  private get hereCpu(): number {
    const { here } = this.host.wiring;
    return here ? here.cpu : -1;
  }

  save(): Plain {
    const { running, events, woken, checked } = this;
    return { running, events: [...events], woken: [...woken], checked: [...checked] };
  }

  restore(state: Plain): void {
    const s = state as { running: boolean; events: number[]; woken: number[]; checked: number[] };
    this.running = s.running;
    this.events = [...s.events];
    this.woken = [...s.woken];
    this.checked = [...s.checked];
  }
}
