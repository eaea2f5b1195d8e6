/** A virtual machine put together: KVM's part of it, the kernel that runs in it, and its devices with their drivers. */
import { KVM_FEATURE_PV_EOI } from '../../abi/kvm.ts';
import type { LineDriver } from '../../core/line.ts';
import type { Tracepoint } from '../../core/trace.ts';
import { I8254 } from '../../devices/pc/i8254.ts';
import type { Msix } from '../../devices/pc/msix.ts';
import { PciBus, type PciFunction } from '../../devices/pc/pci.ts';
import type { VirtioPci } from '../../devices/pc/virtio.ts';
import { VirtioBlk } from '../../devices/pc/virtio-blk.ts';
import { VirtioNet } from '../../devices/pc/virtio-net.ts';
import { VirtioBlkDriver } from '../../guest/linux/drivers/virtio-blk.ts';
import { VirtioNetDriver } from '../../guest/linux/drivers/virtio-net.ts';
import type { Work } from '../../guest/linux/irq-core.ts';
import { NativeKernel } from '../../guest/linux/native.ts';
import { KERNELS } from '../../guest/linux/profiles.ts';
import type { Disk } from '../../guest/linux/xen-drivers/block.ts';
import { FROM_GUEST, flowOf, packetOf, WANTS_REPLY } from '../../guest/linux/xen-drivers/net.ts';
import { KvmCpu } from '../../hv/kvm/instructions.ts';
import { KvmVcpu } from '../../hv/kvm/vcpu.ts';
import { Vm } from '../../hv/kvm/vm.ts';
import { TSC_KHZ } from '../../hw/x86/physical-lapic.ts';
import { vmDeviceNames } from '../../scenario/kvm-rules.ts';
import type { VmDeviceSpec, VmSpec } from '../../scenario/kvm-schema.ts';
import { timing } from '../../timing.ts';
import { MessageRegister } from '../message-register.ts';
import { PcDevices } from '../pc-devices.ts';
import { Worker } from '../worker.ts';
import type { KvmHost } from './host.ts';
import type { Fired } from './host-devices.ts';
import { PendingBits } from './masked-messages.ts';

const NOTIFY = 0x3000;
const NOTIFY_STRIDE = 4;
type VirtioSpec = Extract<VmDeviceSpec, { driver: 'virtio-blk' | 'virtio-net' }>;
const SHORT: Work = { cost: () => timing.shortHandler, run: () => {} };

export class VmParts {
  readonly vm: Vm;
  readonly kernel: NativeKernel;
  readonly cpus: readonly KvmCpu[];
  /** QEMU's main loop */
  readonly qemu: Worker;
  readonly fired = new Map<string, Fired>();
  /** by function: raises one of its messages, and answers with its journey */
  private readonly messages = new Map<number, (index: number) => number>();
  /** by function: MSI-X of the devices that are QEMU's */
  readonly tables = new Map<number, { readonly msix: Msix; readonly bits: PendingBits }>();
  /** counter 0 of the interval timer is through, once more than it was set to */
  private tick: () => void = () => {};
  private readonly tpJob: Tracepoint;
  private readonly pci: PciBus;
  private readonly pc: PcDevices;
  private nextVirtio = 0;

