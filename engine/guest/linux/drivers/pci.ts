/**
 * What a driver of a PCI function does with its configuration (arch/x86/pci/direct.c, drivers/pci/msi/): finding
 * capabilities, becoming bus master, and the messages of MSI-X.
 */
import type { Width } from '../../../core/registers.ts';
import type { Plain } from '../../../core/state.ts';
import type { Io } from './io.ts';

const ADDRESS = 0xcf8;
const DATA = 0xcfc;
const COMMAND = 0x04;
const STATUS = 0x06;
const CAPABILITIES = 0x34;
/** command: I/O, memory, bus master */
const ON = 0x0007;
const HAS_CAPABILITIES = 0x10;
const MSIX = 0x11;
/** message control of MSI-X */
const ENABLE = 0x8000;
const MASK_ALL = 0x4000;
const TABLE_SIZE = 0x07ff;
const MASKED = 1;
/** entries of the table: address, upper address, data, vector control */
const ENTRY = 16;

export class PciConfig {
  constructor(
    private readonly io: Io,
    /** device and function */
    readonly devfn: number,
  ) {}

  read(register: number, width: Width): number {
    this.select(register);
    return this.io.in(DATA + (register & 3), width);
  }

  write(register: number, value: number, width: Width): void {
    this.select(register);
    this.io.out(DATA + (register & 3), value, width);
  }

  private select(register: number): void {
    this.io.out(ADDRESS, (0x8000_0000 | (this.devfn << 8) | (register & 0xfc)) >>> 0, 4);
  }

  /** pci_enable_device, pci_set_master. */
  enable(): void {
    this.write(COMMAND, this.read(COMMAND, 2) | ON, 2);
  }

  /** pci_find_capability; 0: it has none of this kind. */
  find(kind: number): number {
    if (!(this.read(STATUS, 2) & HAS_CAPABILITIES)) return 0;
    let at = this.read(CAPABILITIES, 1) & 0xfc;
    while (at !== 0) {
      const head = this.read(at, 2);
      if ((head & 0xff) === kind) return at;
      at = (head >> 8) & 0xfc;
    }
    return 0;
  }

  /** Physical address of a memory base address register. */
  base(bar: number): number {
    return (this.read(0x10 + bar * 4, 4) & ~15) >>> 0;
  }
}

/** MSI-X of a function that has it. */
export class MsixTable {
  readonly vectors: number;
  private readonly table: number;
  /** the messages as written last: address, data, vector control */
  private written: [address: number, data: number, control: number][];

  private constructor(
    private readonly io: Io,
    private readonly config: PciConfig,
    private readonly at: number,
  ) {
    this.vectors = (config.read(at + 2, 2) & TABLE_SIZE) + 1;
    const table = config.read(at + 4, 4);
    this.table = config.base(table & 7) + (table & ~7);
    this.written = Array.from({ length: this.vectors }, () => [0, 0, MASKED]);
  }

  /** Undefined where the function has no MSI-X. */
  static find(io: Io, config: PciConfig): MsixTable | undefined {
    const at = config.find(MSIX);
    return at === 0 ? undefined : new MsixTable(io, config, at);
  }

  /** msix_capability_init: enabled with all masked, each on its own, then let go. */
  enable(): void {
    const control = this.config.read(this.at + 2, 2);
    this.config.write(this.at + 2, control | ENABLE | MASK_ALL, 2);
    for (let vector = 0; vector < this.vectors; vector++) {
      this.io.store(this.table + vector * ENTRY + 12, MASKED, 4);
    }
    this.config.write(this.at + 2, (control & ~MASK_ALL) | ENABLE, 2);
  }

  /** __pci_write_msi_msg and pci_msix_mask: what has changed is written, a message only while it is masked. @param io of the CPU that does it */
  compose(vector: number, address: number, data: number, masked: boolean, io = this.io): void {
    const written = this.written[vector]!;
    const at = this.table + vector * ENTRY;
    if (written[0] !== address || written[1] !== data) {
      if (written[2] !== MASKED) io.store(at + 12, MASKED, 4);
      io.store(at, address, 4);
      io.store(at + 4, 0, 4);
      io.store(at + 8, data, 4);
      if (written[2] !== MASKED) io.store(at + 12, 0, 4);
      // the writes are there before anyone goes on
      io.load(at + 8, 4);
    }
    const control = masked ? MASKED : 0;
    if (control !== written[2]) {
      io.store(at + 12, control, 4);
      if (masked) io.load(at, 4);
    }
    this.written[vector] = [address, data, control];
  }

  save(): Plain {
    return this.written;
  }

  restore(state: Plain): void {
    this.written = (state as [number, number, number][]).map(([a, d, c]) => [a, d, c]);
  }
}
