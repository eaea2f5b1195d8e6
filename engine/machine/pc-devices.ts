/**
 * The devices of a virtual PC that are the same under every hypervisor, put together with their drivers in its kernel:
 * keyboard, clock, serial line, power button, IDE and an e1000. What differs, where a wire leads and what does the work of
 * the device model, is told by a `PcPlace`.
 */
import type { DmaMemory } from '../abi/dma.ts';
import { Line, type LineDriver } from '../core/line.ts';
import type { TickService } from '../core/ticks.ts';
import { AtaChannel } from '../devices/pc/ata.ts';
import type { BlockBackend, BlockDevice } from '../devices/pc/backend.ts';
import { E1000Card } from '../devices/pc/e1000.ts';
import { I8042 } from '../devices/pc/i8042.ts';
import type { PciFunction } from '../devices/pc/pci.ts';
import { Rtc } from '../devices/pc/rtc.ts';
import { Uart16550 } from '../devices/pc/uart16550.ts';
import { Uhci } from '../devices/pc/uhci.ts';
import { AtaPiix, AtaPort } from '../guest/linux/drivers/ata-piix.ts';
import { E1000Driver } from '../guest/linux/drivers/e1000.ts';
import { RtcCmos } from '../guest/linux/drivers/rtc-cmos.ts';
import { Serial8250 } from '../guest/linux/drivers/serial8250.ts';
import { Serio } from '../guest/linux/drivers/serio.ts';
import { UhciHcd } from '../guest/linux/drivers/uhci.ts';
import type { LinuxCpu } from '../guest/linux/entry.ts';
import type { NativeKernel } from '../guest/linux/native.ts';
import type { Disk } from '../guest/linux/xen-drivers/block.ts';
import { FROM_GUEST, flowOf, packetOf, WANTS_REPLY } from '../guest/linux/xen-drivers/net.ts';
import type { IoBus } from '../hw/x86/io-bus.ts';
import { timing } from '../timing.ts';
import type { Workshop } from './machine.ts';
import type { Worker } from './worker.ts';

/** where the firmware puts the registers of PCI functions */
const BARS = 0xfe00_0000;
const BAR_STRIDE = 0x1_0000;
/** and their I/O ports */
const PORTS = 0xc100;
const PORT_STRIDE = 0x20;
const FIRST_SLOT = 3;
/** the clock's time when the machine starts: 2023-01-01 */
export const RTC_START = 1_672_531_200;

export interface PcPlace {
  readonly shop: Workshop;
  /** of the machine */
  readonly name: string;
  /** of the machine, in packets */
  readonly number: number;
  readonly kernel: NativeKernel;
  readonly memory: DmaMemory;
  /** the device model's main loop */
  readonly qemu: Worker;
  /** what the device model answers at */
  readonly bus: IoBus;
  /** what answers at the clock's ports */
  readonly clockBus: IoBus;
  /** who makes the clock's ticks, if not itself; the rest of its interrupts are raised by `direct` */
  readonly clockTicks?: {
    service(taken: () => void): TickService;
    direct(source: string): LineDriver;
  };
  /** the wire of a GSI changes, in the name of the books' source */
  drive(gsi: number, high: boolean): void;
  /** GSI of a PCI function's first interrupt line, and that line's wire */
  intx(slot: number, asked: number): { readonly gsi: number; drive(high: boolean): void };
  addFunction(fn: PciFunction): void;
  /** the user fires something: it happens in the device model */
  register(name: string, title: string, fire: () => void): void;
  disk(name: string | undefined): Disk;
  transmit(packet: number): void;
  /** gives the device model's main loop a job, from wherever code runs now */
  post(job: number, a: number, b: number): void;
}

export class PcDevices {
  readonly disks: Disk[] = [];
  /** sends a packet into the machine's network cards, from code of the device model's kernel */
  readonly receivers: ((packet: number, from: LinuxCpu) => void)[] = [];
  /** by GSI: an event of the device on it, as if it came about by itself */
  readonly events = new Map<number, () => void>();
  private readonly lines = new Map<number, Line>();
  private nextSlot = FIRST_SLOT;

  constructor(private readonly place: PcPlace) {}

