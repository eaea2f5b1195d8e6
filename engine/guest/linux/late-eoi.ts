/**
 * Late EOI (drivers/xen/events/events_base.c, since the fixes for XSA-332): a backend's event channel stays
 * masked until its driver has looked at the request. Where that finds nothing to do the event was spurious;
 * from the second one in a row on the channel is let through only after a delay, twice as long each time,
 * one second at most. And where one upcall lasts longer than two ticks, every event handled from then on is
 * held back for ten.
 */
import type { Plain } from '../../core/state.ts';
import { EOI_PENDING, type EventIrqs, type EventsHost, type IrqInfo } from './evtchn.ts';

/** module parameters event_loop_timeout and event_eoi_delay, in jiffies */
const EVENT_LOOP_TIMEOUT = 2;
const EVENT_EOI_DELAY = 10;
/** the time is looked at every so many events */
const CHECK_EVERY = 256;

export class LateEoi {
  /** per CPU: number of upcalls, to tell whether an EOI comes from within the upcall of its event */
  private readonly epochs: number[];
  /** per CPU: when the upcall must not last longer, events handled, and whether EOIs are held back */
  private readonly loops: { timeout: number; count: number; defer: boolean }[];
  /** per CPU: ports waiting, earliest first */
  private readonly waiting: number[][];

  constructor(
    private readonly host: EventsHost,
    private readonly events: EventIrqs,
  ) {
    this.epochs = new Array(host.cpuCount).fill(0);
    this.loops = Array.from({ length: host.cpuCount }, () => ({ timeout: 0, count: 0, defer: false }));
    this.waiting = Array.from({ length: host.cpuCount }, () => []);
  }

  /** handle_irq_for_port: the delay of an event that comes late in a long upcall. */
  begin(info: IrqInfo, cpu: number): void {
    const loop = this.loops[cpu]!;
    if (loop.count === 0) loop.timeout = this.host.jiffies() + EVENT_LOOP_TIMEOUT;
    if (++loop.count % CHECK_EVERY === 0 && !loop.defer) loop.defer = this.host.jiffies() > loop.timeout;
    if (!loop.defer) return;
    info.eoiCpu = cpu;
    info.epoch = this.epochs[cpu]!;
    info.eoiTime = this.host.jiffies() + EVENT_EOI_DELAY;
  }

  endUpcall(cpu: number): void {
    const loop = this.loops[cpu]!;
    loop.count = 0;
    loop.defer = false;
    this.epochs[cpu]!++;
  }

  /** xen_irq_lateeoi. */
  eoi(port: number, spurious: boolean, cpu: number): void {
    const info = this.events.infos[port];
    if (!info || !this.events.isLate(info.desc) || this.isWaiting(port)) return;
    let delay = 0;
    if (spurious) {
      const hz = this.host.profile.hz;
      if (1 << info.spurious < hz << 2 && info.spurious < 0xff) info.spurious++;
      if (info.spurious > 1) {
        delay = Math.min(1 << (info.spurious - 2), hz);
        if (info.eoiTime === 0) info.eoiCpu = cpu;
        info.eoiTime = this.host.jiffies() + delay;
      }
    } else info.spurious = 0;
    if (info.eoiTime !== 0 && (info.epoch === this.epochs[info.eoiCpu]! || delay > 0)) {
      this.add(info);
      return;
    }
    this.finish(info, cpu);
  }

  /** xen_irq_lateeoi_worker: lets through whatever is due on this CPU. */
  worker(cpu: number): void {
    const list = this.waiting[cpu]!;
    const now = this.host.jiffies();
    while (list.length > 0) {
      const info = this.events.infos[list[0]!]!;
      if (now < info.eoiTime) {
        this.host.delayEoi(cpu, info.eoiTime - now);
        return;
      }
      list.shift();
      this.finish(info, cpu);
    }
  }

  isWaiting(port: number): boolean {
    return this.waiting.some((list) => list.includes(port));
  }

  private finish(info: IrqInfo, cpu: number): void {
    info.eoiTime = 0;
    info.active = false;
    this.events.unmask(info, EOI_PENDING, cpu);
  }

  private add(info: IrqInfo): void {
    const list = this.waiting[info.eoiCpu]!;
    let at = list.length;
    while (at > 0 && this.events.infos[list[at - 1]!]!.eoiTime > info.eoiTime) at--;
    list.splice(at, 0, info.port);
    if (at === 0) this.host.delayEoi(info.eoiCpu, Math.max(1, info.eoiTime - this.host.jiffies()));
  }

  save(): Plain {
    return { epochs: this.epochs, loops: this.loops.map((l) => ({ ...l })), waiting: this.waiting };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      epochs: number[];
      loops: { timeout: number; count: number; defer: boolean }[];
      waiting: number[][];
    };
    for (let cpu = 0; cpu < this.epochs.length; cpu++) {
      this.epochs[cpu] = s.epochs[cpu]!;
      this.loops[cpu] = { ...s.loops[cpu]! };
      this.waiting[cpu] = [...s.waiting[cpu]!];
    }
  }
}
