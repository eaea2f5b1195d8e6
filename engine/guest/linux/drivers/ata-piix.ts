/**
 * Disks behind the IDE function of a PIIX (drivers/ata/ata_piix.c, libata-sff.c): one command at a time on each of two
 * channels, by DMA. Both interrupts have the same handler, which looks at every channel with a command under way.
 */
import type { Plain } from '../../../core/state.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { LinuxKernel } from '../kernel.ts';
import { type Io, ioOf } from './io.ts';
import { RequestDriver } from './requests.ts';

/** registers of the command block */
const NSECT = 2;
const LBAL = 3;
const DEVICE = 6;
const STATUS = 7;
const COMMAND = 7;
const BUSY = 0x80;
const DRQ = 0x08;
const READ_DMA_EXT = 0x25;
/** device register: LBA */
const LBA = 0xe0;
/** sectors of each command: a page of memory */
const SECTORS = 8;
/** bus master: command, status, table */
const BM_STATUS = 2;
const BM_TABLE = 4;
const START = 0x01;
const TO_MEMORY = 0x08;
const BM_INTR = 0x04;
/** table of memory regions */
const PRD_TABLE = 0x7_0000;
const HANDLER = 1_200;

export interface AtaPorts {
  /** first port of the command block, and the one of the control block */
  readonly command: number;
  readonly control: number;
  /** first port of its half of the bus master */
  readonly busMaster: number;
}

/** One channel, as a disk of its own. */
export class AtaPort extends RequestDriver {
  /** commands that wait for their turn; the first one is under way */
  private pending: number[] = [];

  constructor(
    kernel: LinuxKernel,
    name: string,
    private readonly ports: AtaPorts,
  ) {
    super(kernel, name);
  }

  protected get queues(): number {
    return 1;
  }

  protected start(cpu: LinuxCpu, command: number): void {
    if (this.pending.push(command) === 1) this.issue(ioOf(cpu));
  }

  get active(): boolean {
    return this.pending.length > 0;
  }

  /** ata_sff_thaw: interrupts of the channel are let in. */
  probe(io: Io): void {
    io.in(this.ports.command + STATUS, 1);
    this.clearIrq(io);
    io.out(this.ports.control, 0, 1);
    this.waitIdle(io);
  }

  /** ata_bmdma_qc_issue. */
  private issue(io: Io): void {
    const { command, busMaster } = this.ports;
    this.waitIdle(io);
    io.out(command + DEVICE, LBA, 1);
    this.pause(io);
    this.waitIdle(io);
    // the task file: for each register the upper byte, then the lower
    for (const nsect of [SECTORS >> 8, SECTORS & 0xff]) {
      io.out(command + 1, 0, 1);
      io.out(command + NSECT, nsect, 1);
      for (let n = 0; n < 3; n++) io.out(command + LBAL + n, 0, 1);
    }
    io.out(command + DEVICE, LBA, 1);
    this.waitIdle(io);
    // ata_bmdma_setup
    io.out(busMaster + BM_TABLE, PRD_TABLE, 4);
    const control = io.in(busMaster, 1) & ~(START | TO_MEMORY);
    io.out(busMaster, control | TO_MEMORY, 1);
    io.out(command + COMMAND, READ_DMA_EXT, 1);
    this.pause(io);
    // ata_bmdma_start
    io.out(busMaster, io.in(busMaster, 1) | START, 1);
  }

  /** ata_bmdma_port_intr: false if the interrupt was not this channel's. */
  interrupted(cpu: LinuxCpu): boolean {
    const io = ioOf(cpu);
    const { command, control, busMaster } = this.ports;
    if (!(io.in(busMaster + BM_STATUS, 1) & BM_INTR)) return false;
    // ata_bmdma_stop
    io.out(busMaster, io.in(busMaster, 1) & ~START, 1);
    this.pause(io);
    // ata_sff_irq_status: reading the status takes INTRQ
    if (io.in(control, 1) & BUSY || io.in(command + STATUS, 1) & BUSY) return false;
    this.clearIrq(io);
    const done = this.pending.shift()!;
    const more = this.active;
    this.completed(cpu, done);
    if (more) this.issue(io);
    return true;
  }

  private waitIdle(io: Io): void {
    for (let n = 0; n < 1000; n++) if (!(io.in(this.ports.command + STATUS, 1) & (BUSY | DRQ))) return;
  }

  /** ata_sff_pause: reading the alternate status takes 400 ns. */
  private pause(io: Io): void {
    io.in(this.ports.control, 1);
  }

  /** ata_bmdma_irq_clear. */
  private clearIrq(io: Io): void {
    const { busMaster } = this.ports;
    io.out(busMaster + BM_STATUS, io.in(busMaster + BM_STATUS, 1), 1);
  }

  override save(): Plain {
    return [super.save(), this.pending];
  }

  override restore(state: Plain): void {
    const [base, pending] = state as [Plain, number[]];
    super.restore(base);
    this.pending = [...pending];
  }
}

/** The function with its two channels. */
export class AtaPiix {
  constructor(readonly ports: readonly AtaPort[]) {}

  probe(io: Io): void {
    for (const port of this.ports) port.probe(io);
  }

  /** ata_bmdma_interrupt, for interrupts 14 and 15 alike. */
  readonly interrupt: Work = {
    cost: () => HANDLER,
    run: (cpu) => {
      let handled = false;
      for (const port of this.ports) if (port.active && port.interrupted(cpu)) handled = true;
      return handled;
    },
  };
}
