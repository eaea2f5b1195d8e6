/**
 * The hardware of dom0 and its drivers, in the order in which they are found. Where a driver maps its
 * messages, in how many steps it takes them, and when it requests its interrupts decides every number in
 * dom0's table.
 */

import { us } from '../../core/clock.ts';
import { Disk } from '../../devices/disk.ts';
import { Nic } from '../../devices/nic.ts';
import { type LevelDevice, PulseDevice, type Raise } from '../../devices/pulse.ts';
import { DiskDriver } from '../../guest/linux/drivers/disk.ts';
import { NicDriver } from '../../guest/linux/drivers/nic.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { IrqDesc, Work } from '../../guest/linux/irq-core.ts';
import {
  domainOf,
  FOR_DEVICE_MODEL,
  FROM_GUEST,
  flowOf,
  packetOf,
  WANTS_REPLY,
} from '../../guest/linux/xen-drivers/net.ts';
import type { DeviceSpec } from '../../scenario/shapes.ts';
import { timing } from '../../timing.ts';
import type { XenHost } from './host.ts';

/** A device as keys and workloads know it. */
export interface Fired {
  readonly name: string;
  readonly title: string;
  fire(): number;
}

const READ_PORT: Work = { cost: () => timing.shortHandler, run: () => {} };

export class Dom0Devices {
  readonly disks = new Map<string, DiskDriver>();
  /** interfaces to bring up once everything is found, in order */
  private readonly up: (() => void)[] = [];
  private nextDevice = 1;

  constructor(private readonly host: XenHost) {}

  private get kernel() {
    return this.host.dom0.kernel;
  }

  private get allCpus(): number[] {
    return this.kernel.cpus.map((c) => c.cpu);
  }

  /** Probes one device. Descriptors freed before are back when the next one is probed. */
  probe(spec: DeviceSpec): void {
    this.kernel.events.gracePeriod();
    switch (spec.driver) {
      case 'line':
        this.line(spec.name, spec.as ?? spec.name, spec.gsi, spec.level);
        return;
      case 'i8042':
        // the mouse port is probed before the keyboard
        this.line('i8042', 'mouse', spec.aux, false, 'PS/2 mouse');
        this.line('i8042', 'kbd', spec.kbd, false, 'keyboard');
        return;
      case 'nvme':
        this.nvme(spec);
        return;
      case 'ahci':
        this.oneInterruptDisk(spec, () => this.kernel.events.bindMsi(this.device(false), false));
        return;
      case 'ata':
        this.oneInterruptDisk(spec, () => this.kernel.events.bindGsi(spec.gsi, false));
        return;
      case 'virtio-scsi':
        this.virtioScsi(spec);
        return;
      case 'msix': {
        const device = this.device(true);
        const descs = Array.from({ length: spec.messages }, () => this.kernel.events.bindMsi(device, true));
        for (const desc of descs) this.request(desc, spec.name, READ_PORT);
        const line = new PulseDevice(
          spec.as ?? spec.name,
          this.edge(() => descs[0]!, spec.name),
        );
        this.register(line, spec.name);
        this.reach(line.name, () => descs, [spec.name]);
        return;
      }
      case 'e1000e':
        this.e1000e(spec);
        return;
      case 'e1000':
      case 'msi-nic':
        this.oneInterruptNic(spec);
        return;
      case 'virtio-net':
        this.virtioNet(spec);
    }
  }

  /** The disk of this name, or the first. */
  diskNamed(name: string | undefined): DiskDriver {
    return name === undefined ? [...this.disks.values()][0]! : this.disks.get(name)!;
  }

  /** ifup: cards that request their interrupts when they are brought up. */
  bringUp(): void {
    this.kernel.events.gracePeriod();
    for (const open of this.up) open();
  }

  private line(action: string, name: string, gsi: number, level: boolean, title = action): void {
    const { events } = this.kernel;
    if (level) {
      const device = this.levelDevice(name, gsi);
      const desc = events.bindGsi(gsi, true);
      this.request(desc, action, { cost: () => timing.shortHandler, run: () => device.serviced() });
      this.register(device, title);
      this.reach(name, () => [desc]);
      return;
    }
    const desc = events.bindGsi(gsi, false);
    this.reach(name, () => [desc]);
    this.request(desc, action, READ_PORT);
    this.register(
      new PulseDevice(
        name,
        this.edge(() => desc, name),
      ),
      title,
    );
  }

  private levelDevice(name: string, gsi: number): LevelDevice {
    return this.host.levels.device(name, gsi, this.host.source(name));
  }

