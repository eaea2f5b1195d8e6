/**
 * The interrupt controller of an ARM board without a processor that runs, at its addresses on `virt`, to be driven from
 * outside, wire by wire: a GICv2 with one CPU interface, or a GICv3 with one redistributor, whose CPU interface only the
 * processor's own instructions would reach.
 */
import { Clock } from '../core/clock.ts';
import type { Width } from '../core/registers.ts';
import { VIRT_BASE, VIRT_INTIDS } from '../hw/arm/board-virt.ts';
import { Gic, Signal } from '../hw/arm/gic.ts';
import type { GicVersion } from '../hw/arm/gic-core.ts';
import { GICC_SIZE, GICR_SIZE, PRIVATE, SGIS } from '../hw/arm/gic-regs.ts';
import type { QtestMachine, WiredDevice } from './qtest-machine.ts';

/** SPIs that have wires; the distributor of GICv3 has registers for fewer */
const SPIS = VIRT_INTIDS[2] - PRIVATE;

/** Inputs of the processor, in QEMU's order. */
const WIRES = [Signal.IRQ, Signal.FIQ] as const;

export class QtestVirt implements QtestMachine {
  readonly clock = new Clock();
  readonly gic: Gic;
  readonly devices: ReadonlyMap<string, WiredDevice>;
  /** IRQ and FIQ of the processor */
  onSignal: (wire: number, high: boolean) => void = () => {};

  constructor(version: GicVersion = 2) {
    this.gic = new Gic({
      id: 'gic',
      version,
      cpus: 1,
      intids: VIRT_INTIDS[2],
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
    const { gic } = this;
    const dist = address - VIRT_BASE.GICD;
    if (dist >= 0 && dist < gic.distributor.size) return gic.readDistributor(0, dist, width);
    const cpu = address - VIRT_BASE.GICC;
    if (gic.version === 2 && cpu >= 0 && cpu < GICC_SIZE) return gic.readGicc(0, cpu, width);
    const redist = address - VIRT_BASE.GICR;
    if (gic.version === 3 && redist >= 0 && redist < GICR_SIZE) return gic.readRedistributor(redist, width);
    return 0;
  }

  store(address: number, value: number, width: Width): void {
    const { gic } = this;
    const dist = address - VIRT_BASE.GICD;
    const cpu = address - VIRT_BASE.GICC;
    const redist = address - VIRT_BASE.GICR;
    if (dist >= 0 && dist < gic.distributor.size) gic.writeDistributor(0, dist, value, width);
    else if (gic.version === 2 && cpu >= 0 && cpu < GICC_SIZE) gic.writeGicc(0, cpu, value, width);
    else if (gic.version === 3 && redist >= 0 && redist < GICR_SIZE) {
      gic.writeRedistributor(redist, value, width);
    }
  }
}
