/**
 * What stands behind the devices of a virtual machine: the process or kernel thread that does their work. A device
 * says `kick` when its guest has put something in a queue; whoever plays the thread then calls `process(queue)` of the
 * device, which hands out each piece of work, and later tells the device that it is done.
 */
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { Stream } from '../../core/rng.ts';
import type { Part, Plain } from '../../core/state.ts';

export interface BlockRequest {
  readonly kind: 'read' | 'write' | 'flush';
  readonly sectors: number;
}

export interface BlockBackend {
  kick(queue: number): void;
  /** Work of the queue; `complete(queue, tag)` of the device is called when it is done. */
  start(queue: number, tag: number, request: BlockRequest): void;
}

/** A device whose requests a backend does. */
export interface BlockDevice {
  /** Hands every request that waits in the queue to the backend. */
  process(queue: number): void;
  complete(queue: number, tag: number): void;
}

export interface PacketBackend {
  kick(queue: number): void;
  /** A packet leaves. */
  transmit(queue: number, packet: number): void;
}

interface Running {
  readonly queue: number;
  readonly tag: number;
  readonly due: Ns;
}

/** A disk of its own behind a block device: requests are taken at once, each takes its time, several at a time. */
export class TimedBackend implements BlockBackend, Part {
  readonly id: string;
  private device: BlockDevice | undefined;
  private running: Running[] = [];
  private readonly task: Task;

  /** @param service least and mean extra time of a request in ns */
  constructor(
    name: string,
    private readonly clock: Clock,
    private readonly rng: Stream,
    private readonly service: { readonly least: Ns; readonly extra: Ns },
  ) {
    this.id = `backend.${name}`;
    this.task = clock.task(`${this.id}.request`, Priority.outside, () => this.finish());
  }

  attach(device: BlockDevice): void {
    this.device = device;
  }

  kick(queue: number): void {
    this.device!.process(queue);
  }

  start(queue: number, tag: number): void {
    const due = this.clock.now + this.service.least + Math.round(this.rng.exponential(this.service.extra));
    let at = this.running.length;
    while (at > 0 && this.running[at - 1]!.due > due) at--;
    this.running.splice(at, 0, { queue, tag, due });
    if (at === 0) this.task.at(due);
  }

  private finish(): void {
    const { queue, tag } = this.running.shift()!;
    if (this.running.length > 0) this.task.at(this.running[0]!.due);
    this.device!.complete(queue, tag);
  }

  save(): Plain {
    return this.running.map((r) => [r.queue, r.tag, r.due]);
  }

  restore(state: Plain): void {
    this.running = (state as [number, number, number][]).map(([queue, tag, due]) => ({ queue, tag, due }));
  }
}
