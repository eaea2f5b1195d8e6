/**
 * The 82540EM network card (Intel PCI/PCI-X Family of Gigabit Ethernet Controllers, chapter 13): descriptor rings,
 * and interrupts by cause: ICR, which reading clears, ICS, and the mask by IMS and IMC; no more often than ITR allows.
 * The pin is high while an unmasked cause is set. Delays of descriptors (RDTR, TIDV and the like) are not modelled.
 */
import { DescriptorRing } from '../../abi/descriptor-ring.ts';
import type { DmaMemory } from '../../abi/dma.ts';
import { CAUSE, E1000, ENABLE, LINK_UP } from '../../abi/e1000.ts';
import type { Clock, Ns, Task } from '../../core/clock.ts';
import { Priority } from '../../core/event-queue.ts';
import type { LineDriver } from '../../core/line.ts';
import type { Registers, Width } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { PacketBackend } from './backend.ts';
import { PciFunction } from './pci.ts';

const VENDOR = 0x8086;
const DEVICE = 0x100e;
const CLASS = 0x02_00_00;
const BAR_SIZE = 0x2_0000;
/** unit of ITR */
const ITR_UNIT: Ns = 256;
/** STATUS: full duplex, 1000 Mbit/s */
const SPEED = 0x81;
/** bits 16-0 are causes */
const CAUSES = 0x1_ffff;

export interface E1000Place {
  readonly devfn: number;
  /** physical address of its registers; the firmware's choice */
  readonly base: number;
  readonly memory: DmaMemory;
  readonly intx: LineDriver;
}

export class E1000Card implements Registers, Part {
  readonly id: string;
  readonly fn: PciFunction;
  /** times its pin rose */
  events = 0;
  received = 0;
  dropped = 0;
  sent = 0;
  private icr = 0;
  private mask = 0;
  private high = false;
  private link = true;
  /** when the pin rose last; -1: never */
  private lastRise: Ns = -1;
  /** registers without an effect of their own, by offset */
  private readonly plain = new Map<number, number>();
  private readonly throttle: Task;

  constructor(
    readonly name: string,
    private readonly clock: Clock,
    private readonly place: E1000Place,
    private readonly backend: PacketBackend,
  ) {
    this.id = `device.${name}`;
    this.throttle = clock.task(`${this.id}.itr`, Priority.hardware, () => this.drive());
    const bars = [
      { kind: 'memory', base: place.base, size: BAR_SIZE, registers: this as Registers },
    ] as const;
    const init = { vendor: VENDOR, device: DEVICE, classCode: CLASS, revision: 3, bars, pin: 1 };
    this.fn = new PciFunction(name, place.devfn, init, place.intx);
  }

  // registers: double words

  read(offset: number, width: Width): number {
    if (width !== 4) return 0;
    switch (offset) {
      case E1000.status:
        return SPEED | (this.link ? LINK_UP : 0);
      case E1000.icr:
        return this.readIcr();
      case E1000.ims:
        return this.mask;
      case E1000.ics:
      case E1000.imc:
        return 0;
    }
    return this.register(offset);
  }

  write(offset: number, value: number, width: Width): void {
    if (width !== 4) return;
    switch (offset) {
      case E1000.icr:
        this.icr &= ~value;
        this.drive();
        return;
      case E1000.ics:
        this.cause(value & CAUSES);
        return;
      case E1000.ims:
        this.mask |= value & CAUSES;
        this.drive();
        return;
      case E1000.imc:
        this.mask &= ~value;
        this.drive();
        return;
      case E1000.status:
        return;
    }
    this.plain.set(offset, value >>> 0);
    if (offset === E1000.tdt && this.register(E1000.tctl) & ENABLE) this.backend.kick(0);
  }

  private register(offset: number): number {
    return this.plain.get(offset) ?? 0;
  }

  // interrupts

  private cause(bits: number): void {
    this.icr |= bits;
    this.drive();
  }

  /** What has happened; reading takes it. */
  private readIcr(): number {
    const { icr } = this;
    this.icr = 0;
    this.drive();
    return icr;
  }

  /** The pin follows the unmasked causes; it rises ITR after it rose last, at the earliest. */
  private drive(): void {
    const wanted = (this.icr & this.mask) !== 0;
    if (!wanted) this.throttle.cancel();
    else if (!this.high) {
      const interval = (this.register(E1000.itr) & 0xffff) * ITR_UNIT;
      const due = this.lastRise + interval;
      if (this.lastRise >= 0 && due > this.clock.now) {
        this.throttle.at(due);
        return;
      }
      this.events++;
      this.lastRise = this.clock.now;
    }
    this.high = wanted;
    this.fn.setIntx(wanted);
  }

  // packets

  private ring(low: number, high: number): DescriptorRing | undefined {
    return this.place.memory.at(this.register(low) + this.register(high) * 2 ** 32, DescriptorRing);
  }

  /** A packet from the wire; without a descriptor for it, it is lost and the overrun a cause: false. */
  receive(packet: number): boolean {
    const ring = this.ring(E1000.rdbal, E1000.rdbah);
    if (!ring || !this.link || !(this.register(E1000.rctl) & ENABLE)) {
      this.dropped++;
      return false;
    }
    const head = this.register(E1000.rdh);
    if (head === this.register(E1000.rdt)) {
      this.dropped++;
      this.cause(CAUSE.rxo);
      return false;
    }
    this.received++;
    ring.packet[head] = packet;
    ring.done[head] = 1;
    this.plain.set(E1000.rdh, (head + 1) % ring.size);
    this.cause(CAUSE.rxt0);
    return true;
  }

  /** Every packet between head and tail leaves. */
  process(queue: number): void {
    const ring = this.ring(E1000.tdbal, E1000.tdbah);
    if (!ring) return;
    const tail = this.register(E1000.tdt) % ring.size;
    let head = this.register(E1000.tdh) % ring.size;
    if (head === tail) return;
    for (; head !== tail; head = (head + 1) % ring.size) {
      this.sent++;
      this.backend.transmit(queue, ring.packet[head]!);
      ring.done[head] = 1;
    }
    this.plain.set(E1000.tdh, head);
    this.cause(CAUSE.txdw | CAUSE.txqe);
  }

  /** The cable is plugged in or pulled. */
  setLink(up: boolean): void {
    if (up === this.link) return;
    this.link = up;
    this.cause(CAUSE.lsc);
  }

  /** A packet that nobody waits for. */
  fire(): void {
    this.receive(0);
  }

  inspect() {
    const { name, events, icr, mask, high, received, dropped, sent } = this;
    return { name, events, icr, mask, itr: this.register(E1000.itr), high, received, dropped, sent };
  }

  save(): Plain {
    const { events, received, dropped, sent, icr, mask, lastRise } = this;
    return {
      numbers: [events, received, dropped, sent, icr, mask, lastRise, Number(this.high), Number(this.link)],
      plain: [...this.plain],
      fn: this.fn.save(),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { numbers: number[]; plain: [number, number][]; fn: Plain };
    const [events, received, dropped, sent, icr, mask, lastRise, high, link] = s.numbers;
    Object.assign(this, { events, received, dropped, sent, icr, mask, lastRise });
    this.high = high === 1;
    this.link = link === 1;
    this.plain.clear();
    for (const [offset, value] of s.plain) this.plain.set(offset, value);
    this.fn.restore(s.fn);
  }
}
