/** A virtual machine put together: KVM's part of it, the kernel that runs in it, and its devices with their drivers. */
import { DmaMemory } from '../../abi/dma.ts';
import { Line, type LineDriver } from '../../core/line.ts';
import type { Tracepoint } from '../../core/trace.ts';
import { AtaChannel } from '../../devices/pc/ata.ts';
import type { BlockBackend, BlockDevice } from '../../devices/pc/backend.ts';
import { E1000Card } from '../../devices/pc/e1000.ts';
import { I8042 } from '../../devices/pc/i8042.ts';
import { I8254 } from '../../devices/pc/i8254.ts';
import { PciBus, type PciFunction } from '../../devices/pc/pci.ts';
import { Rtc } from '../../devices/pc/rtc.ts';
import { Uart16550 } from '../../devices/pc/uart16550.ts';
import { VirtioBlk } from '../../devices/pc/virtio-blk.ts';
import { VirtioNet } from '../../devices/pc/virtio-net.ts';
import { AtaPiix, AtaPort } from '../../guest/linux/drivers/ata-piix.ts';
import { E1000Driver } from '../../guest/linux/drivers/e1000.ts';
import { RtcCmos } from '../../guest/linux/drivers/rtc-cmos.ts';
import { Serial8250 } from '../../guest/linux/drivers/serial8250.ts';
import { Serio } from '../../guest/linux/drivers/serio.ts';
import { VirtioBlkDriver } from '../../guest/linux/drivers/virtio-blk.ts';
import { VirtioNetDriver } from '../../guest/linux/drivers/virtio-net.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
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
import type { KvmHost } from './host.ts';
import type { Fired } from './host-devices.ts';
import { Worker } from './worker.ts';

/** where the firmware puts the registers of PCI functions */
const BARS = 0xfe00_0000;
const BAR_STRIDE = 0x1_0000;
const NOTIFY = 0x3000;
const NOTIFY_STRIDE = 4;
const SHORT: Work = { cost: () => timing.shortHandler, run: () => {} };

export class VmParts {
  readonly vm: Vm;
  readonly kernel: NativeKernel;
  readonly cpus: readonly KvmCpu[];
  /** QEMU's main loop */
  readonly qemu: Worker;
  readonly fired = new Map<string, Fired>();
  readonly disks: Disk[] = [];
  /** sends a packet into the machine's network cards, from code of the host */
  readonly receivers: ((packet: number, from: LinuxCpu) => void)[] = [];
  private readonly tpJob: Tracepoint;
  private readonly memory = new DmaMemory();
  private readonly pci: PciBus;
  private readonly lines = new Map<number, Line>();
  private nextSlot = 3;
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
    this.vm = new Vm(kvm, shop, number - 1, name);
    this.tpJob = trace.point('main_loop_wait', 'vm');
    const old = spec.kernel === 'linux-2.6.36';
    const timer = spec.timer ?? (old || kvm.options.version === '2.6.36' ? 'lapic' : 'tsc-deadline');
    this.cpus = Array.from({ length: spec.vcpus }, (_, n) => {
      const index = kvm.vcpus.length;
      const first = kvm.processors[this.allowed[index % this.allowed.length]!]!;
      const v = parts.add(new KvmVcpu(kvm, this.vm, index, n, first, TSC_KHZ, timer === 'tsc-deadline'));
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
      slot: (cpu, vector) => this.vm.vcpus[cpu]!.slot(vector),
      destination: (cpu, vector) => this.vm.vcpus[cpu]!.destination(vector),
    });
    this.vm.vcpus.forEach((v, n) => {
      v.entry = this.kernel.cpus[n]!;
    });
    this.pci = parts.add(new PciBus(name));
    this.vm.userBus.addPorts(0xcf8, 8, this.pci);
    this.qemu = new Worker(host.kernel, `qemu-${name}`, 0, this.allowed, 1_500, 1_200, this.carry);
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
        this.i8042();
        return;
      case 'rtc':
        this.rtc();
        return;
      case 'serial':
        this.serial();
        return;
      case 'acpi': {
        const line = this.line(9, 'acpi');
        this.kernel.controllers.requestGsi(9, {
          level: true,
          name: 'acpi',
          work: { cost: SHORT.cost, run: () => line.set(false) },
        });
        this.register('acpi', 'power button', () => line.set(true));
        return;
      }
      case 'ata':
        this.ata(spec, name);
        return;
      case 'e1000':
        this.e1000(spec, name);
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

