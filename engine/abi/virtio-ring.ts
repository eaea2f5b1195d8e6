/**
 * The split virtqueue (virtio 1.1, 2.6): memory that a driver and its device share, and the two ends. A buffer's
 * content is one number that both ends understand. Indices are 16 bits wide and wrap. Indirect descriptors and
 * chains are not modelled: every buffer has one descriptor.
 */
import { type Part, type Plain, restoreArray, saveArray } from '../core/state.ts';

export const VIRTIO_F_EVENT_IDX = 29;

/** avail.flags: the driver wants no interrupts */
const NO_INTERRUPT = 1;
/** used.flags: the device wants no notifications */
const NO_NOTIFY = 1;

/** The memory. Descriptor table, available ring and used ring lie where the device is told. */
export class Virtqueue implements Part {
  readonly id: string;
  availFlags = 0;
  availIdx = 0;
  /** in the available ring: interrupt when this used entry is written */
  usedEvent = 0;
  usedFlags = 0;
  usedIdx = 0;
  /** in the used ring: notify when this available entry is written */
  availEvent = 0;
  readonly avail: Uint16Array;
  readonly used: Uint16Array;
  /** what the buffer of a descriptor holds */
  readonly content: Float64Array;

  /** @param size entries, a power of two */
  constructor(
    name: string,
    readonly size: number,
  ) {
    this.id = `ring.${name}`;
    this.avail = new Uint16Array(size);
    this.used = new Uint16Array(size);
    this.content = new Float64Array(size);
  }

  /** Bytes of its three parts. */
  get bytes(): number {
    return this.size * 16 + 6 + this.size * 2 + 6 + this.size * 8;
  }

  save(): Plain {
    const { availFlags, availIdx, usedEvent, usedFlags, usedIdx, availEvent } = this;
    return {
      indices: [availFlags, availIdx, usedEvent, usedFlags, usedIdx, availEvent],
      avail: saveArray(this.avail),
      used: saveArray(this.used),
      content: saveArray(this.content),
    };
  }

  restore(state: Plain): void {
    const s = state as {
      indices: [number, number, number, number, number, number];
      avail: Plain;
      used: Plain;
      content: Plain;
    };
    [this.availFlags, this.availIdx, this.usedEvent, this.usedFlags, this.usedIdx, this.availEvent] =
      s.indices;
    restoreArray(this.avail, s.avail);
    restoreArray(this.used, s.used);
    restoreArray(this.content, s.content);
  }
}

/** vring_need_event: does an index that went from `old` to `now` pass the event? */
function needEvent(event: number, now: number, old: number): boolean {
  return ((now - event - 1) & 0xffff) < ((now - old) & 0xffff);
}

/** The driver's end (drivers/virtio/virtio_ring.c). */
export class DriverQueue implements Part {
  readonly id: string;
  /** descriptors without a buffer */
  free: number[];
  private lastUsed = 0;
  /** entries made available since the device was last told */
  private added = 0;
  private callbacks = true;
  /** the device has interrupted and will not again before it is asked to */
  private eventTriggered = false;

  constructor(
    readonly ring: Virtqueue,
    private readonly eventIdx: boolean,
  ) {
    this.id = `${ring.id}.driver`;
    this.free = Array.from({ length: ring.size }, (_, i) => i);
  }

  /** virtqueue_add. @returns its descriptor, by which `take` knows it again */
  add(content: number): number {
    const { ring } = this;
    const head = this.free.shift();
    if (head === undefined) throw new Error(`${this.id} is full`);
    ring.content[head] = content;
    ring.avail[ring.availIdx & (ring.size - 1)] = head;
    ring.availIdx = (ring.availIdx + 1) & 0xffff;
    this.added++;
    return head;
  }

  /** virtqueue_kick_prepare: does the device want to hear of what was added? */
  kickPrepare(): boolean {
    const { ring } = this;
    const old = (ring.availIdx - this.added) & 0xffff;
    this.added = 0;
    if (this.eventIdx) return needEvent(ring.availEvent, ring.availIdx, old);
    return !(ring.usedFlags & NO_NOTIFY);
  }

  /** Used buffers that wait. */
  get waiting(): number {
    return (this.ring.usedIdx - this.lastUsed) & 0xffff;
  }

  /** virtqueue_get_buf: the descriptor of a used buffer, -1 for none. */
  take(): number {
    const { ring } = this;
    if (this.waiting === 0) return -1;
    const head = ring.used[this.lastUsed & (ring.size - 1)]!;
    this.lastUsed = (this.lastUsed + 1) & 0xffff;
    this.free.push(head);
    if (this.callbacks && this.eventIdx) ring.usedEvent = this.lastUsed;
    return head;
  }

