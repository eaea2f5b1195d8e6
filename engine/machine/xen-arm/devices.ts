/** The devices of a `virt`-like board, each on its SPI, with the drivers of the kernel that has them. */
import { us } from '../../core/clock.ts';
import { Line } from '../../core/line.ts';
import { Disk } from '../../devices/disk.ts';
import { Nic } from '../../devices/nic.ts';
import { LevelDevice } from '../../devices/pulse.ts';
import type { Arm64Kernel } from '../../guest/linux/arm64.ts';
import { DiskDriver } from '../../guest/linux/drivers/disk.ts';
import { NicDriver } from '../../guest/linux/drivers/nic.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { Work } from '../../guest/linux/irq-core.ts';
import { domainOf, FROM_GUEST, flowOf, packetOf, WANTS_REPLY } from '../../guest/linux/xen-drivers/net.ts';
import { pciIntx, Spi, virtioIrq } from '../../hw/arm/board-virt.ts';
import type { ArmDeviceSpec } from '../../scenario/arm-schema.ts';
import { timing } from '../../timing.ts';
import type { SplitDevices } from '../xen/split.ts';
import type { XenArmHost } from './host.ts';

/** A device's end of a wire: high from its first cause until its driver has read and cleared the status. */
interface Wire {
  readonly raise: () => number;
  lower(): void;
}

export class ArmDevices implements SplitDevices {
  readonly disks = new Map<string, DiskDriver>();
  readonly receivers = new Map<string, (packet: number) => number>();
  private uplink: NicDriver | undefined;
  /** by INTID: the first device on the wire raises it */
  readonly raises = new Map<number, () => number>();
  /** by INTID: PCI devices share the lines of their bus */
  private readonly lines = new Map<number, Line>();

  constructor(private readonly host: XenArmHost) {}

  private get kernel(): Arm64Kernel {
    return this.host.dom0.kernel;
  }

  /** INTID of a device of dom0's, and whether it is a level. */
  static spi(spec: ArmDeviceSpec): { readonly intid: number; readonly level: boolean } {
    if (spec.driver === 'rtc') return { intid: Spi.RTC, level: true };
    if (spec.transport !== undefined) return { intid: virtioIrq(spec.transport), level: false };
    return { intid: pciIntx(spec.slot!, 0), level: true };
  }

  probe(spec: ArmDeviceSpec): void {
    switch (spec.driver) {
      case 'rtc':
        this.rtc('rtc', this.kernel, Spi.RTC);
        return;
      case 'virtio-blk':
        this.disk(spec);
        return;
      case 'virtio-net':
        this.nic(spec);
    }
  }

  /** PL031 (rtc-pl031.c): its alarm, until RTCICR is written. */
  rtc(name: string, kernel: Arm64Kernel, virq: number): void {
    const wire = this.wire(Spi.RTC, name);
    const device = new LevelDevice(name, wire.raise, () => wire.lower());
    this.raises.set(Spi.RTC, () => device.fire());
    const work: Work = { cost: () => timing.shortHandler, run: () => device.serviced() };
    kernel.gic.request(virq, true, 'rtc-pl031', work);
    this.reach(name, kernel, virq);
    this.host.register(name, 'alarm of the clock', this.host.shop.parts.add(device));
  }

  /** One more end of a wire; it falls when the last one lets go. */
  private wire(intid: number, name: string): Wire {
    const { irqs } = this.host.xen;
    const { books, parts } = this.host.shop;
    const source = books.sourceOf(name);
    let line = this.lines.get(intid);
    if (!line) {
      line = parts.add(
        new Line(`irq${intid}`, (high) => {
          if (!high) irqs.setLine(intid, false, source);
        }),
      );
      this.lines.set(intid, line);
    }
    const end = line.driver();
    const raise = () => {
      const journey = irqs.setLine(intid, true, source);
      end.set(true);
      return journey;
    };
    if (!this.raises.has(intid)) this.raises.set(intid, raise);
    return {
      raise,
      lower: () => end.set(false),
    };
  }

  private disk(spec: Extract<ArmDeviceSpec, { driver: 'virtio-blk' }>): void {
    const { shop } = this.host;
    const name = spec.as ?? spec.name;
    const { intid, level } = ArmDevices.spi(spec);
    const wire = this.wire(intid, name);
    const disk = new Disk(name, shop.clock, shop.rng.stream(`${name}.service`), [wire.raise], {
      least: us(spec.least),
      extra: us(spec.extra),
    });
    this.reach(name, this.kernel, intid);
    this.host.register(name, `${spec.name} disk`, shop.parts.add(disk));
    const driver = new DiskDriver(this.kernel, name, disk);
    this.disks.set(name, driver);
    this.kernel.gic.request(intid, level, spec.name, acknowledged(wire, driver.interrupt(0)));
  }

  private nic(spec: Extract<ArmDeviceSpec, { driver: 'virtio-net' }>): void {
    const { host } = this;
    const { shop } = host;
    const name = spec.as ?? spec.name;
    const { intid, level } = ArmDevices.spi(spec);
    const wire = this.wire(intid, name);
    const nic = shop.parts.add(new Nic(name, shop.clock, wire.raise, wire.raise, us(spec.moderation)));
    const driver = new NicDriver(this.kernel, name, nic, (cpu, packet) => this.bridge(cpu, packet));
    this.uplink ??= driver;
    this.receivers.set(name, (packet) => nic.receive(packet));
    const target = host.domains.length > 1 ? 1 : 0;
    this.reach(name, this.kernel, intid);
    host.register(name, `${spec.name} NIC`, { fire: () => nic.fire(packetOf(target, 0, 0)) });
    this.kernel.gic.request(intid, level, spec.name, acknowledged(wire, driver.interrupt));
  }

  /** The row of the kernel that has it. */
  private reach(name: string, kernel: Arm64Kernel, virq: number): void {
    this.host.shop.reaches.set(name, {
      domain: kernel.init.domain,
      irqs: () => [kernel.gic.map(virq, true).irq],
    });
  }

  diskNamed(name: string | undefined): DiskDriver {
    return name === undefined ? [...this.disks.values()][0]! : this.disks.get(name)!;
  }

  /** br_forward */
  bridge(cpu: LinuxCpu, packet: number): void {
    const domain = domainOf(packet);
    if ((packet & FROM_GUEST) !== 0) {
      this.uplink!.xmit(packet);
      return;
    }
    const queues = this.host.netbacks[domain];
    if (queues && queues.length > 0) queues[flowOf(packet) % queues.length]!.xmit(cpu, packet);
    else if ((packet & WANTS_REPLY) !== 0) this.uplink!.xmit(packetOf(domain, flowOf(packet), FROM_GUEST));
  }
}

/** vm_interrupt, vp_interrupt: the status is read and acknowledged, which lowers the wire, before the queues are looked at. */
function acknowledged(wire: Wire, work: Work): Work {
  return {
    cost: (cpu) => 2 * timing.mmioAccess + work.cost(cpu),
    run: (cpu) => {
      wire.lower();
      work.run(cpu);
    },
  };
}