  constructor(
    private readonly host: KvmHost,
    readonly spec: VmSpec,
    /** from 1 on */
    readonly number: number,
    readonly name: string,
  ) {
    const { shop, kvm } = host;
    const { parts, books, trace } = shop;
    const pvEoi = spec['pv-eoi'] ?? kvm.options.version === '6.1';
    this.vm = new Vm(kvm, shop, number - 1, name, Number(pvEoi) << KVM_FEATURE_PV_EOI);
    const { memory, features } = this.vm;
    this.tpJob = trace.point('main_loop_wait', 'vm');
    const old = spec.kernel === 'linux-2.6.36';
    const timer = spec.timer ?? (old || kvm.options.version === '2.6.36' ? 'lapic' : 'tsc-deadline');
    this.cpus = Array.from({ length: spec.vcpus }, (_, n) => {
      const index = kvm.vcpus.length;
      const first = kvm.processors[this.allowed[index % this.allowed.length]!]!;
      const v = parts.add(new KvmVcpu(kvm, this.vm, index, n, first, TSC_KHZ, timer === 'tsc-deadline'));
      parts.add(v.pages);
      this.vm.chip.addVcpu();
      this.vm.vcpus.push(v);
      kvm.vcpus.push(v);
      kvm.wiring.guests.push(v);
      return new KvmCpu(v);
    });
    this.kernel = new NativeKernel({
      id: name,
      domain: number,
      profile: KERNELS[spec.kernel],
      vcpus: this.cpus,
      books,
      trace,
      parts,
      nrIrqs: 24 * 17 + 16 + 8 * spec.vcpus,
      x2apic: spec.x2apic && !old,
      timer,
      tscKhz: TSC_KHZ,
      apicCycle: 1,
      // CONFIG_KVM_GUEST of that age knows nothing that is of use here
      ...(!old && { kvm: { features, memory } }),
      slot: (cpu, vector) => this.vm.vcpus[cpu]!.slot(vector),
      destination: (cpu, vector) => this.vm.vcpus[cpu]!.destination(vector),
    });
    this.vm.vcpus.forEach((v, n) => {
      v.entry = this.kernel.cpus[n]!;
    });
    this.pci = parts.add(new PciBus(name));
    this.vm.userBus.addPorts(0xcf8, 8, this.pci);
    this.qemu = new Worker(host.kernel, `qemu-${name}`, 0, this.allowed, 1_500, 1_200, this.carry);
    this.pc = new PcDevices({
      shop,
      name,
      number,
      kernel: this.kernel,
      memory,
      qemu: this.qemu,
      bus: this.vm.userBus,
      clockBus: this.vm.userBus,
      drive: (gsi, high) => this.vm.setLine(books.source, gsi, high),
      intx: (_, gsi) => ({ gsi, drive: (high) => this.vm.setLine(books.source, gsi, high) }),
      addFunction: (fn) => this.addFunction(fn),
      register: (device, title, fire) => this.register(device, title, fire),
      disk: (disk) => host.disk(disk),
      transmit: (packet) => host.transmit(packet),
      post: (job, a, b) => this.qemu.post(job, a, b, host.cpuHere()),
    });
  }

  get disks(): readonly Disk[] {
    return this.pc.disks;
  }

  /** Each sends a packet into one of the machine's network cards, from code of the host. */
  get receivers(): PcDevices['receivers'] {
    return this.pc.receivers;
  }

  /** What is behind a row raises it: the answer is the journey, 0 if nothing came of it; undefined: nothing is behind it. */
  raise(irq: number): number | undefined {
    const message = this.kernel.controllers.messageOf(irq);
    const raise = message && this.messages.get(message.device);
    if (message) return raise?.(message.index);
    const event = irq === 0 ? this.tick : this.pc.events.get(irq);
    return event && this.journeyOf(event);
  }

  /** The journey of what this raises first; 0: it raises nothing. */
  journeyOf(act: () => void): number {
    const { books } = this.host.shop;
    const { begun } = books;
    act();
    return books.begun === begun ? 0 : begun + 1;
  }

  private readonly carry = (journey: number): void => {
    const { kvm } = this.host;
    kvm.carried = journey;
    if (journey !== 0) kvm.trace.emit(this.tpJob, kvm.now, journey, kvm.hereCpu, this.vm.index);
  };

  get allowed(): readonly number[] {
    return this.spec.cpus ?? this.host.everyCpu;
  }

  // boot

  /** The kernel boots on its first CPU; devices are found in the order of the scenario. */
  boot(): void {
    const { kernel } = this;
    kernel.controllers.start();
    for (const cpu of kernel.cpus) kernel.startCpu(cpu);
    this.timer();
    const names = vmDeviceNames(this.spec.devices);
    this.spec.devices.forEach((d, i) => {
      this.probe(d, names[i]!);
    });
  }

