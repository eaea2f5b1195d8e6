/**
 * virtio-net (virtio 1.1, 5.1): pairs of receive and transmit queues, the control queue, and an interrupt when the
 * link changes. A packet from outside goes to the pair that its number falls on.
 */
import { CTRL_MQ_PAIRS_SET, controlOf, NET_F_CTRL_VQ, NET_F_MQ, NET_F_STATUS } from '../../abi/virtio.ts';
import type { Plain } from '../../core/state.ts';
import type { PacketBackend } from './backend.ts';
import { VirtioPci, type VirtioPlace } from './virtio.ts';

const DEVICE_ID = 1;
const CLASS = 0x02_00_00;
const QUEUE_SIZE = 256;
const LINK_UP = 1;

export class VirtioNet extends VirtioPci {
  received = 0;
  dropped = 0;
  sent = 0;
  private link = LINK_UP;
  /** pairs in use: the driver sets more than one by the control queue */
  private active = 1;

  /** @param pairs of queues */
  constructor(
    name: string,
    place: VirtioPlace,
    readonly pairs: number,
    private readonly backend: PacketBackend,
  ) {
    const features = pairs > 1 ? [NET_F_STATUS, NET_F_CTRL_VQ, NET_F_MQ] : [NET_F_STATUS, NET_F_CTRL_VQ];
    super(name, DEVICE_ID, CLASS, place, 2 * pairs + 1, QUEUE_SIZE, features);
  }

  protected kicked(queue: number): void {
    if (queue === 2 * this.pairs) this.control(queue);
    else if (queue % 2 === 1) this.backend.kick(queue);
    // else: buffers for packets to come
  }

  /** Whoever looks at a queue for the first time asks to be told of what comes. */
  protected driverOk(): void {
    this.active = 1;
    for (let queue = 0; queue <= 2 * this.pairs; queue++) this.rings(queue)?.enableNotifications();
  }

  /** mac (6 bytes), status, max_virtqueue_pairs. */
  protected config(offset: number): number {
    if (offset === 0) return 0x1200_5452;
    return offset === 4 ? ((this.link << 16) | 0x5634) >>> 0 : offset === 8 ? this.pairs : 0;
  }

  /** Commands are carried out at once. */
  private control(queue: number): void {
    const rings = this.rings(queue)!;
    for (let head = rings.pop(); head >= 0; head = rings.pop()) {
      const { command, argument } = controlOf(rings.content(head));
      const fits = argument >= 1 && argument <= this.pairs;
      if (command === CTRL_MQ_PAIRS_SET && fits) this.active = argument;
      rings.push(head);
    }
    rings.enableNotifications();
    this.interrupt(queue);
  }

  /** A packet from outside; without a buffer for it, it is lost: false. */
  receive(packet: number): boolean {
    const queue = 2 * (packet % this.active);
    const rings = this.ready ? this.rings(queue) : undefined;
    const head = rings ? rings.pop() : -1;
    if (!rings || head < 0) {
      // it wants to hear of buffers only while it has none
      rings?.enableNotifications();
      this.dropped++;
      return false;
    }
    rings.disableNotifications();
    this.received++;
    rings.fill(head, packet);
    rings.push(head);
    this.interrupt(queue);
    return true;
  }

  /** handle_tx: every packet leaves; while it looks by itself it wants no notifications. */
  process(queue: number): void {
    const rings = this.rings(queue);
    if (!rings) return;
    do {
      rings.disableNotifications();
      for (let head = rings.pop(); head >= 0; head = rings.pop()) {
        this.sent++;
        this.backend.transmit(queue, rings.content(head));
        rings.push(head);
        this.interrupt(queue);
      }
    } while (rings.enableNotifications());
  }

  setLink(up: boolean): void {
    this.link = up ? LINK_UP : 0;
    this.configChanged();
  }

  /** A packet that nobody waits for. */
  fire(): void {
    this.receive(0);
  }

  override inspect() {
    const { received, dropped, sent, active } = this;
    return { ...super.inspect(), received, dropped, sent, active };
  }

  override save(): Plain {
    const { received, dropped, sent, link, active } = this;
    return [super.save(), received, dropped, sent, link, active];
  }

  override restore(state: Plain): void {
    const [base, received, dropped, sent, link, active] = state as [
      Plain,
      number,
      number,
      number,
      number,
      number,
    ];
    super.restore(base);
    Object.assign(this, { received, dropped, sent, link, active });
  }
}
