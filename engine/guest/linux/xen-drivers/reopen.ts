/**
 * A driver that closes a channel and has others opened at once: two channels within the domain itself (EVTCHNOP_alloc_unbound and
 * EVTCHNOP_bind_interdomain for DOMID_SELF), of which one notifies the first virtual CPU, the other the last, where its thread
 * runs. Each end keeps its interrupt, and gets a new channel for it (rebind_evtchn_irq).
 */
import { type Ns, us } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { LinuxCpu } from '../entry.ts';
import type { IrqDesc, Work } from '../irq-core.ts';
import type { Thread } from '../threads.ts';
import type { KernelTimer } from '../time.ts';
import type { XenGuest } from '../xen-side.ts';

const QUIET: Work = { cost: () => timing.shortHandler, run: () => {} };
/** between two hypercalls; and until there is a page for event words, whether one is needed or not */
const CALL: Ns = us(2);
const ALLOCATE: Ns = us(20);

/** What its thread does next. */
const IDLE = 0;
const CLOSE = 1;
const BIND_LAST = 2;
const SETUP_LAST = 3;
const BIND_FIRST = 4;
const SETUP_FIRST = 5;

export class Reopener implements Part {
  readonly id: string;
  private step = IDLE;
  /** the port that Xen has given, not yet set up */
  private port = 0;
  private readonly first: IrqDesc;
  private readonly last: IrqDesc;
  /** the ends that it sends on, for others to bind to */
  private readonly ends: readonly [first: number, last: number];
  private readonly thread: Thread;

  constructor(
    private readonly kernel: XenGuest,
    from: Ns,
  ) {
    this.id = `${kernel.id}.reopen`;
    const { events, irqs } = kernel;
    const cpu = kernel.cpuCount - 1;
    const listen = () => {
      const desc = events.allocUnbound(kernel.init.domain, false);
      irqs.request(desc, { name: 'reopen-end', work: QUIET }, [cpu]);
      return desc.port;
    };
    this.ends = [listen(), listen()];
    this.last = events.reserve();
    irqs.request(this.last, { name: 'reopen-last', work: QUIET });
    this.first = events.bindInterdomain(kernel.init.domain, this.ends[0], false);
    irqs.request(this.first, { name: 'reopen-first', work: QUIET }, [0]);
    this.thread = kernel.thread('reopen', cpu, {
      cost: () => (this.step === SETUP_LAST || this.step === SETUP_FIRST ? ALLOCATE : CALL),
      run: (on) => this.run(on),
    });
    const timer: KernelTimer = kernel.time.timer(cpu, (on) => {
      this.step = CLOSE;
      kernel.wake(this.thread, on);
    });
    timer.expires = from;
    kernel.init.parts.add(this);
  }

  private run(on: LinuxCpu): boolean {
    const { events, init, log } = this.kernel;
    const calls = this.kernel.hypercalls(on.cpu);
    const bind = (end: number) => {
      this.port = calls.bindInterdomain(init.domain, end);
      if (this.port < 0) log.push(`reopen: EVTCHNOP_bind_interdomain failed with ${this.port}`);
    };
    switch (this.step) {
      case IDLE:
        return false;
      case CLOSE:
        // whoever this notifies has not looked yet
        calls.send(this.ends[0]);
        events.closePort(this.first, on.cpu);
        break;
      case BIND_LAST:
        bind(this.ends[1]);
        break;
      case SETUP_LAST:
        if (this.port > 0) events.rebindPort(this.last, this.port, on.cpu, on.cpu);
        break;
      case BIND_FIRST:
        bind(this.ends[0]);
        break;
      case SETUP_FIRST:
        if (this.port > 0) events.rebindPort(this.first, this.port, 0, on.cpu);
        this.step = IDLE;
        return false;
    }
    this.step++;
    return true;
  }

  save(): Plain {
    return [this.step, this.port];
  }

  restore(state: Plain): void {
    [this.step, this.port] = state as [number, number];
  }
}
