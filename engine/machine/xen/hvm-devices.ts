/**
 * The PC around an HVM guest: the device model in dom0 with its devices, the 8254 and the clock, which are Xen's, and the
 * wires from both to the guest's interrupt controllers.
 */
import { DmaMemory } from '../../abi/dma.ts';
import type { LineDriver } from '../../core/line.ts';
import { I8254 } from '../../devices/pc/i8254.ts';
import { PciBus, type PciFunction } from '../../devices/pc/pci.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { NativeKernel } from '../../guest/linux/native.ts';
import type { Message } from '../../guest/linux/native-irqs.ts';
import type { Disk } from '../../guest/linux/xen-drivers/block.ts';
import type { HvmDomain } from '../../hv/xen/x86/hvm-domain.ts';
import { pciGsi } from '../../hv/xen/x86/hvm-wires.ts';
import { IoreqServer } from '../../hv/xen/x86/ioreq.ts';
import { guestDeviceNames } from '../../scenario/xen-rules.ts';
import type { GuestSpec } from '../../scenario/xen-schema.ts';
import { PcDevices } from '../pc-devices.ts';
import { DeviceModel } from './device-model.ts';
import type { XenHost } from './host.ts';
import { Passthrough } from './passthrough.ts';

const ISA_IRQS = 16;
const INTA = 0;
const TIMER_IRQ = 0;
const CLOCK_IRQ = 8;
const PIT_HZ = 1_193_182;

export class HvmDevices {
  readonly model: DeviceModel;
  private readonly devices: PcDevices;
  private readonly passthrough: Passthrough;
  private readonly pci: PciBus;
  private readonly name: string;

  constructor(
    private readonly host: XenHost,
    private readonly domain: number,
    private readonly spec: GuestSpec,
    private readonly hvm: HvmDomain,
    private readonly kernel: NativeKernel,
  ) {
    const { shop } = host;
    this.name = `dom${domain}`;
    const { name } = this;
    this.model = new DeviceModel(host, domain);
    this.pci = shop.parts.add(new PciBus(name));
    hvm.model.addPorts(0xcf8, 8, this.pci);
    this.devices = new PcDevices({
      shop,
      name,
      number: domain,
      kernel,
      memory: new DmaMemory(),
      qemu: this.model.loop,
      bus: hvm.model,
      clockBus: hvm.own,
      clockTicks: {
        service: (taken) => hvm.vpt.isaTicks('rtc', CLOCK_IRQ, taken, true),
        direct: (source) => this.direct(CLOCK_IRQ, source),
      },
      drive: (gsi, high) => this.drive(gsi, high),
      intx: (slot) => ({ gsi: pciGsi(slot, INTA), drive: (high) => this.driveIntx(slot, high) }),
      addFunction: (fn) => this.addFunction(fn),
      register: (device, title, fire) => host.register(`${name}.${device}`, title, this.model, domain, fire),
      disk: (disk) => host.disks(disk),
      transmit: (packet) => host.bridgeOut(packet),
      post: (job, a, b) => this.model.post(job, a, b),
    });
    this.passthrough = new Passthrough(host, hvm, kernel, this.devices, (fn) => this.addFunction(fn));
    this.addTimer();
  }

  // boot

  /** xl create starts the device model: its channels are there before the guest's. */
  createIoreqServer(): void {
    const { hvm, host } = this;
    hvm.ioreq = host.shop.parts.add(new IoreqServer(host.xen, this.domain, hvm.vcpus));
  }

  startModel(): void {
    this.model.bind(this.hvm.ioreq!);
    for (const d of this.spec.devices) if (d.driver === 'passthrough') this.passthrough.find(d);
  }

  /** The kernel finds the devices in the order of the scenario. */
  probe(frontend: () => void): void {
    const names = guestDeviceNames(this.spec.devices);
    this.spec.devices.forEach((d, i) => {
      const [name] = names[i] as [string];
      switch (d.driver) {
        case 'ata':
          this.devices.ata(d.disk, name);
          return;
        case 'e1000':
          this.devices.e1000(0, name);
          return;
        case 'vkbd':
          frontend();
          return;
        case 'passthrough':
          this.passthrough.add(d);
          return;
        default:
          this.devices[d.driver]();
      }
    });
  }

