/**
 * virtio over PCI (drivers/virtio/virtio_pci_modern.c, virtio_pci_common.c): the device is reset, features are agreed
 * on, queues get their rings and vectors. A queue's interrupt is vring_interrupt; with one line for all, the ISR
 * status tells whether it was this device. Notifying is a store to the queue's own address.
 */
import type { DmaMemory } from '../../../abi/dma.ts';
import { COMMON, ISR_CONFIG, LAYOUT, NO_VECTOR, STATUS, VERSION_1 } from '../../../abi/virtio.ts';
import { DriverQueue, VIRTIO_F_EVENT_IDX, Virtqueue } from '../../../abi/virtio-ring.ts';
import type { Ns } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { NativeKernel } from '../native.ts';
import { type Io, ioOf } from './io.ts';
import { MsixTable, PciConfig } from './pci.ts';

export interface VirtioPlace {
  readonly devfn: number;
  readonly memory: DmaMemory;
  /** the line of its pin; used when it has no MSI-X, or is told not to */
  readonly gsi: number;
  readonly msix?: boolean;
  /** its vectors have IRQ_DISABLE_UNLAZY */
  readonly unlazy?: boolean;
}

/** A queue as its driver asks for it. */
export interface QueueSpec {
  /** as its interrupt is called: `input.0`; null: it has none */
  readonly name: string | null;
  /** vring callback: used buffers wait */
  readonly callback: (cpu: LinuxCpu) => void;
  /** time of that, beyond a short handler's */
  readonly cost?: () => Ns;
  /** CPUs of its interrupt, which stays with them; any without */
  readonly cpus?: readonly number[];
}

/** descriptors of each queue */
const RING = 256;

export class VirtioTransport implements Part {
  readonly id: string;
  readonly queues: readonly DriverQueue[];
  private readonly rings: readonly Virtqueue[];
  private readonly addresses: readonly number[];
  /** physical address of the structures */
  private base = 0;
  private table: MsixTable | undefined;

  /** @param changed the configuration has changed */
  constructor(
    private readonly kernel: NativeKernel,
    readonly name: string,
    private readonly place: VirtioPlace,
    private readonly specs: readonly QueueSpec[],
    private readonly changed: (cpu: LinuxCpu) => void,
  ) {
    this.id = `${kernel.id}.${name}.pci`;
    const { parts } = kernel.init;
    parts.add(this);
    this.rings = specs.map((_, n) => parts.add(new Virtqueue(`${kernel.id}.${name}.${n}`, RING)));
    this.addresses = this.rings.map((ring) => place.memory.allocate(ring.bytes, ring));
    this.queues = this.rings.map((ring) => parts.add(new DriverQueue(ring, this.eventIdx)));
  }

  /** Kernels since 3.0 have event indices. */
  private get eventIdx(): boolean {
    return !this.kernel.old;
  }

  /** virtio_dev_probe up to DRIVER_OK. */
  probe(features: readonly number[]): void {
    const io = ioOf(this.kernel.cpus[0]!);
    const config = new PciConfig(io, this.place.devfn);
    config.enable();
    this.base = config.base(4);
    if (this.place.msix !== false) this.table = MsixTable.find(io, config);
    io.store(this.base + COMMON.deviceStatus, 0, 1);
    while (io.load(this.base + COMMON.deviceStatus, 1) !== 0);
    this.status(io, STATUS.acknowledge);
    this.status(io, STATUS.acknowledge | STATUS.driver);
    this.negotiate(io, features);
    if (this.table) this.findVqsMsix(io, this.table);
    else this.findVqsIntx(io);
    this.status(io, STATUS.acknowledge | STATUS.driver | STATUS.featuresOk | STATUS.driverOk);
  }

  private status(io: Io, status: number): void {
    io.store(this.base + COMMON.deviceStatus, status, 1);
  }

  private negotiate(io: Io, features: readonly number[]): void {
    const wanted = [VERSION_1, ...(this.eventIdx ? [VIRTIO_F_EVENT_IDX] : []), ...features];
    for (const select of [0, 1]) {
      io.store(this.base + COMMON.deviceFeatureSelect, select, 4);
      const offered = io.load(this.base + COMMON.deviceFeature, 4);
      const mine = wanted.reduce((word, bit) => (bit >> 5 === select ? word | (1 << (bit & 31)) : word), 0);
      io.store(this.base + COMMON.driverFeatureSelect, select, 4);
      io.store(this.base + COMMON.driverFeature, (offered & mine) >>> 0, 4);
    }
    this.status(io, STATUS.acknowledge | STATUS.driver | STATUS.featuresOk);
    io.load(this.base + COMMON.deviceStatus, 1);
  }

  // interrupts

