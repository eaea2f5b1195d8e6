/**
 * The interrupt controller of an ARM board without a processor that runs: a GICv2 with one CPU interface at its addresses
 * on `virt`, to be driven from outside, wire by wire.
 */
import { Clock } from '../core/clock.ts';
import type { Width } from '../core/registers.ts';
import { VIRT_BASE, VIRT_INTIDS } from '../hw/arm/board-virt.ts';
import { Gic, Signal } from '../hw/arm/gic.ts';
import { GICC_SIZE, GICD_SIZE, PRIVATE, SGIS } from '../hw/arm/gic-regs.ts';
import type { QtestMachine, WiredDevice } from './qtest-machine.ts';

const INTIDS = VIRT_INTIDS[2];
const SPIS = INTIDS - PRIVATE;

/** Inputs of the processor, in QEMU's order. */
const WIRES = [Signal.IRQ, Signal.FIQ] as const;

export class QtestVirt implements QtestMachine {
  readonly clock = new Clock();
  readonly gic: Gic;
  readonly devices: ReadonlyMap<string, WiredDevice>;
  /** IRQ and FIQ of the processor */
  onSignal: (wire: number, high: boolean) => void = () => {};

  constructor() {
    this.gic = new Gic({
      id: 'gic',
      version: 2,
      cpus: 1,
      intids: INTIDS,
      output: { changed: () => this.signal() },
    });
    // the SPIs, then the processor's private ones
    const chip: WiredDevice = {
      inputs: SPIS + PRIVATE,
      drive: (input, high) => {
        if (input < SPIS) this.gic.setLine(PRIVATE + input, high);
        else if (input - SPIS >= SGIS) this.gic.setPrivateLine(0, input - SPIS, high);
      },
    };
    const cpu: WiredDevice = { inputs: 4, drive: () => {}, signals: 'in' };
    this.devices = new Map([
      // as QEMU names them on this machine
      ['/machine/unattached/device[0]', cpu],
      ['/machine/unattached/device[1]', chip],
      ['gic', chip],
    ]);
  }

  private signal(): void {
    const signal = this.gic.signal(0);
    for (const [wire, of] of WIRES.entries()) this.onSignal(wire, signal === of);
  }

  /** There are no ports. */
  in(_port: number, width: Width): number {
    return 2 ** (width * 8) - 1;
  }

  out(): void {}

  /** What nobody answers is 0. */
  load(address: number, width: Width): number {
    const dist = address - VIRT_BASE.GICD;
    if (dist >= 0 && dist < GICD_SIZE[2]) return this.gic.readDistributor(0, dist, width);
    const cpu = address - VIRT_BASE.GICC;
    if (cpu >= 0 && cpu < GICC_SIZE) return this.gic.readGicc(0, cpu, width);
    return 0;
  }

  store(address: number, value: number, width: Width): void {
    const dist = address - VIRT_BASE.GICD;
    if (dist >= 0 && dist < GICD_SIZE[2]) this.gic.writeDistributor(0, dist, value, width);
    const cpu = address - VIRT_BASE.GICC;
    if (cpu >= 0 && cpu < GICC_SIZE) this.gic.writeGicc(0, cpu, value, width);
  }
}