  /** A source's end of the wire of a GSI. */
  private line(gsi: number, source: string): LineDriver {
    const { host, vm } = this;
    const id = host.shop.books.sourceOf(`${this.name}.${source}`);
    let wire = this.lines.get(gsi);
    if (!wire) {
      wire = host.shop.parts.add(
        new Line(`${this.name}.gsi${gsi}`, (high) => vm.setLine(host.shop.books.source, gsi, high)),
      );
      this.lines.set(gsi, wire);
    }
    const driver = wire.driver();
    const { books } = host.shop;
    return {
      set: (high) => {
        const { source: before } = books;
        books.source = id;
        driver.set(high);
        if (!high) books.source = before;
      },
    };
  }

  /** What the user fires happens in QEMU: its main loop is woken by the network. */
  private register(name: string, title: string, fire: () => void): void {
    const job = this.qemu.job(fire);
    const full = `${this.name}.${name}`;
    this.fired.set(full, { name: full, title, fire: () => this.host.toQemu(this, job) });
  }

  private i8042(): void {
    const { clock, parts } = this.host.shop;
    const device = parts.add(
      new I8042(`${this.name}.i8042`, clock, this.line(1, 'kbd'), this.line(12, 'mouse')),
    );
    this.vm.userBus.addPorts(0x60, 1, {
      read: (_, w) => device.read(0, w),
      write: (_, v, w) => device.write(0, v, w),
    });
    this.vm.userBus.addPorts(0x64, 1, {
      read: (_, w) => device.read(4, w),
      write: (_, v, w) => device.write(4, v, w),
    });
    const driver = new Serio(this.kernel);
    driver.probe(this.kernel.cpus[0]!.hardware);
    for (const gsi of [12, 1]) {
      this.kernel.controllers.requestGsi(gsi, { level: false, name: 'i8042', work: driver.interrupt });
    }
    this.register('kbd', 'keyboard', () => device.fire());
    this.register('mouse', 'PS/2 mouse', () => device.fireMouse());
  }

  private rtc(): void {
    const { clock, parts } = this.host.shop;
    const device = parts.add(new Rtc(`${this.name}.rtc`, clock, this.line(8, 'rtc')));
    this.vm.userBus.addPorts(0x70, 2, device);
    const driver = new RtcCmos(this.kernel);
    driver.probe(this.kernel.cpus[0]!.hardware);
    this.kernel.controllers.requestGsi(8, { level: false, name: 'rtc0', work: driver.interrupt });
    this.register('rtc', 'real-time clock', () => device.fire());
  }

  private serial(): void {
    const { clock, parts } = this.host.shop;
    const device = parts.add(new Uart16550(`${this.name}.uart`, clock, this.line(4, 'uart')));
    this.vm.userBus.addPorts(0x3f8, 8, device);
    const driver = new Serial8250(this.kernel, 'ttyS0', 0x3f8);
    driver.probe(this.kernel.cpus[0]!.hardware);
    this.kernel.controllers.requestGsi(4, { level: false, name: 'ttyS0', work: driver.interrupt });
    this.register('uart', 'serial line', () => device.fire());
  }

  // disks

  /** Requests go to a disk of the host, from QEMU's thread; they come back there. */
  private backend(disk: string | undefined, device: () => BlockDevice): BlockBackend {
    const { host, qemu } = this;
    const physical = host.disk(disk);
    const process = qemu.job((_, queue) => device().process(queue));
    const complete = qemu.job((_, queue, tag) => device().complete(queue, tag));
    const submit = qemu.job((cpu, queue, tag) => physical.submit(cpu, owner, queue * 65_536 + tag));
    const owner = physical.owner((cpu, token) => qemu.post(complete, token >> 16, token & 0xffff, cpu));
    return {
      kick: (queue) => qemu.post(process, queue, 0, host.cpuHere()),
      start: (queue, tag) => qemu.post(submit, queue, tag, host.cpuHere()),
    };
  }

  private ata(spec: Extract<VmDeviceSpec, { driver: 'ata' }>, name: string): void {
    const { parts } = this.host.shop;
    const backend = this.backend(spec.disk, () => first);
    const first = parts.add(new AtaChannel(`${this.name}.ide0`, this.line(14, name), backend));
    const second = parts.add(new AtaChannel(`${this.name}.ide1`, this.line(15, 'ide1'), backend, false));
    const { userBus } = this.vm;
    [first, second].forEach((channel, n) => {
      userBus.addPorts(n === 0 ? 0x1f0 : 0x170, 8, channel.commandBlock);
      userBus.addPorts(n === 0 ? 0x3f6 : 0x376, 1, channel.controlBlock);
      userBus.addPorts(0xc000 + n * 8, 8, channel.busMaster);
    });
    const ports = [
      new AtaPort(this.kernel, 'sda', { command: 0x1f0, control: 0x3f6, busMaster: 0xc000 }),
      new AtaPort(this.kernel, 'sr0', { command: 0x170, control: 0x376, busMaster: 0xc008 }),
    ];
    const driver = new AtaPiix(ports);
    driver.probe(this.kernel.cpus[0]!.hardware);
    for (const gsi of [14, 15]) {
      this.kernel.controllers.requestGsi(gsi, { level: false, name: 'ata_piix', work: driver.interrupt });
    }
    this.disks.push(ports[0]!);
    this.register(name, 'IDE disk', () => first.fire());
  }

