/**
 * A virtio device as a PCI function (virtio 1.1, 4.1, the modern interface): common configuration, notification
 * addresses, ISR status and the device's own configuration behind BAR 4 as QEMU lays them out; MSI-X behind BAR 1.
 * An interrupt is the message of the queue's vector, or INTx with the ISR status while MSI-X is off.
 */
import type { DmaMemory } from '../../abi/dma.ts';
import { COMMON, ISR_CONFIG, ISR_QUEUE, LAYOUT, NO_VECTOR, STATUS, VERSION_1 } from '../../abi/virtio.ts';
import { DeviceQueue, VIRTIO_F_EVENT_IDX, Virtqueue } from '../../abi/virtio-ring.ts';
import type { LineDriver, MsiSender } from '../../core/line.ts';
import type { Registers, Width } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';
import { type MaskedMessages, Msix } from './msix.ts';
import { FixedCapability, PciFunction } from './pci.ts';

/** Where a function is and what it is wired to. */
export interface VirtioPlace {
  readonly devfn: number;
  /** physical addresses of BAR 1 (MSI-X) and BAR 4; the firmware's choice */
  readonly msixBase: number;
  readonly base: number;
  readonly memory: DmaMemory;
  readonly intx: LineDriver;
  readonly send: MsiSender;
  /** MSI-X has pending bits; it has unless told otherwise */
  readonly pba?: boolean;
  readonly masked?: MaskedMessages;
}

interface Queue {
  size: number;
  vector: number;
  enabled: boolean;
  /** physical addresses: descriptors, available ring, used ring; low and high halves */
  readonly addresses: number[];
  rings: DeviceQueue | undefined;
}

const VENDOR = 0x1af4;
/** PCI device id of the modern interface, plus the virtio device id */
const MODERN = 0x1040;
const VENDOR_CAPABILITY = 0x09;
const BAR_SIZE = 0x4000;
const PENDING_AT = 0x800;

export abstract class VirtioPci implements Registers, Part {
  readonly id: string;
  readonly fn: PciFunction;
  readonly msix: Msix;
  /** interrupts asked for */
  events = 0;
  /** accepted feature bits, by number */
  protected features: readonly number[] = [];
  private readonly queues: Queue[];
  private featureSelect = 0;
  private driverFeatureSelect = 0;
  private readonly driverFeatures: [number, number] = [0, 0];
  private configVector: number = NO_VECTOR;
  private deviceStatus = 0;
  private generation = 0;
  private queueSelect = 0;
  private isr = 0;

  /**
   * @param kind the virtio device id
   * @param offered feature bits beside VERSION_1 and EVENT_IDX
   */
  constructor(
    readonly name: string,
    kind: number,
    classCode: number,
    private readonly place: VirtioPlace,
    private readonly queueCount: number,
    private readonly queueSize: number,
    private readonly offered: readonly number[],
  ) {
    this.id = `device.${name}`;
    this.queues = Array.from({ length: queueCount }, () => this.freshQueue());
    // a vector for each queue and one for the configuration
    const { send, pba, masked } = place;
    this.msix = new Msix(name, queueCount + 1, send, 1, 0, PENDING_AT, pba, masked);
    const bars = [
      undefined,
      { kind: 'memory', base: place.msixBase, size: 0x1000, registers: this.msixRegisters },
      undefined,
      undefined,
      { kind: 'memory', base: place.base, size: BAR_SIZE, registers: this as Registers },
    ] as const;
    const init = { vendor: VENDOR, device: MODERN + kind, classCode, revision: 1, bars, pin: 1 };
    this.fn = new PciFunction(name, place.devfn, init, place.intx);
    this.fn.addCapability(this.msix);
    // cfg_type of 4.1.4: 1 common, 2 notifications, 3 ISR status, 4 the device's own
    const at = [LAYOUT.common, LAYOUT.notify, LAYOUT.isr, LAYOUT.device];
    at.forEach((offset, n) => {
      const type = n + 1;
      const length = type === 2 ? LAYOUT.multiplier * queueCount : 0x1000;
      const dwords = [type << 24, 4, offset, length, ...(type === 2 ? [LAYOUT.multiplier] : [])];
      this.fn.addCapability(new FixedCapability(VENDOR_CAPABILITY, dwords));
    });
  }

  /** The driver has put buffers in a queue. */
  protected abstract kicked(queue: number): void;
  /** A double word of the device's own configuration. */
  protected abstract config(offset: number): number;
  /** The driver has accepted features and is ready. */
  protected abstract driverOk(): void;

