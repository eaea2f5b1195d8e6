/**
 * Late EOI (drivers/xen/events/events_base.c, since the fixes for XSA-332): the event channel of a split driver
 * stays masked until the driver has looked at the ring. Where that finds nothing to do the event was spurious;
 * from the second one in a row on the channel is let through only after a delay. Each further one would double
 * it, up to one second; but the worker that ends a delay does so by an EOI that is not spurious, so the count
 * starts anew and every other spurious event is held back for one tick.
 *
 * And where one upcall goes on and on, the events handled from then on are held back for ten ticks.
 */
import type { Plain } from '../../core/state.ts';
import type { EventPorts } from './evtchn-ports.ts';
import { EOI_PENDING, type EventsHost, type IrqInfo } from './irq-info.ts';

/** module parameters event_loop_timeout and event_eoi_delay, in jiffies */
const EVENT_LOOP_TIMEOUT = 2;
const EVENT_EOI_DELAY = 10;
/** the time is looked at every so many events, and runs from the first look */
const CHECK_EVERY = 256;
/** spurious events in a row that have no consequences (spurious_threshold) */
const THRESHOLD = 1;

/** struct evtchn_loop_ctrl: one upcall. */
interface Loop {
  /** jiffies; 0: not set yet */
  timeout: number;
  count: number;
  defer: boolean;
}

export class LateEoi {
  /** per CPU: number of upcalls, to tell whether an EOI comes from within the upcall of its event */
  private readonly epochs: number[];
  private readonly loops: Loop[];
  /** per CPU: ports waiting, earliest first */
  private readonly waiting: number[][];

  constructor(
    private readonly host: EventsHost,
    private readonly events: EventPorts,
  ) {
    this.epochs = new Array(host.cpuCount).fill(0);
    this.loops = Array.from({ length: host.cpuCount }, () => ({ timeout: 0, count: 0, defer: false }));
    this.waiting = Array.from({ length: host.cpuCount }, () => []);
  }

  /** handle_irq_for_port: the delay of an event that comes late in a long upcall. */
  begin(info: IrqInfo, cpu: number): void {
    // the older trees know no late EOI but that of /dev/xen/evtchn
    if (this.host.profile.maskWhileHandled) return;
    const loop = this.loops[cpu]!;
    if (!loop.defer && ++loop.count % CHECK_EVERY === 0) this.checkTime(loop);
    if (!loop.defer) return;
    info.eoiCpu = cpu;
    info.epoch = this.epochs[cpu]!;
    info.eoiTime = this.host.jiffies() + EVENT_EOI_DELAY;
  }

  private checkTime(loop: Loop): void {
    const now = this.host.jiffies();
    if (loop.timeout === 0) loop.timeout = now + EVENT_LOOP_TIMEOUT;
    else loop.defer = now > loop.timeout;
  }

  endUpcall(cpu: number): void {
    const loop = this.loops[cpu]!;
    loop.timeout = 0;
    loop.count = 0;
    loop.defer = false;
    // an EOI from now on does not come from within the upcall
    this.epochs[cpu]!++;
  }

  /** xen_irq_lateeoi. */
  eoi(port: number, spurious: boolean, cpu: number): void {
    const info = this.events.infos[port];
    if (!info || !this.events.isLate(info.desc) || this.isWaiting(port)) return;
    let delay = 0;
    if (spurious) {
      const { hz } = this.host.profile;
      if (1 << info.spurious < hz << 2) info.spurious++;
      if (info.spurious > THRESHOLD) {
        delay = Math.min(1 << (info.spurious - 1 - THRESHOLD), hz);
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
      const info = this.events.infos[list[0]!];
      if (info && now < info.eoiTime) {
        this.host.delayEoi(cpu, info.eoiTime - now);
        return;
      }
      list.shift();
      if (!info) continue; // closed meanwhile
      info.spurious = 0;
      this.finish(info, cpu);
    }
  }

  /** The port is closed (xen_free_irq): nothing waits for it any more. */
  forget(port: number): void {
    for (const list of this.waiting) {
      const at = list.indexOf(port);
      if (at >= 0) list.splice(at, 1);
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
    while (at > 0 && (this.events.infos[list[at - 1]!]?.eoiTime ?? 0) > info.eoiTime) at--;
    list.splice(at, 0, info.port);
    if (at === 0) this.host.delayEoi(info.eoiCpu, Math.max(1, info.eoiTime - this.host.jiffies()));
  }

  save(): Plain {
    return { epochs: this.epochs, loops: this.loops.map((l) => ({ ...l })), waiting: this.waiting };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      epochs: number[];
      loops: Loop[];
      waiting: number[][];
    };
    for (let cpu = 0; cpu < this.epochs.length; cpu++) {
      this.epochs[cpu] = s.epochs[cpu]!;
      this.loops[cpu] = { ...s.loops[cpu]! };
      this.waiting[cpu] = [...s.waiting[cpu]!];
    }
  }
}