  /** One vector for the admin queue first; then that is given back for all of them (nvme_setup_io_queues). */
  private nvme(spec: Extract<DeviceSpec, { driver: 'nvme' }>): void {
    const { events, irqs } = this.kernel;
    const device = this.device(true);
    const first = events.bindMsi(device, true);
    const action = { name: `${spec.name}q0`, work: READ_PORT };
    irqs.request(first, action, this.allCpus);
    irqs.free(first, action);
    events.stopPirq(first);
    events.destroyMsi(first);
    const descs = Array.from({ length: spec.queues + 1 }, () => events.bindMsi(device, true));
    const names = descs.slice(1).map((_, q) => `${spec.name}q${q + 1}`);
    const raises = descs.slice(1).map((desc, q) => this.edge(() => desc, names[q]!));
    this.reach(spec.as ?? spec.name, () => descs.slice(1), names);
    const driver = this.disk(spec, raises);
    this.request(descs[0]!, `${spec.name}q0`, READ_PORT);
    for (let q = 0; q < spec.queues; q++) {
      this.request(descs[q + 1]!, `${spec.name}q${q + 1}`, driver.interrupt(q), [q % this.kernel.cpuCount]);
    }
  }

  private virtioScsi(spec: Extract<DeviceSpec, { driver: 'virtio-scsi' }>): void {
    const { events } = this.kernel;
    const device = this.device(true);
    const descs = Array.from({ length: spec.queues + 1 }, () => events.bindMsi(device, true));
    const names = descs.slice(1).map((_, q) => `${spec.name}-req.${q}`);
    const driver = this.disk(
      spec,
      descs.slice(1).map((desc, q) => this.edge(() => desc, names[q]!)),
    );
    this.reach(spec.as ?? spec.name, () => descs.slice(1), names);
    this.request(descs[0]!, `${spec.name}-config`, READ_PORT);
    for (let q = 0; q < spec.queues; q++) {
      this.request(descs[q + 1]!, `${spec.name}-req.${q}`, driver.interrupt(q), [q % this.kernel.cpuCount]);
    }
  }

  private oneInterruptDisk(spec: Extract<DeviceSpec, { driver: 'ahci' | 'ata' }>, bind: () => IrqDesc): void {
    const desc = bind();
    this.reach(spec.as ?? spec.name, () => [desc]);
    const driver = this.disk(spec, [this.edge(() => desc, spec.as ?? spec.name)]);
    this.request(desc, spec.name, driver.interrupt(0));
  }

  private disk(
    spec: { name: string; as?: string | undefined; least: number; extra: number },
    raises: readonly Raise[],
  ): DiskDriver {
    const { shop } = this.host;
    const name = spec.as ?? spec.name;
    const disk = new Disk(name, shop.clock, shop.rng.stream(`${name}.service`), raises, {
      least: us(spec.least),
      extra: us(spec.extra),
    });
    this.register(shop.parts.add(disk), spec.name, false);
    const driver = new DiskDriver(this.kernel, name, disk);
    this.disks.set(name, driver);
    return driver;
  }

  /** Three messages, mapped when found and requested when brought up: receive, send, other. */
  private e1000e(spec: Extract<DeviceSpec, { driver: 'e1000e' }>): void {
    const device = this.device(true);
    const [rx, tx, other] = [0, 1, 2].map(() => this.kernel.events.bindMsi(device, true));
    const [first, second] = [`${spec.name}-rx-0`, `${spec.name}-tx-0`];
    this.reach(spec.as ?? spec.name, () => [rx!, tx!], [first, second]);
    const driver = this.nic(
      spec,
      this.edge(() => rx!, first),
      this.edge(() => tx!, second),
    );
    this.up.push(() => {
      this.request(rx!, `${spec.name}-rx-0`, driver.rxInterrupt);
      this.request(tx!, `${spec.name}-tx-0`, driver.txInterrupt);
      this.request(other!, spec.name, READ_PORT);
    });
  }

  private oneInterruptNic(spec: Extract<DeviceSpec, { driver: 'e1000' | 'msi-nic' }>): void {
    const { events } = this.kernel;
    const level =
      spec.driver === 'e1000' ? this.levelDevice(`${spec.as ?? spec.name}/line`, spec.gsi) : undefined;
    if (level) this.host.shop.parts.add(level);
    const desc =
      spec.driver === 'e1000' ? events.bindGsi(spec.gsi, true) : events.bindMsi(this.device(false), false);
    const raise = level
      ? () => (level.asserted ? 0 : level.fire())
      : this.edge(() => desc, spec.as ?? spec.name);
    const name = spec.as ?? spec.name;
    this.reach(name, () => [desc], [level ? `${name}/line` : name]);
    const driver = this.nic(spec, raise, raise);
    const { interrupt } = driver;
    const work: Work = {
      cost: (cpu) => interrupt.cost(cpu),
      run: (cpu) => {
        level?.serviced();
        interrupt.run(cpu);
      },
    };
    this.up.push(() => this.request(desc, spec.name, work));
  }

