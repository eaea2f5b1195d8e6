/**
 * An HVM guest put together: Xen's part of it, the kernel that runs in it, the device model in dom0, and its devices with
 * their drivers. A kernel that knows Xen has event channels beside the interrupt controllers of a PC.
 */
import { DmaMemory } from '../../abi/dma.ts';
import { PciBus, type PciFunction } from '../../devices/pc/pci.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import { NativeKernel } from '../../guest/linux/native.ts';
import type { KernelProfile } from '../../guest/linux/profiles.ts';
import { HYPERVISOR_CALLBACK_VECTOR, XenHvmKernel } from '../../guest/linux/xen-hvm.ts';
import type { Domain } from '../../hv/xen/domain.ts';
import { HvmCpu } from '../../hv/xen/x86/hvm-cpu.ts';
import type { HvmDomain } from '../../hv/xen/x86/hvm-domain.ts';
import { HvmHypercalls } from '../../hv/xen/x86/hvm-hypercalls.ts';
import { pciGsi } from '../../hv/xen/x86/hvm-wires.ts';
import { IoreqServer } from '../../hv/xen/x86/ioreq.ts';
import { TSC_KHZ } from '../../hw/x86/physical-lapic.ts';
import { guestDeviceNames } from '../../scenario/xen-rules.ts';
import type { GuestSpec } from '../../scenario/xen-schema.ts';
import { PcDevices } from '../pc-devices.ts';
import { DeviceModel } from './device-model.ts';
import type { XenHost } from './host.ts';

/** Pins of the virtual IOAPIC, and so the first number of event channels. */
const PINS = 48;
const ISA_IRQS = 16;
const INTA = 0;
/** GSIs with a device in the firmware's tables, in the order it lists them; the first is the power button's */
const FIRMWARE_GSIS = [9, 8, 12, 1] as const;
/** HVM_PARAM_CALLBACK_IRQ: GSI 1, which tells old tools that the guest knows of callbacks */
const VIA_GSI_1 = 1;

export class HvmGuest {
  readonly hvm: HvmDomain;
  readonly kernel: XenHvmKernel | NativeKernel;
  readonly cpus: readonly HvmCpu[];
  readonly model: DeviceModel;
  readonly devices: PcDevices;
  private readonly name: string;
  private readonly pci: PciBus;
  private readonly hypercalls: readonly HvmHypercalls[];

  constructor(
    private readonly host: XenHost,
    private readonly domain: Domain,
    readonly spec: GuestSpec,
    profile: KernelProfile,
  ) {
    const { shop, xen } = host;
    const { parts } = shop;
    const { id } = domain;
    this.name = `dom${id}`;
    const { name } = this;
    this.hvm = parts.add(xen.addHvm(domain));
    const { hvm } = this;
    this.cpus = hvm.vcpus.map((v) => new HvmCpu(v, xen.vmexits));
    this.hypercalls = this.cpus.map((cpu) => new HvmHypercalls(xen, domain, hvm, cpu));
    this.kernel = this.makeKernel(profile);
    hvm.vcpus.forEach((v, n) => {
      v.guest = this.kernel.cpus[n]!;
      // the firmware has started them all
      Object.assign(hvm.chips.vcpus[n]!, { initialised: true, down: false });
    });
    this.model = new DeviceModel(host, id);
    this.pci = parts.add(new PciBus(name));
    hvm.model.addPorts(0xcf8, 8, this.pci);
    this.devices = new PcDevices({
      shop,
      name,
      number: id,
      kernel: this.kernel,
      memory: new DmaMemory(),
      qemu: this.model.loop,
      bus: hvm.model,
      clockBus: hvm.own,
      drive: (gsi, high) => this.drive(gsi, high),
      intx: (slot) => ({ gsi: pciGsi(slot, INTA), drive: (high) => this.driveIntx(slot, high) }),
      addFunction: (fn) => this.addFunction(fn),
      register: (device, title, fire) => host.register(`${name}.${device}`, title, this.model, id, fire),
      disk: (disk) => host.disks(disk),
      transmit: (packet) => host.bridgeOut(packet),
      post: (job, a, b) => this.model.post(job, a, b),
    });
  }

  private makeKernel(profile: KernelProfile): XenHvmKernel | NativeKernel {
    const { shop } = this.host;
    const { parts, books, trace } = shop;
    const { id, shared, memory } = this.domain;
    const { hvm, cpus, spec } = this;
    const knowsXen = spec.kernel !== 'linux-2.6.36';
    const common = {
      id: this.name,
      domain: id,
      profile,
      vcpus: cpus,
      books,
      trace,
      parts,
      nrIrqs: PINS * 17 + 16 + 8 * cpus.length,
      x2apic: knowsXen,
      tscKhz: TSC_KHZ,
      apicId: (cpu: number) => 2 * cpu,
      apicCycle: hvm.chips.options.lapic.busCycle,
      slot: (cpu: number, vector: number) => hvm.vcpus[cpu]!.slot(vector),
      destination: (cpu: number, vector: number) => hvm.vcpus[cpu]!.destination(vector),
    };
    if (!knowsXen) return new NativeKernel({ ...common, timer: 'lapic' });
    return new XenHvmKernel({
      ...common,
      timer: 'xen',
      xen: {
        initialDomain: false,
        hypercalls: this.hypercalls,
        shared,
        memory,
        dynamicBase: PINS,
        slot: (port) => this.domain.slot(port),
        destination: (port) => this.domain.destination(port),
      },
    });
  }

  // boot

  createIoreqServer(): void {
    const { hvm, host } = this;
    hvm.ioreq = host.shop.parts.add(new IoreqServer(host.xen, this.domain.id, hvm.vcpus));
  }

  startModel(): void {
    this.model.bind(this.hvm.ioreq!);
  }

  /** The kernel boots on its first CPU: its chips, the way that events come by, and GSIs that the firmware lists. */
  bootKernel(): void {
    const { kernel } = this;
    kernel.controllers.start();
    for (const cpu of kernel.cpus) kernel.startCpu(cpu);
    if (kernel instanceof XenHvmKernel) {
      for (const { cpu } of kernel.cpus)
        this.hypercalls[cpu]!.setUpcallVector(cpu, HYPERVISOR_CALLBACK_VECTOR);
      this.hypercalls[0]!.setCallbackVia(VIA_GSI_1, 0);
    }
    kernel.controllers.requestTimer('timer', kernel.time.interrupt);
    if (kernel instanceof XenHvmKernel) for (const gsi of FIRMWARE_GSIS) kernel.mapGsi(gsi, gsi === 9);
  }

  /** Devices are found in the order of the scenario. */
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
        default:
          this.devices[d.driver]();
      }
    });
  }

  /** A packet for its emulated network card; false: it has none. */
  receives(packet: number, from: LinuxCpu): boolean {
    const receive = this.devices.receivers[0];
    receive?.(packet, from);
    return receive !== undefined;
  }

  private addFunction(fn: PciFunction): void {
    this.host.shop.parts.add(this.pci.add(fn));
    for (const bar of fn.bars) {
      if (bar?.kind === 'memory') this.hvm.model.addMemory(bar.base, bar.size, bar.registers);
    }
  }

  // wires

  /** A wire of the device model, or of one of Xen's own devices, changes. */
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
