/**
 * The ring that a split driver's two ends share (xen/include/public/io/ring.h): requests go one way and
 * responses the other through the same slots. Each end tells with its event index when it wants to be
 * notified next, so that a busy peer is left alone. Indices count up for good; here they never wrap.
 */
import type { Part, Plain } from '../core/state.ts';

export class SharedRing implements Part {
  readonly id: string;
  reqProd = 0;
  reqEvent = 1;
  rspProd = 0;
  rspEvent = 1;
  /** a request's or response's content: a number that both ends understand */
  readonly slots: number[];

  /** @param size slots, a power of two: 256 for network, 32 for block rings */
  constructor(
    name: string,
    readonly size: number,
  ) {
    this.id = `ring.${name}`;
    this.slots = new Array(size).fill(0);
  }

  save(): Plain {
    return [this.reqProd, this.reqEvent, this.rspProd, this.rspEvent, this.slots];
  }

  restore(state: Plain): void {
    const [reqProd, reqEvent, rspProd, rspEvent, slots] = state as [number, number, number, number, number[]];
    this.reqProd = reqProd;
    this.reqEvent = reqEvent;
    this.rspProd = rspProd;
    this.rspEvent = rspEvent;
    slots.forEach((n, i) => {
      this.slots[i] = n;
    });
  }
}

/** The frontend's end: makes requests, takes responses. */
export class FrontRing implements Part {
  readonly id: string;
  private reqProd = 0;
  private rspCons = 0;

  constructor(readonly shared: SharedRing) {
    this.id = `${shared.id}.front`;
  }

  get full(): boolean {
    return this.reqProd - this.rspCons >= this.shared.size;
  }

  /** Requests that the backend may still take. */
  get free(): number {
    return this.shared.size - (this.reqProd - this.rspCons);
  }

  request(content: number): void {
    this.shared.slots[this.reqProd++ % this.shared.size] = content;
  }

  /** RING_PUSH_REQUESTS_AND_CHECK_NOTIFY: true if the backend wants to hear of them. */
  push(): boolean {
    const { shared } = this;
    const old = shared.reqProd;
    shared.reqProd = this.reqProd;
    return shared.reqEvent > old && shared.reqEvent <= shared.reqProd;
  }

  /** Responses waiting. */
  get waiting(): number {
    return this.shared.rspProd - this.rspCons;
  }

  response(): number {
    return this.shared.slots[this.rspCons++ % this.shared.size]!;
  }

  /** RING_FINAL_CHECK_FOR_RESPONSES: asks to be notified of the next; true if one is there already. */
  finalCheck(): boolean {
    if (this.waiting > 0) return true;
    this.shared.rspEvent = this.rspCons + 1;
    return this.waiting > 0;
  }

  /** To be notified when half of what is under way has come back; true if a response is there already. */
  askForHalf(): boolean {
    this.shared.rspEvent = this.rspCons + ((this.shared.reqProd - this.rspCons) >> 1) + 1;
    return this.waiting > 0;
  }

  save(): Plain {
    return [this.reqProd, this.rspCons];
  }

  restore(state: Plain): void {
    [this.reqProd, this.rspCons] = state as [number, number];
  }
}

/** The backend's end: takes requests, makes responses. */
export class BackRing implements Part {
  readonly id: string;
  private reqCons = 0;
  private rspProd = 0;

  constructor(readonly shared: SharedRing) {
    this.id = `${shared.id}.back`;
  }

  /** Requests waiting. */
  get waiting(): number {
    return this.shared.reqProd - this.reqCons;
  }

  request(): number {
    return this.shared.slots[this.reqCons++ % this.shared.size]!;
  }

  response(content: number): void {
    this.shared.slots[this.rspProd++ % this.shared.size] = content;
  }

  /** Every request that was taken has its response. */
  get allAnswered(): boolean {
    return this.rspProd === this.reqCons;
  }

  /** RING_PUSH_RESPONSES_AND_CHECK_NOTIFY: true if the frontend wants to hear of them. */
  push(): boolean {
    const { shared } = this;
    const old = shared.rspProd;
    shared.rspProd = this.rspProd;
    return shared.rspEvent > old && shared.rspEvent <= shared.rspProd;
  }

  /** RING_FINAL_CHECK_FOR_REQUESTS: asks to be notified of the next; true if one is there already. */
  finalCheck(): boolean {
    if (this.waiting > 0) return true;
    this.shared.reqEvent = this.reqCons + 1;
    return this.waiting > 0;
  }

  save(): Plain {
    return [this.reqCons, this.rspProd];
  }

  restore(state: Plain): void {
    [this.reqCons, this.rspProd] = state as [number, number];
  }
}

/**
 * A pair of byte streams, as the console and xenstore have them (public/io/console.h, xs_wire.h), in
 * messages: every write notifies the other end, nothing is batched.
 */
export class MessageRing implements Part {
  readonly id: string;
  /** messages on their way to the backend and to the frontend */
  toBack = 0;
  toFront = 0;

  constructor(name: string) {
    this.id = `ring.${name}`;
  }

  save(): Plain {
    return [this.toBack, this.toFront];
  }

  restore(state: Plain): void {
    [this.toBack, this.toFront] = state as [number, number];
  }
}