  private virtioBlk(spec: Extract<VmDeviceSpec, { driver: 'virtio-blk' }>, name: string): void {
    const place = this.virtioPlace(name);
    const queues = Math.min(spec.queues, this.spec.vcpus);
    const device: VirtioBlk = this.host.shop.parts.add(
      new VirtioBlk(
        `${this.name}.${name}`,
        place.device,
        queues,
        this.backend(spec.disk, () => device),
      ),
    );
    this.addFunction(device.fn);
    this.ioeventfds(place.device.base, queues);
    const driver = new VirtioBlkDriver(this.kernel, place.virtio, place.driver, queues);
    driver.probe();
    this.disks.push(driver);
    this.register(name, 'virtio disk', () => device.fire());
  }

  // network

  private virtioNet(spec: Extract<VmDeviceSpec, { driver: 'virtio-net' }>, name: string): void {
    const { host } = this;
    const place = this.virtioPlace(name);
    const pairs = Math.min(spec.queues, this.spec.vcpus);
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
    this.addFunction(device.fn);
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
    this.receivers.push((packet, from) => thread.post(receive, packet, 0, from));
    this.register(name, 'virtio network card', () => device.receive(packetOf(this.number, 0, 0)));
  }

  private e1000(spec: Extract<VmDeviceSpec, { driver: 'e1000' }>, name: string): void {
    const { host, qemu } = this;
    const { clock, parts } = host.shop;
    const devfn = this.nextSlot++ << 3;
    const base = this.bar(devfn);
    const process = qemu.job((_, queue) => device.process(queue));
    const receive = qemu.job((_, packet) => {
      device.receive(packet);
    });
    const place = { devfn, base, memory: this.memory, intx: this.line(spec.gsi, name) };
    const device = parts.add(
      new E1000Card(`${this.name}.${name}`, clock, place, {
        kick: (queue) => qemu.post(process, queue, 0, host.cpuHere()),
        transmit: (_, packet) => host.transmit(packet),
      }),
    );
    this.addFunction(device.fn);
    const driver: E1000Driver = new E1000Driver(
      this.kernel,
      'eth0',
      { devfn, memory: this.memory, gsi: spec.gsi },
      (cpu, packet) => {
        if (packet & WANTS_REPLY) driver.xmit(cpu, packetOf(this.number, flowOf(packet), FROM_GUEST));
      },
    );
    driver.probe();
    this.receivers.push((packet, from) => qemu.post(receive, packet, 0, from));
    this.register(name, 'e1000 network card', () => device.receive(packetOf(this.number, 0, 0)));
  }

  /** A function of a real card: its messages come from the hardware, by way of the host or past it. */
  private vfio(spec: Extract<VmDeviceSpec, { driver: 'vfio' }>, name: string): void {
    const { host, kernel } = this;
    const devfn = this.nextSlot++ << 3;
    for (let n = 0; n < spec.queues; n++) {
      const to = { address: 0, data: 0, masked: true };
      const desc = kernel.controllers.allocMsi(
        devfn,
        n,
        (address, data, masked) => Object.assign(to, { address, data, masked }),
        [n % kernel.cpuCount],
      );
      kernel.controllers.request(desc, `${spec.name}-${n}`, SHORT);
      const raise = host.passedThrough(this, `${name}.${n}`, to);
      const full = `${this.name}.${n === 0 ? name : `${name}.${n}`}`;
      this.fired.set(full, { name: full, title: 'passed-through card', fire: raise });
    }
  }

  // PCI

  private bar(devfn: number): number {
    return BARS + devfn * BAR_STRIDE;
  }

  private virtioPlace(name: string) {
    const { host, vm } = this;
    const devfn = this.nextSlot++ << 3;
    const base = this.bar(devfn);
    const source = host.shop.books.sourceOf(`${this.name}.${name}`);
    return {
      virtio: `virtio${this.nextVirtio++}`,
      device: {
        devfn,
        base,
        msixBase: base + 0x8000,
        memory: this.memory,
        intx: this.line(11, name),
        send: (low: number, high: number, data: number) => vm.message(source, low, high, data),
      },
      driver: { devfn, memory: this.memory, gsi: 11 },
    };
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