  /** BAR 1. */
  private readonly msixRegisters: Registers = {
    read: (offset, width) =>
      offset < PENDING_AT
        ? this.msix.table.read(offset, width)
        : this.msix.pendingBits.read(offset - PENDING_AT, width),
    write: (offset, value, width) => {
      if (offset < PENDING_AT) this.msix.table.write(offset, value, width);
    },
  };

  /** The rings of a queue that the driver has enabled. */
  protected rings(queue: number): DeviceQueue | undefined {
    return this.queues[queue]?.rings;
  }

  protected get ready(): boolean {
    return (this.deviceStatus & STATUS.driverOk) !== 0;
  }

  // interrupts

  /** virtio_notify: something was used in the queue, if its driver wants to hear of it. */
  protected interrupt(queue: number): void {
    const { rings, vector } = this.queues[queue]!;
    if (rings?.shouldInterrupt()) this.raise(vector, ISR_QUEUE);
  }

  /** The device's configuration has changed. */
  protected configChanged(): void {
    if (!this.ready) return;
    this.generation = (this.generation + 1) & 0xff;
    this.raise(this.configVector, ISR_QUEUE | ISR_CONFIG);
  }

  private raise(vector: number, isr: number): void {
    this.events++;
    this.isr |= isr;
    if (this.msix.enabled) this.msix.notify(vector);
    else this.fn.setIntx(true);
  }

  /** Reading the ISR status takes it and lets the pin go. */
  private readIsr(): number {
    const { isr } = this;
    this.isr = 0;
    this.fn.setIntx(false);
    return isr;
  }

  // registers

  read(offset: number, width: Width): number {
    if (offset >= LAYOUT.notify) return 0;
    if (offset >= LAYOUT.device) return part(this.config((offset - LAYOUT.device) & ~3), offset, width);
    if (offset >= LAYOUT.isr) return offset === LAYOUT.isr ? this.readIsr() : 0;
    return this.readCommon(offset);
  }

  write(offset: number, value: number, width: Width): void {
    if (offset >= LAYOUT.notify) this.notified((offset - LAYOUT.notify) / LAYOUT.multiplier);
    else if (offset < LAYOUT.isr) this.writeCommon(offset, value, width);
  }

  private notified(queue: number): void {
    if (this.ready && this.queues[queue]?.enabled) this.kicked(queue);
  }

  private readCommon(offset: number): number {
    const queue = this.queues[this.queueSelect];
    switch (offset) {
      case COMMON.deviceFeatureSelect:
        return this.featureSelect;
      case COMMON.deviceFeature:
        return this.featureWord(this.featureSelect);
      case COMMON.driverFeatureSelect:
        return this.driverFeatureSelect;
      case COMMON.driverFeature:
        return this.driverFeatures[this.driverFeatureSelect] ?? 0;
      case COMMON.msixConfig:
        return this.configVector;
      case COMMON.numQueues:
        return this.queueCount;
      case COMMON.deviceStatus:
        return this.deviceStatus;
      case COMMON.configGeneration:
        return this.generation;
      case COMMON.queueSelect:
        return this.queueSelect;
      case COMMON.queueSize:
        return queue?.size ?? 0;
      case COMMON.queueMsixVector:
        return queue?.vector ?? NO_VECTOR;
      case COMMON.queueEnable:
        return Number(queue?.enabled ?? false);
      case COMMON.queueNotifyOff:
        return queue ? this.queueSelect : 0;
    }
    const word = (offset - COMMON.queueDesc) >> 2;
    return offset >= COMMON.queueDesc ? (queue?.addresses[word] ?? 0) : 0;
  }

  private writeCommon(offset: number, value: number, width: Width): void {
    const queue = this.queues[this.queueSelect];
    switch (offset) {
      case COMMON.deviceFeatureSelect:
        this.featureSelect = value;
        return;
      case COMMON.driverFeatureSelect:
        this.driverFeatureSelect = value;
        return;
      case COMMON.driverFeature:
        if (this.driverFeatureSelect < 2) this.driverFeatures[this.driverFeatureSelect] = value;
        return;
      case COMMON.msixConfig:
        this.configVector = this.vectorOf(value);
        return;
      case COMMON.deviceStatus:
        this.setStatus(value);
        return;
      case COMMON.queueSelect:
        this.queueSelect = value;
        return;
    }
    if (!queue) return;
    if (offset >= COMMON.queueDesc) {
      queue.addresses[(offset - COMMON.queueDesc) >> 2] = value % 2 ** 32;
      if (width === 8) queue.addresses[((offset - COMMON.queueDesc) >> 2) + 1] = Math.floor(value / 2 ** 32);
    } else if (offset === COMMON.queueSize) queue.size = value;
    else if (offset === COMMON.queueMsixVector) queue.vector = this.vectorOf(value);
    else if (offset === COMMON.queueEnable && value === 1) this.enableQueue(this.queueSelect);
  }