  /** A free device number on the PCI bus, as devfn. */
  slot(): number {
    return this.nextSlot++ << 3;
  }

  bar(devfn: number): number {
    return BARS + devfn * BAR_STRIDE;
  }

  /** A source's end of the wire of a GSI, which is led on unless `drive` is given. */
  line(gsi: number, source: string, drive = (high: boolean) => this.place.drive(gsi, high)): LineDriver {
    const { name, shop } = this.place;
    const { books, parts } = shop;
    const id = books.sourceOf(`${name}.${source}`);
    let wire = this.lines.get(gsi);
    if (!wire) {
      wire = parts.add(new Line(`${name}.gsi${gsi}`, drive));
      this.lines.set(gsi, wire);
    }
    const driver = wire.driver();
    return {
      set: (high) => {
        const { source: before } = books;
        books.source = id;
        driver.set(high);
        if (!high) books.source = before;
      },
    };
  }

  /** The user fires it; its row can be raised by it too. The first device of a shared line raises that. */
  private register(gsi: number, name: string, title: string, fire: () => void): void {
    const { shop, name: machine, number } = this.place;
    if (!this.events.has(gsi)) this.events.set(gsi, fire);
    shop.reaches.set(`${machine}.${name}`, { domain: number, irqs: () => [gsi] });
    this.place.register(name, title, fire);
  }

  i8042(): void {
    const { name, shop, bus, kernel } = this.place;
    const { clock, parts } = shop;
    const device = parts.add(new I8042(`${name}.i8042`, clock, this.line(1, 'kbd'), this.line(12, 'mouse')));
    bus.addPorts(0x60, 1, {
      read: (_, w) => device.read(0, w),
      write: (_, v, w) => device.write(0, v, w),
    });
    bus.addPorts(0x64, 1, {
      read: (_, w) => device.read(4, w),
      write: (_, v, w) => device.write(4, v, w),
    });
    const driver = new Serio(kernel);
    driver.probe(kernel.cpus[0]!.hardware);
    for (const gsi of [12, 1])
      kernel.requestGsi(gsi, { level: false, name: 'i8042', work: driver.interrupt });
    this.register(1, 'kbd', 'keyboard', () => device.fire());
    this.register(12, 'mouse', 'PS/2 mouse', () => device.fireMouse());
  }

  rtc(): void {
    const { name, shop, clockBus, clockTicks, kernel } = this.place;
    const line = clockTicks ? clockTicks.direct('rtc') : this.line(8, 'rtc');
    const ticks = clockTicks?.service(() => device.taken());
    const device: Rtc = shop.parts.add(new Rtc(`${name}.rtc`, shop.clock, line, RTC_START, ticks));
    clockBus.addPorts(0x70, 2, device);
    const driver = new RtcCmos(kernel);
    driver.probe(kernel.cpus[0]!.hardware);
    kernel.requestGsi(8, { level: false, name: 'rtc0', work: driver.interrupt });
    this.register(8, 'rtc', 'real-time clock', () => device.fire());
  }

  serial(): void {
    const { name, shop, bus, kernel } = this.place;
    const device = shop.parts.add(new Uart16550(`${name}.uart`, shop.clock, this.line(4, 'uart')));
    bus.addPorts(0x3f8, 8, device);
    const driver = new Serial8250(kernel, 'ttyS0', 0x3f8);
    driver.probe(kernel.cpus[0]!.hardware);
    kernel.requestGsi(4, { level: false, name: 'ttyS0', work: driver.interrupt });
    this.register(4, 'uart', 'serial line', () => device.fire());
  }

  /** The power button, a level line that its handler lowers. */
  acpi(): void {
    const { kernel } = this.place;
    const line = this.line(9, 'acpi');
    const work = { cost: () => timing.shortHandler, run: () => line.set(false) };
    kernel.requestGsi(9, { level: true, name: 'acpi', work: work });
    this.register(9, 'acpi', 'power button', () => line.set(true));
  }

