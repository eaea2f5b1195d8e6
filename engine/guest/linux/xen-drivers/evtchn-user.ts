/**
 * /dev/xen/evtchn (drivers/xen/evtchn.c) and the daemons behind it: a process that sleeps until one of its
 * channels fires. The interrupt only queues the port and wakes the process; the channel is masked until the
 * process has written the port back: by late EOI, or before 5.10 by disable_irq and enable_irq.
 */

import type { Ns } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { LinuxCpu } from '../entry.ts';

import type { IrqDesc } from '../irq-core.ts';
import { EXPLICIT } from '../irq-info.ts';
import type { Thread } from '../threads.ts';
import type { XenGuest } from '../xen-side.ts';

export class EvtchnUser implements Part {
  readonly id: string;
  private readonly thread: Thread;
  private readonly onEvent = new Map<number, (cpu: LinuxCpu) => void>();
  /** ports that fired and have not been read, in order */
  private ring: number[] = [];

  /**
   * @param cost CPU time to serve one event
   * @param instance tells processes of one name apart
   */
  constructor(
    private readonly kernel: XenGuest,
    readonly name: string,
    cpu: number,
    cost: Ns,
    instance = '',
  ) {
    this.id = `${kernel.id}.${name}${instance}`;
    this.thread = kernel.thread(name, cpu, {
      cost: () => cost,
      run: (on) => this.serve(on),
    });
    kernel.init.parts.add(this);
  }

  /** Binds a channel to the process; the row is named after it. */
  bind(desc: IrqDesc, cpus: readonly number[], onEvent: (cpu: LinuxCpu) => void): void {
    this.onEvent.set(desc.port, onEvent);
    const { port } = desc;
    const { events } = this.kernel;
    const work = {
      cost: () => timing.shortHandler,
      run: (cpu: LinuxCpu) => {
        if (!events.isLate(desc)) events.mask(events.infos[port]!, EXPLICIT);
        this.ring.push(port);
        this.kernel.wake(this.thread, cpu);
      },
    };
    this.kernel.irqs.request(desc, { name: `evtchn:${this.name}`, work }, cpus);
  }

  private serve(cpu: LinuxCpu): boolean {
    const port = this.ring.shift();
    if (port === undefined) return false;
    this.onEvent.get(port)!(cpu);
    this.letThrough(port, cpu.cpu);
    return this.ring.length > 0;
  }

  /** evtchn_write. */
  private letThrough(port: number, cpu: number): void {
    const { events } = this.kernel;
    const info = events.infos[port]!;
    if (events.isLate(info.desc)) events.late.eoi(port, false, cpu);
    else events.unmask(info, EXPLICIT, cpu);
  }

  save(): Plain {
    return this.ring;
  }

  restore(state: Plain): void {
    this.ring = [...(state as number[])];
  }
}