  /** A vector that the table lacks is none: the driver reads that back. */
  private vectorOf(value: number): number {
    return value < this.msix.vectors ? value : NO_VECTOR;
  }

  private featureWord(select: number): number {
    const bits = [VERSION_1, VIRTIO_F_EVENT_IDX, ...this.offered].filter((b) => b >> 5 === select);
    return bits.reduce((word, b) => word | (1 << (b & 31)), 0) >>> 0;
  }

  protected accepted(feature: number): boolean {
    return (((this.driverFeatures[feature >> 5] ?? 0) >>> (feature & 31)) & 1) === 1;
  }

  private setStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    let status = value;
    // features that were not offered: FEATURES_OK does not stay
    const wrong = this.driverFeatures.some((word, n) => (word & ~this.featureWord(n)) !== 0);
    if (status & STATUS.featuresOk && (wrong || !this.accepted(VERSION_1))) status &= ~STATUS.featuresOk;
    const starts = (status & ~this.deviceStatus & STATUS.driverOk) !== 0;
    this.deviceStatus = status;
    if (starts) this.driverOk();
  }

  private reset(): void {
    for (let n = 0; n < this.queues.length; n++) this.queues[n] = this.freshQueue();
    this.driverFeatures.fill(0);
    this.configVector = NO_VECTOR;
    this.deviceStatus = 0;
    this.isr = 0;
    this.fn.setIntx(false);
  }

  private freshQueue(): Queue {
    const addresses = [0, 0, 0, 0, 0, 0];
    return { size: this.queueSize, vector: NO_VECTOR, enabled: false, addresses, rings: undefined };
  }

  /** The rings are where the driver says; an address where none is gives a queue that never has work. */
  private enableQueue(n: number): void {
    const queue = this.queues[n]!;
    queue.enabled = true;
    const ring = this.place.memory.at(queue.addresses[0]! + queue.addresses[1]! * 2 ** 32, Virtqueue);
    queue.rings = ring && new DeviceQueue(ring.id, ring, this.accepted(VIRTIO_F_EVENT_IDX));
  }

  inspect() {
    const { events, deviceStatus, isr, configVector } = this;
    const queues = this.queues.map((q) => ({
      vector: q.vector,
      enabled: q.enabled,
      waiting: q.rings?.waiting ?? 0,
    }));
    return { name: this.name, events, deviceStatus, isr, configVector, queues, msix: this.msix.inspect() };
  }

  save(): Plain {
    const { events, featureSelect, driverFeatureSelect, configVector, deviceStatus, generation } = this;
    return {
      numbers: [events, featureSelect, driverFeatureSelect, configVector, deviceStatus, generation],
      more: [this.queueSelect, this.isr],
      driverFeatures: this.driverFeatures,
      queues: this.queues.map((q) => [
        q.size,
        q.vector,
        Number(q.enabled),
        q.addresses,
        q.rings?.save() ?? null,
      ]),
      fn: this.fn.save(),
      msix: this.msix.save(),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      numbers: [number, number, number, number, number, number];
      more: [number, number];
      driverFeatures: [number, number];
      queues: [number, number, number, number[], Plain][];
      fn: Plain;
      msix: Plain;
    };
    [
      this.events,
      this.featureSelect,
      this.driverFeatureSelect,
      this.configVector,
      this.deviceStatus,
      this.generation,
    ] = s.numbers;
    [this.queueSelect, this.isr] = s.more;
    [this.driverFeatures[0], this.driverFeatures[1]] = s.driverFeatures;
    s.queues.forEach(([size, vector, enabled, addresses, rings], n) => {
      const queue = { size, vector, enabled: enabled === 1, addresses: [...addresses], rings: undefined };
      this.queues[n] = queue;
      if (enabled === 1) this.enableQueue(n);
      if (rings !== null) this.queues[n]!.rings!.restore(rings);
    });
    this.fn.restore(s.fn);
    this.msix.restore(s.msix);
  }
}

function part(dword: number, offset: number, width: Width): number {
  return width >= 4 ? dword : (dword >>> ((offset & 3) * 8)) & ((1 << (width * 8)) - 1);
}
