/**
 * The interrupt chips of a PC without a processor that runs: the two 8259As, the IOAPIC and one local APIC at their ports
 * and addresses, to be driven from outside, wire by wire.
 */
import { Clock } from '../core/clock.ts';
import { IrqChip } from '../hv/kvm/irqchip.ts';
import { ApicBus } from '../hw/x86/apic-bus.ts';
import type { Width } from '../hw/x86/cpu.ts';
import { IoBus } from '../hw/x86/io-bus.ts';
import { LocalApic } from '../hw/x86/lapic.ts';
import { KVM_LAPIC } from '../hw/x86/lapic-options.ts';
import type { QtestMachine, WiredDevice } from './qtest-machine.ts';

const IOAPIC = 0xfec0_0000;
const LAPIC = 0xfee0_0000;

export class QtestPc implements QtestMachine {
  readonly clock = new Clock();
  readonly bus = new IoBus();
  readonly devices: ReadonlyMap<string, WiredDevice>;
  readonly lapic: LocalApic;
  readonly chip: IrqChip;
  /** wire 0: INT of the master */
  onSignal: (wire: number, high: boolean) => void = () => {};

  constructor() {
    const apics = new ApicBus();
    this.chip = new IrqChip('pc', apics, this.clock);
    this.lapic = new LocalApic({
      id: 'lapic0',
      apicId: 0,
      bsp: true,
      options: KVM_LAPIC,
      bus: apics,
      clock: this.clock,
      tscKhz: 1_000_000,
      output: { request: () => {} },
    });
    this.chip.addVcpu();
    const { pic, ioapic } = this.chip;
    for (const port of [0x20, 0xa0, 0x4d0]) this.bus.addPorts(port, 2, pic.ports(port));
    this.bus.addMemory(IOAPIC, 4096, ioapic.registers);
    this.bus.addMemory(LAPIC, 4096, {
      read: (offset, width) => this.lapic.read(offset, width) ?? 0,
      write: (offset, value, width) => this.lapic.write(offset, value, width),
    });
    let intr = false;
    this.chip.picOutput = (high) => {
      if (high === intr) return;
      intr = high;
      this.onSignal(0, high);
    };
    const half = (first: number): WiredDevice => ({
      inputs: 8,
      signals: 'out',
      drive: (input, high) => pic.setIrq(first + input, high),
    });
    this.devices = new Map([
      ['ioapic', { inputs: ioapic.low.length, drive: (input, high) => ioapic.setIrq(input, high) }],
      // as QEMU names them on this machine
      ['/machine/unattached/device[6]', half(0)],
      ['/machine/unattached/device[7]', half(8)],
      ['i8259', half(0)],
    ]);
  }

  in(port: number, width: Width): number {
    return this.bus.in(port & 0xffff, width);
  }

  out(port: number, value: number, width: Width): void {
    this.bus.out(port & 0xffff, value, width);
  }

  load(address: number, width: Width): number {
    return this.bus.load(address, width);
  }

  store(address: number, value: number, width: Width): void {
    this.bus.store(address, value, width);
    this.chip.scanIfAsked(0);
  }
}
