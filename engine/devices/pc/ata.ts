/**
 * An IDE channel of the PIIX3 (Intel 290550, 2.5 and 3.2; ATA/ATAPI-6) with one disk: command block at 0x1f0 or
 * 0x170, control block at 0x3f6 or 0x376, and its half of the bus master registers. A command by DMA ends with INTRQ,
 * which goes out as IRQ 14 or 15 unless nIEN is set, and stays until the status register is read or a command is
 * written. Sectors by PIO, packet devices and a second disk are not modelled.
 */
import type { LineDriver } from '../../core/line.ts';
import type { Registers } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { BlockBackend, BlockDevice, BlockRequest } from './backend.ts';

/** command block */
const DATA = 0;
const ERROR = 1;
const DEVICE = 6;
const STATUS = 7;
/** status */
const BSY = 0x80;
const DRDY = 0x40;
const DSC = 0x10;
const DRQ = 0x08;
const ERR = 0x01;
/** error: aborted */
const ABRT = 0x04;
/** device register: the second device */
const DEV1 = 0x10;
/** device control */
const NIEN = 0x02;
const SRST = 0x04;
/** bus master command and status (3.2.6) */
const START = 0x01;
const TO_MEMORY = 0x08;
const BM_ACTIVE = 0x01;
const BM_ERROR = 0x02;
const BM_INTERRUPT = 0x04;
const BM_CAPABLE = 0x60;

type Kind = BlockRequest['kind'];

/** Commands that move sectors by DMA, or flush; `wide`: with 48-bit addresses. */
const COMMANDS = new Map<number, { readonly kind: Kind; readonly wide: boolean }>([
  [0xc8, { kind: 'read', wide: false }],
  [0x25, { kind: 'read', wide: true }],
  [0xca, { kind: 'write', wide: false }],
  [0x35, { kind: 'write', wide: true }],
  [0xe7, { kind: 'flush', wide: false }],
  [0xea, { kind: 'flush', wide: true }],
]);
const IDENTIFY = 0xec;
const SET_FEATURES = 0xef;

/** words of an IDENTIFY block that say what a driver asks: 48-bit addresses, DMA, size */
const IDENTITY = new Map([
  [0, 0x0040],
  [49, 0x0f00],
  [53, 0x0006],
  [63, 0x0007],
  [80, 0x00f0],
  [83, 0x7400],
  [86, 0x3400],
  [88, 0x203f],
]);
const IDENTITY_WORDS = 256;

export class AtaChannel implements BlockDevice, Part {
  readonly id: string;
  /** times INTRQ rose */
  events = 0;
  /** features or error, count, LBA low, mid, high, device: as written last, and the byte before each */
  private readonly now = new Uint8Array(7);
  private readonly before = new Uint8Array(7);
  private status = DRDY | DSC;
  private error = 1;
  private control = 0;
  private intrq = false;
  private bmCommand = 0;
  private bmStatus = BM_CAPABLE;
  private bmTable = 0;
  /** the command under way; 0 for none */
  private command = 0;
  /** it is with the backend */
  private started = false;
  /** words of the identification that are still to be read */
  private words = 0;

  /** @param disk false: nobody is on the channel */
  constructor(
    name: string,
    private readonly irq: LineDriver,
    private readonly backend: BlockBackend,
    private readonly disk = true,
  ) {
    this.id = `device.${name}`;
  }

  /** Ports 0x1f0 to 0x1f7. */
  readonly commandBlock: Registers = {
    read: (offset, width) => (offset === DATA && width === 2 ? this.readData() : this.readTaskFile(offset)),
    write: (offset, value) => this.writeTaskFile(offset, value & 0xff),
  };

  /** Port 0x3f6: alternate status, device control. */
  readonly controlBlock: Registers = {
    read: () => (this.present ? this.status : 0),
    write: (_offset, value) => this.writeControl(value & 0xff),
  };

  /** Its eight ports of the bus master. */
  readonly busMaster: Registers = {
    read: (offset, width) => this.readBusMaster(offset, width),
    write: (offset, value, width) => this.writeBusMaster(offset, value, width),
  };

  private get present(): boolean {
    return this.disk && !(this.now[DEVICE]! & DEV1);
  }

  private readTaskFile(offset: number): number {
    if (!this.disk) return 0;
    if (offset === ERROR) return this.present ? this.error : 0;
    if (offset !== STATUS) return this.now[offset] ?? 0;
    if (!this.present) return 0;
    this.setIntrq(false);
    return this.status;
  }

  private writeTaskFile(offset: number, byte: number): void {
    if (offset === STATUS) this.execute(byte);
    else if (offset > 0 && offset < STATUS && !(this.status & BSY)) {
      this.before[offset] = this.now[offset]!;
      this.now[offset] = byte;
    }
  }