  private addFunction(fn: PciFunction): void {
    this.host.shop.parts.add(this.pci.add(fn));
    for (const bar of fn.bars) {
      if (bar?.kind === 'memory') this.hvm.model.addMemory(bar.base, bar.size, bar.registers);
    }
  }

  /** The 8254 is Xen's; a kernel that has no better tick programs it. */
  private addTimer(): void {
    const { hvm, host } = this;
    const ticks = hvm.vpt.isaTicks('pit', TIMER_IRQ, () => pit.taken());
    hvm.chips.timerRuns = () => hvm.vpt.isActive(ticks.pt);
    const nothing = { set: () => {} };
    const pit: I8254 = host.shop.parts.add(
      new I8254(`${this.name}.pit`, host.shop.clock, nothing, { output: 'xen', reinject: false, ticks }),
    );
    hvm.own.addPorts(0x40, 4, pit);
  }

  /** pit_timer_init: rate generator, at the kernel's frequency. */
  startTicks(): void {
    const { kernel } = this;
    const { hardware } = kernel.cpus[0]!;
    const count = Math.round(PIT_HZ / kernel.profile.hz);
    hardware.out(0x43, 0x34);
    hardware.out(0x40, count & 0xff);
    hardware.out(0x40, count >> 8);
  }

  // what others need

  /** A free device number on its PCI bus, as devfn. */
  freeSlot(): number {
    return this.devices.slot();
  }

  get disks(): readonly Disk[] {
    return this.devices.disks;
  }

  /** A packet for its emulated network card; false: it has none. */
  receives(packet: number, from: LinuxCpu): boolean {
    const receive = this.devices.receivers[0];
    receive?.(packet, from);
    return receive !== undefined;
  }

  /** An event of the device on a GSI, as if it came about by itself; undefined: nothing is on it that could have one. */
  eventOn(gsi: number): (() => void) | undefined {
    return gsi === TIMER_IRQ ? () => this.tick() : this.devices.events.get(gsi);
  }

  /** A message of a device that was passed through: the physical interrupt behind it; -1: none. */
  passedMessage(message: Message): number {
    return this.passthrough.irqOf(message);
  }

  // wires

  /** Counter 0 of the 8254 is through, once more than it was set to. */
  private tick(): void {
    const line = this.direct(TIMER_IRQ, 'pit');
    line.set(true);
    line.set(false);
  }

  /** A wire of the device model's changes. */
  private drive(gsi: number, high: boolean): void {
    const { irq } = this.hvm;
    const isa = gsi < ISA_IRQS;
    this.raise(gsi, high, () => {
      if (high) return isa ? irq.isaIrqAssert(gsi) : irq.gsiAssert(gsi);
      if (isa) irq.isaIrqDeassert(gsi);
      else irq.gsiDeassert(gsi);
      return 1;
    });
  }

  private driveIntx(slot: number, high: boolean): void {
    const { irq } = this.hvm;
    this.raise(pciGsi(slot, INTA), high, () => {
      if (high) return irq.pciIntxAssert(slot, INTA);
      irq.pciIntxDeassert(slot, INTA);
      return 1;
    });
  }

  /** An ISA interrupt of one of Xen's own devices, whose timer raises it as well. */
  private direct(irq: number, source: string): LineDriver {
    const id = this.host.shop.books.sourceOf(`${this.name}.${source}`);
    return {
      set: (high) => {
        const { books } = this.host.shop;
        const { source: before } = books;
        books.source = id;
        this.drive(irq, high);
        if (!high) books.source = before;
      },
    };
  }

  /** Tells Xen, and the books of what came of it: requests are told of by the chips and event channels. */
  private raise(gsi: number, high: boolean, act: () => number): void {
    const { books } = this.host.shop;
    if (high) this.model.begin();
    else this.model.hypercall();
    const reached = act();
    if (!high || reached > 0) return;
    const destination = books.destinationOf(`${this.name} gsi ${gsi}`);
    if (reached === 0) books.coalesce(destination);
    else books.ignore(destination, 'masked');
  }
}
