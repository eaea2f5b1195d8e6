/**
 * The boot of a Xen host on ARM: Xen gives the board's interrupts to their domains, then each kernel binds what it needs in
 * its own order. No table says which number anything gets: the lowest free one is taken.
 */
import { VIRQ_CONSOLE } from '../../abi/xen.ts';
import type { Arm64Kernel } from '../../guest/linux/arm64.ts';
import { MessageFront } from '../../guest/linux/xen-drivers/messages.ts';
import type { XenGuest } from '../../guest/linux/xen-side.ts';
import { V2M } from '../../hv/xen/arm/irq.ts';
import { PCI_PINS, Spi, V2M_SPIS, VIRTIO_TRANSPORTS } from '../../hw/arm/board-virt.ts';
import { QUIET } from '../loops.ts';
import { attach, type Booted, booted, Daemons, makePorts, type Running, talk } from '../xen/split.ts';
import { ArmDevices } from './devices.ts';
import type { ArmDomainParts, XenArmHost } from './host.ts';

/** SPI of a guest's virtual PL011 */
const GUEST_VPL011 = 32;

export function bootArm(host: XenArmHost): Running {
  routeIrqs(host);
  const devices = new ArmDevices(host);
  const domains: Booted[] = [];
  // Xen has made them before dom0 runs
  for (const parts of host.domains) if (parts.spec?.type === 'dom0less') bootDom0less(parts, devices);
  const daemons = new Daemons(host, 'xenstored');
  const store = bootDom0(host, devices);
  const { kernel } = host.dom0;
  kernel.events.gracePeriod();
  const xl = host.domains.some((parts) => parts.spec?.type === 'xl');
  daemons.start(store, xl);
  for (const parts of host.domains) {
    if (!parts.spec) domains.push(booted(parts, { kernel, store }));
    else if (parts.spec.type === 'dom0less') domains.push(booted(parts));
    else domains.push(bootGuest(host, devices, daemons, parts));
  }
  return { domains, devices };
}

/** map_device_children, handle_device: what the device tree gives to dom0, and what a guest's gives to that. */
function routeIrqs(host: XenArmHost): void {
  const { xen, domains } = host;
  const owner = domains.find((parts) => parts.spec && parts.spec.devices.length > 0) ?? host.dom0;
  const give = (intid: number, level: boolean, to = host.dom0 as ArmDomainParts) =>
    xen.irqs.routeToGuest(intid, to.arm.vgic, intid, !level, `domain${to.domain.id}`);
  give(Spi.RTC, true, owner);
  for (let pin = 0; pin < PCI_PINS; pin++) give(Spi.PCI_INTX + pin, true);
  give(Spi.GPIO, true);
  for (let n = 0; n < VIRTIO_TRANSPORTS; n++) give(Spi.VIRTIO + n, false);
  if (host.scenario.gic === 3) return;
  // gicv2m_init, gicv2_map_hwdom_extra_mappings: its messages are SPIs, which dom0 has without being permitted them
  for (let n = Spi.GICV2M; n < Spi.GICV2M + V2M_SPIS; n++) {
    xen.irqs.routeToGuest(n, host.dom0.arm.vgic, n, true, V2M);
  }
}

/** dom0: built-in parts first, then the devices in the order they are found. */
function bootDom0(host: XenArmHost, devices: ArmDevices): MessageFront {
  const { kernel, store } = host.dom0;
  const { events, irqs } = kernel;
  const all = kernel.cpus.map((c) => c.cpu);
  kernel.start();
  const front = new MessageFront(kernel, 'xenbus', store, false);
  const xenbus = events.allocUnbound(0, false);
  front.port = xenbus.port;
  host.dom0.storePort = xenbus.port;
  irqs.request(xenbus, { name: 'xenbus', work: front.interrupt }, all);
  // the power button's GPIO: a chained handler, which has no row
  kernel.gic.map(Spi.GPIO, true);
  const console = events.bindVirq(VIRQ_CONSOLE, 0, false);
  irqs.request(console, { name: kernel.profile.names.console, work: QUIET }, all);
  for (const spec of host.scenario.dom0.devices) devices.probe(spec);
  return front;
}

function bootDom0less(parts: ArmDomainParts, devices: ArmDevices): void {
  const { kernel, spec, domain } = parts;
  kernel.start();
  kernel.gic.request(GUEST_VPL011, true, 'uart-pl011', QUIET);
  if (spec!.devices.length > 0) devices.rtc(`dom${domain.id}.rtc`, kernel, Spi.RTC);
}

/** xl create */
function bootGuest(host: XenArmHost, devices: ArmDevices, daemons: Daemons, parts: ArmDomainParts): Booted {
  const { domain, spec } = parts;
  makePorts(host.xen.channels, parts);
  daemons.introduce(parts);
  const kernel = parts.kernel as Arm64Kernel & XenGuest;
  kernel.start();
  const fronts = talk(parts, kernel);
  if (spec!.devices.length > 0) devices.rtc(`dom${domain.id}.rtc`, kernel, Spi.RTC);
  return booted(parts, { kernel, ...fronts, ...attach(host, devices, parts, kernel, spec!) });
}