  /** A USB controller on a PCI line; where no driver of the kernel's serves it, its line stays up. */
  uhci(asked: number, served: boolean): void {
    const { name, shop, bus, kernel } = this.place;
    const slot = this.slot() >> 3;
    const { gsi, drive } = this.place.intx(slot, asked);
    const base = PORTS + slot * PORT_STRIDE;
    const device = shop.parts.add(new Uhci(`${name}.usb`, this.line(gsi, 'usb', drive)));
    bus.addPorts(base, PORT_STRIDE, device);
    if (served) {
      const driver = new UhciHcd(kernel, 'uhci_hcd:usb1', base);
      kernel.requestGsi(gsi, { level: true, name: driver.name, work: driver.interrupt });
    }
    this.place.register('usb', 'USB controller', () => device.fire());
  }

  // disks

  /** Requests go to a disk of the device model's kernel, from its thread; they come back there. */
  backend(disk: string | undefined, device: () => BlockDevice): BlockBackend {
    const { place } = this;
    const { qemu } = place;
    const physical = place.disk(disk);
    const process = qemu.job((_, queue) => device().process(queue));
    const complete = qemu.job((_, queue, tag) => device().complete(queue, tag));
    const submit = qemu.job((cpu, queue, tag) => physical.submit(cpu, owner, queue * 65_536 + tag));
    const owner = physical.owner((cpu, token) => qemu.post(complete, token >> 16, token & 0xffff, cpu));
    return {
      kick: (queue) => place.post(process, queue, 0),
      start: (queue, tag) => place.post(submit, queue, tag),
    };
  }

  /** IDE channels of the PIIX3, a disk at the first. */
  ata(disk: string | undefined, name: string): void {
    const { name: machine, shop, bus, kernel } = this.place;
    const { parts } = shop;
    const backend = this.backend(disk, () => first);
    const first = parts.add(new AtaChannel(`${machine}.ide0`, this.line(14, name), backend));
    const second = parts.add(new AtaChannel(`${machine}.ide1`, this.line(15, 'ide1'), backend, false));
    [first, second].forEach((channel, n) => {
      bus.addPorts(n === 0 ? 0x1f0 : 0x170, 8, channel.commandBlock);
      bus.addPorts(n === 0 ? 0x3f6 : 0x376, 1, channel.controlBlock);
      bus.addPorts(0xc000 + n * 8, 8, channel.busMaster);
    });
    const ports = [
      new AtaPort(kernel, 'sda', { command: 0x1f0, control: 0x3f6, busMaster: 0xc000 }),
      new AtaPort(kernel, 'sr0', { command: 0x170, control: 0x376, busMaster: 0xc008 }),
    ];
    const driver = new AtaPiix(ports);
    driver.probe(kernel.cpus[0]!.hardware);
    for (const gsi of [14, 15])
      kernel.requestGsi(gsi, { level: false, name: 'ata_piix', work: driver.interrupt });
    this.disks.push(ports[0]!);
    this.register(14, name, 'IDE disk', () => first.fire());
  }

  // network

  /** @param asked GSI of its interrupt line, where the machine leaves the choice */
  e1000(asked: number, name: string): void {
    const { place } = this;
    const { qemu, shop, memory, number } = place;
    const { clock, parts } = shop;
    const devfn = this.slot();
    const { gsi, drive } = place.intx(devfn >> 3, asked);
    const base = this.bar(devfn);
    const process = qemu.job((_, queue) => device.process(queue));
    const receive = qemu.job((_, packet) => {
      device.receive(packet);
    });
    const intx = this.line(gsi, name, drive);
    const device = parts.add(
      new E1000Card(
        `${place.name}.${name}`,
        clock,
        { devfn, base, memory, intx },
        {
          kick: (queue) => place.post(process, queue, 0),
          transmit: (_, packet) => place.transmit(packet),
        },
      ),
    );
    place.addFunction(device.fn);
    const driver: E1000Driver = new E1000Driver(
      place.kernel,
      'eth0',
      { devfn, memory, gsi },
      (cpu, packet) => {
        if (packet & WANTS_REPLY) driver.xmit(cpu, packetOf(number, flowOf(packet), FROM_GUEST));
      },
    );
    driver.probe();
    this.receivers.push((packet, from) => qemu.post(receive, packet, 0, from));
    this.register(gsi, name, 'e1000 network card', () => device.receive(packetOf(number, 0, 0)));
  }
}