  content(head: number): number {
    return this.ring.content[head]!;
  }

  /** vring_interrupt: false if nothing was used, the interrupt is not this queue's. */
  interrupted(): boolean {
    if (this.waiting === 0) return false;
    if (this.eventIdx) this.eventTriggered = true;
    return true;
  }

  /** virtqueue_disable_cb. An interrupt that came already keeps others away by itself. */
  disableCallbacks(): void {
    if (this.eventTriggered || !this.callbacks) return;
    this.callbacks = false;
    if (this.eventIdx) this.ring.usedEvent = 0;
    else this.ring.availFlags |= NO_INTERRUPT;
  }

  /** virtqueue_enable_cb: false if a buffer was used meanwhile. */
  enableCallbacks(): boolean {
    this.letCallbacks(this.lastUsed);
    return this.waiting === 0;
  }

  /** virtqueue_enable_cb_delayed: when three quarters of what is under way are used. */
  enableCallbacksDelayed(): boolean {
    const underWay = (this.ring.availIdx - this.lastUsed) & 0xffff;
    const enough = Math.floor((underWay * 3) / 4);
    this.letCallbacks((this.lastUsed + enough) & 0xffff);
    return this.waiting <= enough;
  }

  private letCallbacks(event: number): void {
    this.eventTriggered = false;
    this.callbacks = true;
    if (this.eventIdx) this.ring.usedEvent = event;
    else this.ring.availFlags &= ~NO_INTERRUPT;
  }

  save(): Plain {
    return [this.free, this.lastUsed, this.added, Number(this.callbacks), Number(this.eventTriggered)];
  }

  restore(state: Plain): void {
    const [free, lastUsed, added, callbacks, triggered] = state as [number[], number, number, number, number];
    this.free = [...free];
    this.lastUsed = lastUsed;
    this.added = added;
    this.callbacks = callbacks === 1;
    this.eventTriggered = triggered === 1;
  }
}

/** The device's end. */
export class DeviceQueue implements Part {
  readonly id: string;
  private lastAvail = 0;
  /** used entries that the driver was told of */
  private signalled = 0;
  private everSignalled = false;

  constructor(
    name: string,
    readonly ring: Virtqueue,
    private readonly eventIdx: boolean,
  ) {
    this.id = `${name}.device`;
  }

  /** Available buffers that wait. */
  get waiting(): number {
    return (this.ring.availIdx - this.lastAvail) & 0xffff;
  }

  /** The descriptor of the next available buffer, -1 for none. */
  pop(): number {
    const { ring } = this;
    if (this.waiting === 0) return -1;
    const head = ring.avail[this.lastAvail & (ring.size - 1)]!;
    this.lastAvail = (this.lastAvail + 1) & 0xffff;
    return head;
  }

  content(head: number): number {
    return this.ring.content[head]!;
  }

  /** The device writes to a buffer. */
  fill(head: number, content: number): void {
    this.ring.content[head] = content;
  }

  /** The buffer is used. */
  push(head: number): void {
    const { ring } = this;
    ring.used[ring.usedIdx & (ring.size - 1)] = head;
    ring.usedIdx = (ring.usedIdx + 1) & 0xffff;
  }

  /** Does the driver want an interrupt for what was used since it was last asked? */
  shouldInterrupt(): boolean {
    const { ring } = this;
    if (!this.eventIdx) return !(ring.availFlags & NO_INTERRUPT);
    const old = this.signalled;
    const first = !this.everSignalled;
    this.signalled = ring.usedIdx;
    this.everSignalled = true;
    return first || needEvent(ring.usedEvent, ring.usedIdx, old);
  }

  /** The device looks at the queue by itself. */
  disableNotifications(): void {
    if (!this.eventIdx) this.ring.usedFlags |= NO_NOTIFY;
  }

  /** It wants to hear of the next buffer; true if there is one already. */
  enableNotifications(): boolean {
    if (this.eventIdx) this.ring.availEvent = this.lastAvail;
    else this.ring.usedFlags &= ~NO_NOTIFY;
    return this.waiting > 0;
  }

  save(): Plain {
    return [this.lastAvail, this.signalled, Number(this.everSignalled)];
  }

  restore(state: Plain): void {
    const [lastAvail, signalled, ever] = state as [number, number, number];
    this.lastAvail = lastAvail;
    this.signalled = signalled;
    this.everSignalled = ever === 1;
  }
}
