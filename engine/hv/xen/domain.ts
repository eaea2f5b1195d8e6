/** A domain as Xen keeps it: its virtual CPUs, what it shares with Xen, and where the books account for it. */
import { EVTCHN_FIFO_NR_CHANNELS, type GuestMemory, type SharedInfo } from '../../abi/xen.ts';
import type { Books, DestinationId, SlotId, SourceId } from '../../core/books.ts';
import type { Vcpu } from '../vcpu.ts';

export interface DomainInit {
  readonly id: number;
  readonly vcpus: readonly Vcpu[];
  readonly shared: SharedInfo;
  readonly memory: GuestMemory;
  /** dom0: may touch the hardware and other domains */
  readonly privileged: boolean;
  /** pirqs it may have; 16 for one without hardware */
  readonly nrPirqs: number;
  /** highest event channel */
  readonly maxPort: number;
}

export class Domain {
  readonly id: number;
  readonly vcpus: readonly Vcpu[];
  readonly shared: SharedInfo;
  readonly memory: GuestMemory;
  private readonly slots: SlotId;
  private readonly destinations: DestinationId[] = [];
  private readonly sources: SourceId[] = [];

  constructor(
    readonly init: DomainInit,
    private readonly books: Books,
  ) {
    this.id = init.id;
    this.vcpus = init.vcpus;
    this.shared = init.shared;
    this.memory = init.memory;
    // all at once: who looks at a port reserves nothing
    this.slots = books.addSlots(Math.min(init.maxPort + 1, EVTCHN_FIFO_NR_CHANNELS));
  }

  /** Where the books keep what is pending on a port. */
  slot(port: number): SlotId {
    return this.slots + port;
  }

  /** The port as a destination of raises. */
  destination(port: number): DestinationId {
    this.destinations[port] ??= this.books.destinationOf(`dom${this.id}:${port}`);
    return this.destinations[port]!;
  }

  /** The port as a source: its owner sends on it. */
  source(port: number): SourceId {
    this.sources[port] ??= this.books.sourceOf(`dom${this.id}:${port}`);
    return this.sources[port]!;
  }
}
