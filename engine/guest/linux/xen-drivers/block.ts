/**
 * The split block driver (drivers/block/xen-blkfront.c, drivers/block/xen-blkback): one ring of each end. The
 * frontend puts requests, the backend's thread hands them to the real disk and answers as they complete, in
 * whatever order.
 *
 * A pvops backend asks to be notified as soon as it has taken all requests. Those of the older trees look for
 * new ones with each answer instead, and ask only when the last one is given: a busy frontend notifies less.
 */
import { BackRing, FrontRing, type SharedRing } from '../../../abi/ring.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { Thread } from '../threads.ts';
import type { XenGuest } from '../xen-side.ts';

const REQUEST = { front: 1_200, back: 2_500 } as const;

export class BlkFront implements Part {
  readonly id: string;
  port = 0;
  private readonly ring: FrontRing;
  /** requests that found the ring full */
  private waiting: number[] = [];
  completed = 0;
  /** who is told of a finished request */
  complete: (cpu: LinuxCpu, tag: number) => void = () => {};

  constructor(
    private readonly kernel: XenGuest,
    name: string,
    shared: SharedRing,
  ) {
    this.id = `${kernel.id}.blkfront.${name}`;
    this.ring = kernel.init.parts.add(new FrontRing(shared));
    kernel.init.parts.add(this);
  }

  /** blkif_queue_rq. */
  submit(cpu: LinuxCpu, tag: number): void {
    if (this.ring.full) {
      this.waiting.push(tag);
      return;
    }
    this.ring.request(tag);
    this.flush(cpu);
  }

  /** blkif_interrupt. */
  readonly interrupt: Work = {
    cost: () => REQUEST.front * (1 + this.ring.waiting),
    run: (cpu) => {
      let spurious = true;
      do {
        while (this.ring.waiting > 0) {
          spurious = false;
          this.completed++;
          this.complete(cpu, this.ring.response());
        }
      } while (this.ring.finalCheck());
      while (this.waiting.length > 0 && !this.ring.full) this.ring.request(this.waiting.shift()!);
      this.flush(cpu);
      this.kernel.events.late.eoi(this.port, spurious, cpu.cpu);
    },
  };

  private flush(cpu: LinuxCpu): void {
    if (this.ring.push()) this.kernel.hypercalls(cpu.cpu).send(this.port);
  }

  save(): Plain {
    return [this.waiting, this.completed];
  }

  restore(state: Plain): void {
    const [waiting, completed] = state as [number[], number];
    this.waiting = [...waiting];
    this.completed = completed;
  }
}

/** The real disk as the backend uses it. */
export interface Disk {
  /** Starts a request; `complete` of the owner is called with the tag when it is done. */
  submit(cpu: LinuxCpu, owner: number, tag: number): void;
  /** Makes an owner of requests. */
  owner(complete: (cpu: LinuxCpu, tag: number) => void): number;
}

export class BlkBack implements Part {
  readonly id: string;
  port = 0;
  private readonly ring: BackRing;
  private readonly thread: Thread;
  private readonly owner: number;
  private readonly asksAtTheEnd: boolean;
  private eoiPending = false;
  /** requests handed to the disk */
  requests = 0;

  constructor(
    private readonly kernel: XenGuest,
    name: string,
    shared: SharedRing,
    threadCpu: number,
    private readonly disk: Disk,
  ) {
    this.id = `${kernel.id}.blkback.${name}`;
    this.asksAtTheEnd = kernel.profile.numbering === 'bindcount';
    this.ring = kernel.init.parts.add(new BackRing(shared));
    this.owner = disk.owner((cpu, tag) => this.done(cpu, tag));
    this.thread = kernel.thread(name, threadCpu, {
      cost: () => REQUEST.back * (1 + this.ring.waiting),
      run: (cpu) => this.schedule(cpu),
    });
    kernel.init.parts.add(this);
  }

  /** xen_blkif_be_int: wakes the ring's thread. */
  readonly interrupt: Work = {
    cost: () => REQUEST.back >> 1,
    run: (cpu) => {
      this.eoiPending = true;
      this.kernel.wake(this.thread, cpu);
    },
  };

  /** xen_blkif_schedule: hands every request to the disk. */
  private schedule(cpu: LinuxCpu): boolean {
    let any = false;
    while (this.ring.waiting > 0) {
      any = true;
      this.requests++;
      this.disk.submit(cpu, this.owner, this.ring.request());
    }
    if (!this.asksAtTheEnd && this.ring.finalCheck()) return true;
    if (this.eoiPending) {
      this.eoiPending = false;
      this.kernel.events.late.eoi(this.port, !any, cpu.cpu);
    }
    return false;
  }

  /** make_response. */
  private done(cpu: LinuxCpu, tag: number): void {
    this.ring.response(tag);
    const notify = this.ring.push();
    if (this.asksAtTheEnd && this.moreRequests()) this.kernel.wake(this.thread, cpu);
    if (notify) this.kernel.hypercalls(cpu.cpu).send(this.port);
  }

  private moreRequests(): boolean {
    return this.ring.allAnswered ? this.ring.finalCheck() : this.ring.waiting > 0;
  }

  save(): Plain {
    return [this.eoiPending, this.requests];
  }

  restore(state: Plain): void {
    [this.eoiPending, this.requests] = state as [boolean, number];
  }
}