  /** Requested when found; afterwards the driver aims both queues anew (virtnet_set_affinity). */
  private virtioNet(spec: Extract<DeviceSpec, { driver: 'virtio-net' }>): void {
    const device = this.device(true);
    const [config, input, output] = [0, 1, 2].map(() => this.kernel.events.bindMsi(device, true));
    const names = [`${spec.name}-input.0`, `${spec.name}-output.0`] as const;
    this.reach(spec.as ?? spec.name, () => [input!, output!], names);
    const driver = this.nic(
      spec,
      this.edge(() => input!, names[0]),
      this.edge(() => output!, names[1]),
    );
    this.request(config!, `${spec.name}-config`, READ_PORT);
    this.request(input!, `${spec.name}-input.0`, driver.rxInterrupt);
    this.request(output!, `${spec.name}-output.0`, driver.txInterrupt);
    for (const desc of [input!, output!]) desc.chip.setAffinity?.(desc, this.allCpus);
  }

  private nic(
    spec: { name: string; as?: string | undefined; moderation: number },
    rx: Raise,
    tx: Raise,
  ): NicDriver {
    const { host } = this;
    const { shop } = host;
    const name = spec.as ?? spec.name;
    const nic = shop.parts.add(new Nic(name, shop.clock, rx, tx, us(spec.moderation)));
    const driver = new NicDriver(this.kernel, name, nic, (cpu, packet) => this.bridge(cpu, packet));
    // the bridge's uplink is the first card
    if (this.receivers.size === 0) {
      host.bridgeOut = (packet) => driver.xmit(packet);
      host.nicFull = () => nic.full;
    }
    host.devices.set(name, {
      name,
      title: `${spec.name} NIC`,
      // a packet for the first guest if there is one
      fire: () => nic.fire(packetOf(host.domains.length > 1 ? 1 : 0, 0, 0)),
    });
    this.receivers.set(name, (packet) => nic.receive(packet));
    return driver;
  }

  /** name of a card -> a packet arrives on its wire */
  readonly receivers = new Map<string, (packet: number) => number>();

  /** br_forward: to the domain the packet is for, or, from a guest or without one, to the wire. */
  bridge(cpu: LinuxCpu, packet: number): void {
    const domain = domainOf(packet);
    if ((packet & FOR_DEVICE_MODEL) === FOR_DEVICE_MODEL) {
      this.host.toDeviceModel(cpu, domain);
      return;
    }
    if ((packet & FROM_GUEST) !== 0) {
      this.host.bridgeOut(packet);
      return;
    }
    const queues = this.host.netbacks[domain];
    if (queues && queues.length > 0) queues[flowOf(packet) % queues.length]!.xmit(cpu, packet);
    else if (this.host.domains[domain]?.hvm?.pc?.receives(packet, cpu)) return;
    else if ((packet & WANTS_REPLY) !== 0) this.host.bridgeOut(packetOf(domain, flowOf(packet), FROM_GUEST));
  }

  private request(desc: IrqDesc, name: string, work: Work, cpus = this.allCpus): void {
    this.kernel.irqs.request(desc, { name, work }, cpus);
  }

  /** The device's pulse or message, to whatever physical interrupt is behind the descriptor. */
  private edge(desc: () => IrqDesc, name: string): Raise {
    const { xen } = this.host;
    const source = this.host.source(name);
    let irq = -1;
    const raise = () => {
      if (irq < 0) irq = xen.irqOf(0, desc().pirq);
      return xen.irqs.pulse(irq, source);
    };
    this.host.edges.push({ irq: () => xen.irqOf(0, desc().pirq), raise });
    return raise;
  }

  /** Which rows of dom0 a device ends in, and in whose names it raises. */
  private reach(name: string, descs: () => readonly IrqDesc[], sources: readonly string[] = [name]): void {
    this.host.shop.reaches.set(name, { domain: 0, irqs: () => descs().map(({ irq }) => irq), sources });
  }

  private device(msix: boolean): number {
    const device = this.nextDevice++;
    if (msix) this.host.msixDevices.add(device);
    return device;
  }

  private register(device: PulseDevice | LevelDevice | Disk, title: string, add = true): void {
    if (add) this.host.shop.parts.add(device);
    this.host.devices.set(device.name, { name: device.name, title, fire: () => device.fire() });
  }
}
