/** virtio-blk (virtio 1.1, 5.2): one or more request queues; a backend does the requests in whatever order. */
import { BLK, BLK_F_MQ, blockRequestOf } from '../../abi/virtio.ts';
import type { BlockBackend, BlockDevice, BlockRequest } from './backend.ts';
import { VirtioPci, type VirtioPlace } from './virtio.ts';

const DEVICE_ID = 2;
const CLASS = 0x01_00_00;
const QUEUE_SIZE = 256;
/** offset of num_queues in the configuration */
const NUM_QUEUES = 32;

export class VirtioBlk extends VirtioPci implements BlockDevice {
  constructor(
    name: string,
    place: VirtioPlace,
    private readonly count: number,
    private readonly backend: BlockBackend,
    private readonly sectors = 2_097_152,
  ) {
    super(name, DEVICE_ID, CLASS, place, count, QUEUE_SIZE, [BLK_F_MQ]);
  }

  protected kicked(queue: number): void {
    this.backend.kick(queue);
  }

  protected driverOk(): void {}

  protected config(offset: number): number {
    if (offset === 0) return this.sectors;
    // num_queues is the upper half of its double word
    return offset === NUM_QUEUES ? this.count << 16 : 0;
  }

  /** virtio_blk_handle_vq: while it looks by itself it wants no notifications. */
  process(queue: number): void {
    const rings = this.rings(queue);
    if (!rings) return;
    do {
      rings.disableNotifications();
      for (let head = rings.pop(); head >= 0; head = rings.pop()) {
        this.backend.start(queue, head, requestOf(rings.content(head)));
      }
    } while (rings.enableNotifications());
  }

  complete(queue: number, head: number): void {
    const rings = this.rings(queue);
    if (!rings) return;
    rings.push(head);
    this.interrupt(queue);
  }

  /** The disk has another size now: the driver is told. */
  fire(): void {
    this.configChanged();
  }
}

function requestOf(content: number): BlockRequest {
  const { type, sectors } = blockRequestOf(content);
  return { kind: type === BLK.flush ? 'flush' : type === BLK.out ? 'write' : 'read', sectors };
}