  /** The interval timer: KVM's own, and the kernel's only tick where that is what it has. */
  private timer(): void {
    const { host, kernel, vm } = this;
    const { clock, books, parts } = host.shop;
    const source = books.sourceOf(`${this.name} pit`);
    const wire = { set: (high: boolean) => vm.setLine(source, 0, high) };
    const pit = parts.add(new I8254(`${this.name}.pit`, clock, wire, { output: 'kvm', reinject: true }));
    vm.kernelBus.addPorts(0x40, 4, pit);
    vm.routing.notify(0, () => pit.ack());
    this.tick = () => {
      wire.set(true);
      wire.set(false);
    };
    const { hz } = kernel.profile;
    kernel.controllers.requestTimer('timer', kernel.time.interrupt);
    if (kernel.init.timer !== 'pit') return;
    const { hardware } = kernel.cpus[0]!;
    const count = Math.round(1_193_182 / hz);
    hardware.out(0x43, 0x34);
    hardware.out(0x40, count & 0xff);
    hardware.out(0x40, count >> 8);
  }

  private probe(spec: VmDeviceSpec, names: readonly string[]): void {
    const [name] = names as [string];
    switch (spec.driver) {
      case 'i8042':
      case 'rtc':
      case 'serial':
      case 'acpi':
        this.pc[spec.driver]();
        return;
      case 'ata':
        this.pc.ata(spec.disk, name);
        return;
      case 'e1000':
        this.pc.e1000(spec.gsi, name);
        return;
      case 'uhci':
        this.pc.uhci(spec.gsi, spec.served);
        return;
      case 'virtio-blk':
        this.virtioBlk(spec, name);
        return;
      case 'virtio-net':
        this.virtioNet(spec, name);
        return;
      case 'vfio':
        this.vfio(spec, name);
    }
  }

  /** What the user fires happens in QEMU: its main loop is woken by the network. */
  private register(name: string, title: string, fire: () => void): void {
    const job = this.qemu.job(fire);
    const full = `${this.name}.${name}`;
    this.fired.set(full, { name: full, title, fire: () => this.host.toQemu(this, job) });
  }

  private virtioBlk(spec: Extract<VmDeviceSpec, { driver: 'virtio-blk' }>, name: string): void {
    const queues = Math.min(spec.queues, this.spec.vcpus);
    const place = this.virtioPlace(name, spec, queues);
    this.reach(name, place.device.devfn);
    const device: VirtioBlk = this.host.shop.parts.add(
      new VirtioBlk(
        `${this.name}.${name}`,
        place.device,
        queues,
        this.pc.backend(spec.disk, () => device),
      ),
    );
    this.addVirtio(device, place.device);
    this.ioeventfds(place.device.base, queues);
    const driver = new VirtioBlkDriver(this.kernel, place.virtio, place.driver, queues);
    driver.probe();
    this.pc.disks.push(driver);
    this.register(name, 'virtio disk', () => device.fire());
  }

  // network

  private virtioNet(spec: Extract<VmDeviceSpec, { driver: 'virtio-net' }>, name: string): void {
    const { host } = this;
    const pairs = Math.min(spec.queues, this.spec.vcpus);
    const place = this.virtioPlace(name, spec, 2 * pairs + 1);
    const thread = spec.vhost
      ? new Worker(
          host.kernel,
          `vhost-${this.name}.${name}`,
          1 % host.kernel.cpuCount,
          this.allowed,
          600,
          400,
          this.carry,
        )
      : this.qemu;
    this.reach(name, place.device.devfn);
    const process = thread.job((_, queue) => device.process(queue));
    const receive = thread.job((_, packet) => {
      device.receive(packet);
    });
    const device = host.shop.parts.add(
      new VirtioNet(`${this.name}.${name}`, place.device, pairs, {
        kick: (queue) => thread.post(process, queue, 0, host.cpuHere()),
        transmit: (_, packet) => host.transmit(packet),
      }),
    );
    this.addVirtio(device, place.device);
    this.ioeventfds(place.device.base, 2 * pairs + 1);
    const driver: VirtioNetDriver = new VirtioNetDriver(
      this.kernel,
      place.virtio,
      place.driver,
      pairs,
      (cpu, packet) => {
        if (packet & WANTS_REPLY) driver.xmit(cpu, packetOf(this.number, flowOf(packet), FROM_GUEST));
      },
    );
    driver.probe();
    this.pc.receivers.push((packet, from) => thread.post(receive, packet, 0, from));
    this.register(name, 'virtio network card', () => device.receive(packetOf(this.number, 0, 0)));
  }

