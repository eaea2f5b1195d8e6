/** A virtio device on a bus of its own, set up as Linux does, without a kernel: MSI-X or INTx, one ring each queue. */
import { DmaMemory } from '../../engine/abi/dma.ts';
import { COMMON, LAYOUT, NO_VECTOR, VERSION_1 } from '../../engine/abi/virtio.ts';
import { DriverQueue, VIRTIO_F_EVENT_IDX, Virtqueue } from '../../engine/abi/virtio-ring.ts';
import { Clock } from '../../engine/core/clock.ts';
import type { Width } from '../../engine/core/registers.ts';
import type { VirtioPci, VirtioPlace } from '../../engine/devices/pc/virtio.ts';
import { Messages, Wire } from './pc-wire.ts';

const RING = 16;

export interface VirtioOptions {
  readonly eventIdx: boolean;
  readonly msix: boolean;
}

export class VirtioRig<D extends VirtioPci> {
  readonly clock = new Clock();
  readonly wire = new Wire(this.clock);
  readonly bus = new Messages();
  readonly memory = new DmaMemory();
  readonly device: D;
  readonly rings: Virtqueue[] = [];
  readonly queues: DriverQueue[] = [];

  constructor(
    make: (place: VirtioPlace) => D,
    private readonly options: VirtioOptions = { eventIdx: true, msix: true },
  ) {
    const { memory, wire, bus } = this;
    const place = { devfn: 24, msixBase: 0xfebd_0000, base: 0xfe00_0000, memory, intx: wire, send: bus.send };
    this.device = make(place);
  }

  w(offset: number, value: number, width: Width): void {
    this.device.write(offset, value, width);
  }

  r(offset: number, width: Width): number {
    return this.device.read(offset, width);
  }

  /** Vector of a queue: n + 1, data 0x40 + that; the configuration's is 0. */
  setUp(features: readonly number[] = []): void {
    const { msix, eventIdx } = this.options;
    this.w(COMMON.deviceStatus, 3, 1);
    const wanted = [VERSION_1, ...(eventIdx ? [VIRTIO_F_EVENT_IDX] : []), ...features];
    for (const select of [0, 1]) {
      const word = wanted.filter((b) => b >> 5 === select).reduce((sum, b) => sum + 2 ** (b & 31), 0);
      this.w(COMMON.driverFeatureSelect, select, 4);
      this.w(COMMON.driverFeature, word, 4);
    }
    this.w(COMMON.deviceStatus, 11, 1);
    if (msix) this.setUpMsix();
    this.w(COMMON.msixConfig, msix ? 0 : NO_VECTOR, 2);
    const count = this.r(COMMON.numQueues, 2);
    for (let n = 0; n < count; n++) this.setUpQueue(n);
    this.w(COMMON.deviceStatus, 15, 1);
  }

  private setUpMsix(): void {
    const { msix, fn } = this.device;
    fn.writeConfig(fn.findCapability(0x11)! + 2, 0x8000, 2);
    for (let v = 0; v < msix.vectors; v++) {
      msix.table.write(v * 16, 0xfee0_0000, 4);
      msix.table.write(v * 16 + 8, 0x40 + v, 4);
      msix.table.write(v * 16 + 12, 0, 4);
    }
  }

  private setUpQueue(n: number): void {
    const ring = new Virtqueue(`q${n}`, RING);
    this.rings.push(ring);
    this.queues.push(new DriverQueue(ring, this.options.eventIdx));
    this.w(COMMON.queueSelect, n, 2);
    this.w(COMMON.queueSize, RING, 2);
    this.w(COMMON.queueMsixVector, this.options.msix ? n + 1 : NO_VECTOR, 2);
    this.w(COMMON.queueDesc, this.memory.allocate(ring.bytes, ring), 4);
    this.w(COMMON.queueDesc + 4, 0, 4);
    this.w(COMMON.queueEnable, 1, 2);
  }

  notify(queue: number): void {
    this.w(LAYOUT.notify + LAYOUT.multiplier * queue, queue, 2);
  }

  /** Adds buffers and notifies if the device wants that. */
  submit(queue: number, ...contents: number[]): void {
    for (const content of contents) this.queues[queue]!.add(content);
    if (this.queues[queue]!.kickPrepare()) this.notify(queue);
  }

  take(queue: number): number[] {
    const out: number[] = [];
    const q = this.queues[queue]!;
    for (let head = q.take(); head >= 0; head = q.take()) out.push(q.content(head));
    return out;
  }

  /** All that a copy needs but the device: rings and drivers' ends. */
  copyRingsFrom(other: VirtioRig<D>): void {
    this.rings.forEach((ring, n) => {
      ring.restore(JSON.parse(JSON.stringify(other.rings[n]!.save())));
      this.queues[n]!.restore(JSON.parse(JSON.stringify(other.queues[n]!.save())));
    });
  }
}