  private writeControl(byte: number): void {
    if (this.control & SRST && !(byte & SRST)) this.reset();
    this.control = byte;
    this.drive();
  }

  private reset(): void {
    this.status = DRDY | DSC;
    this.error = 1;
    this.command = 0;
    this.started = false;
    this.words = 0;
    // the signature of a disk
    this.now.set([0, 0, 1, 1, 0, 0, 0]);
    this.setIntrq(false);
  }

  private execute(command: number): void {
    if (!this.present || this.status & BSY) return;
    this.setIntrq(false);
    this.error = 0;
    const known = COMMANDS.get(command);
    if (known) {
      this.command = command;
      this.status = BSY | DRDY;
      if (known.kind === 'flush' || this.bmCommand & START) this.go();
    } else if (command === IDENTIFY) {
      this.words = IDENTITY_WORDS;
      this.finish(DRDY | DSC | DRQ);
    } else if (command === SET_FEATURES) this.finish(DRDY | DSC);
    else {
      this.error = ABRT;
      this.finish(DRDY | DSC | ERR);
    }
  }

  private readData(): number {
    if (this.words === 0) return 0;
    const word = IDENTITY.get(IDENTITY_WORDS - this.words) ?? 0;
    if (--this.words === 0) this.status &= ~DRQ;
    return word;
  }

  // bus master

  private readBusMaster(offset: number, width: number): number {
    if (offset >= 4) return width === 4 ? this.bmTable : 0;
    return offset === 0 ? this.bmCommand : offset === 2 ? this.bmStatus : 0;
  }

  private writeBusMaster(offset: number, value: number, width: number): void {
    if (offset >= 4) {
      if (width === 4) this.bmTable = (value & ~3) >>> 0;
    } else if (offset === 0) this.startOrStop(value & (START | TO_MEMORY));
    else if (offset === 2) {
      const cleared = value & (BM_INTERRUPT | BM_ERROR);
      this.bmStatus = (this.bmStatus & ~cleared & ~BM_CAPABLE) | (value & BM_CAPABLE);
    }
  }

  private startOrStop(value: number): void {
    const starts = (value & START) !== 0 && (this.bmCommand & START) === 0;
    this.bmCommand = value;
    if (!(value & START)) this.bmStatus &= ~BM_ACTIVE;
    else if (starts) {
      this.bmStatus |= BM_ACTIVE;
      if (this.command !== 0 && !this.started) this.go();
    }
  }

  // the disk's work

  private go(): void {
    this.backend.kick(0);
  }

  process(queue: number): void {
    if (this.command === 0 || this.started) return;
    this.started = true;
    this.backend.start(queue, 0, this.request());
  }

  private request(): BlockRequest {
    const { kind, wide } = COMMANDS.get(this.command)!;
    if (kind === 'flush') return { kind, sectors: 0 };
    if (!wide) return { kind, sectors: this.now[2]! || 256 };
    return { kind, sectors: (this.before[2]! << 8) | this.now[2]! || 65_536 };
  }

  complete(_queue: number, _tag: number): void {
    if (!this.started) return;
    this.command = 0;
    this.started = false;
    this.bmStatus &= ~BM_ACTIVE;
    this.finish(DRDY | DSC);
  }

  private finish(status: number): void {
    this.status = status;
    this.setIntrq(true);
  }

  private setIntrq(high: boolean): void {
    if (high && !this.intrq) this.events++;
    if (high) this.bmStatus |= BM_INTERRUPT;
    this.intrq = high;
    this.drive();
  }

  private drive(): void {
    this.irq.set(this.intrq && !(this.control & NIEN));
  }

  /** INTRQ without a command: what a loose cable does. */
  fire(): void {
    this.setIntrq(true);
  }

  inspect() {
    const { events, status, error, control, intrq, bmCommand, bmStatus, command } = this;
    return { events, status, error, control, intrq, bmCommand, bmStatus, command };
  }

  save(): Plain {
    const { events, status, error, control, bmCommand, bmStatus, bmTable, command, words } = this;
    return {
      numbers: [events, status, error, control, bmCommand, bmStatus, bmTable, command, words],
      flags: [Number(this.intrq), Number(this.started)],
      taskFile: [...this.now, ...this.before],
    };
  }

  restore(state: Plain): void {
    const s = state as { numbers: number[]; flags: number[]; taskFile: number[] };
    const [events, status, error, control, bmCommand, bmStatus, bmTable, command, words] = s.numbers;
    Object.assign(this, { events, status, error, control, bmCommand, bmStatus, bmTable, command, words });
    this.intrq = s.flags[0] === 1;
    this.started = s.flags[1] === 1;
    this.now.set(s.taskFile.slice(0, 7));
    this.before.set(s.taskFile.slice(7));
  }
}