  /** A function of a real card: its messages come from the hardware, by way of the host or past it. */
  private vfio(spec: Extract<VmDeviceSpec, { driver: 'vfio' }>, name: string): void {
    const { host, kernel } = this;
    const devfn = this.pc.slot();
    const raises: (() => number)[] = [];
    this.messages.set(devfn, (n) => raises[n]!());
    for (let n = 0; n < spec.queues; n++) {
      const to = host.shop.parts.add(new MessageRegister(`${this.name}.msi.${devfn}.${n}`));
      const desc = kernel.controllers.allocMsi(devfn, n, to.write, [n % kernel.cpuCount]);
      kernel.controllers.request(desc, `${spec.name}-${n}`, SHORT);
      const raise = host.passedThrough(this, `${name}.${n}`, to);
      raises.push(raise);
      const full = `${this.name}.${n === 0 ? name : `${name}.${n}`}`;
      this.fired.set(full, { name: full, title: 'passed-through card', fire: raise });
      const sources = [host.kvm.options.posted ? `${this.name}.${name}.${n}` : `vfio-msix[${name}.${n}]`];
      host.shop.reaches.set(full, { domain: this.number, irqs: () => [desc.irq], sources });
    }
  }

  /** Its rows are those of its messages. */
  private reach(name: string, devfn: number): void {
    const irqs = () => this.kernel.controllers.rowsOf(devfn);
    this.host.shop.reaches.set(`${this.name}.${name}`, { domain: this.number, irqs });
  }

  /** A free device number on its PCI bus, as devfn, for a function with one message that is raised so. */
  slotFor(raise: () => void): number {
    const devfn = this.pc.slot();
    this.messages.set(devfn, () => this.journeyOf(raise));
    return devfn;
  }

  /** The wire of a GSI, in the name of this device; `event` is what its row raises, unless another device does. */
  wire(gsi: number, device: string, event: () => void): LineDriver {
    if (!this.pc.events.has(gsi)) this.pc.events.set(gsi, event);
    return this.pc.line(gsi, device);
  }

  // PCI

  private virtioPlace(name: string, { pba, unlazy }: VirtioSpec, queues: number) {
    const { host, vm } = this;
    const devfn = this.pc.slot();
    const base = this.pc.bar(devfn);
    const source = host.shop.books.sourceOf(`${this.name}.${name}`);
    return {
      virtio: `virtio${this.nextVirtio++}`,
      device: {
        devfn,
        base,
        msixBase: base + 0x8000,
        memory: vm.memory,
        intx: this.pc.line(11, name),
        send: (low: number, high: number, data: number) => vm.message(source, low, high, data),
        pba,
        masked: new PendingBits(host.shop.books, vm, source, queues + 1),
      },
      driver: { devfn, memory: vm.memory, gsi: 11, unlazy },
    };
  }

  private addVirtio(
    { fn, msix }: VirtioPci,
    { devfn, masked }: { devfn: number; masked: PendingBits },
  ): void {
    this.addFunction(fn);
    this.tables.set(devfn, { msix, bits: masked });
    this.messages.set(devfn, (n) => this.journeyOf(() => msix.notify(n)));
  }

  private addFunction(fn: PciFunction): void {
    const { parts } = this.host.shop;
    parts.add(this.pci.add(fn));
    for (const bar of fn.bars) {
      if (bar?.kind === 'memory') this.vm.userBus.addMemory(bar.base, bar.size, bar.registers);
    }
  }

  /** Notifications of queues only signal an event, which QEMU or vhost waits for. */
  private ioeventfds(base: number, queues: number): void {
    for (let n = 0; n < queues; n++) {
      const address = base + NOTIFY + n * NOTIFY_STRIDE;
      this.vm.ioeventfds.set(address, (value) => this.vm.userBus.store(address, value, 2));
    }
  }
}