  /** vp_find_vqs_msix, a vector for each queue that wants one. */
  private findVqsMsix(io: Io, table: MsixTable): void {
    const { controllers } = this.kernel;
    table.enable();
    const named = this.specs.filter((s) => s.name !== null);
    const descs = [undefined, ...named].map((spec, vector) =>
      controllers.allocMsi(
        this.place.devfn,
        vector,
        (address, data, masked, on) => table.compose(vector, address, data, masked, on && ioOf(on)),
        spec?.cpus,
      ),
    );
    // irq_set_status_flags
    for (const desc of descs) desc.unlazy = this.place.unlazy ?? false;
    controllers.request(descs[0]!, `${this.name}-config`, this.configInterrupt);
    io.store(this.base + COMMON.msixConfig, 0, 2);
    io.load(this.base + COMMON.msixConfig, 2);
    let vector = 1;
    this.specs.forEach((spec, n) => {
      if (spec.name === null) {
        this.setupVq(io, n, NO_VECTOR);
        return;
      }
      this.setupVq(io, n, vector);
      controllers.request(descs[vector]!, `${this.name}-${spec.name}`, this.queueInterrupt(n));
      vector++;
    });
  }

  /** vp_find_vqs_intx. */
  private findVqsIntx(io: Io): void {
    this.kernel.requestGsi(this.place.gsi, { level: true, name: this.name, work: this.lineInterrupt });
    for (let n = 0; n < this.specs.length; n++) this.setupVq(io, n, NO_VECTOR);
  }

  private setupVq(io: Io, n: number, vector: number): void {
    const at = (offset: number) => this.base + offset;
    io.store(at(COMMON.queueSelect), n, 2);
    io.load(at(COMMON.queueSize), 2);
    io.load(at(COMMON.queueEnable), 2);
    io.store(at(COMMON.queueSize), RING, 2);
    const descriptors = this.addresses[n]!;
    const available = descriptors + RING * 16;
    for (const [offset, address] of [
      [COMMON.queueDesc, descriptors],
      [COMMON.queueDriver, available],
      [COMMON.queueDevice, available + 8 + RING * 2],
    ] as const) {
      io.store(at(offset), address, 4);
      io.store(at(offset + 4), 0, 4);
    }
    io.load(at(COMMON.queueNotifyOff), 2);
    io.store(at(COMMON.queueMsixVector), vector, 2);
    io.load(at(COMMON.queueMsixVector), 2);
    io.store(at(COMMON.queueEnable), 1, 2);
  }

  /** vp_config_changed, by its own vector. */
  private readonly configInterrupt: Work = {
    cost: () => timing.shortHandler,
    run: (cpu) => this.changed(cpu),
  };

  private queueInterrupt(n: number): Work {
    const { cost } = this.specs[n]!;
    return {
      cost: () => timing.shortHandler + (cost ? cost() : 0),
      run: (cpu) => this.vringInterrupt(cpu, n),
    };
  }

  /** vp_interrupt: reading the ISR status acknowledges. Without a queue that has work it says "not mine". */
  private readonly lineInterrupt: Work = {
    cost: () => timing.shortHandler,
    run: (cpu) => {
      const isr = ioOf(cpu).load(this.base + LAYOUT.isr, 1);
      if (isr === 0) return false;
      if (isr & ISR_CONFIG) this.changed(cpu);
      let handled = false;
      for (let n = 0; n < this.specs.length; n++) if (this.vringInterrupt(cpu, n)) handled = true;
      return handled;
    },
  };

  private vringInterrupt(cpu: LinuxCpu, n: number): boolean {
    if (!this.queues[n]!.interrupted()) return false;
    this.specs[n]!.callback(cpu);
    return true;
  }

  // what drivers use

  /** virtqueue_kick. */
  kick(io: Io, n: number): void {
    if (this.queues[n]!.kickPrepare()) this.notify(io, n);
  }

  notify(io: Io, n: number): void {
    io.store(this.base + LAYOUT.notify + LAYOUT.multiplier * n, n, 2);
  }

  /** virtio_cread. */
  readConfig(io: Io, offset: number, width: 1 | 2 | 4): number {
    return io.load(this.base + LAYOUT.device + offset, width);
  }

  /** A used buffer; undefined when there is none. */
  take(n: number): number | undefined {
    const queue = this.queues[n]!;
    const head = queue.take();
    return head < 0 ? undefined : queue.content(head);
  }

  save(): Plain {
    return this.table ? this.table.save() : null;
  }

  restore(state: Plain): void {
    this.table?.restore(state);
  }
}

/** CPUs of the n-th of `groups` groups, as irq_create_affinity_masks spreads them. */
export function spread(cpus: number, groups: number, n: number): number[] {
  const each = Array.from({ length: cpus }, (_, cpu) => cpu);
  return each.filter((cpu) => groupOf(cpus, groups, cpu) === n);
}

/** The group that a CPU is in: as even as it goes, the first groups the larger ones. */
export function groupOf(cpus: number, groups: number, cpu: number): number {
  if (groups >= cpus) return cpu;
  const small = Math.floor(cpus / groups);
  const large = cpus % groups;
  const inLarge = large * (small + 1);
  return cpu < inLarge ? Math.floor(cpu / (small + 1)) : large + Math.floor((cpu - inLarge) / small);
}
