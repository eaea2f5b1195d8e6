/**
 * The boot of a Xen host: in the kernel's and the toolstack's order each part binds what it needs. No table
 * says which port or interrupt number anything gets; the lowest free one is taken, as on a real host.
 */

import { VIRQ_CONSOLE, VIRQ_DEBUG, VIRQ_MCA, VIRQ_PCPU_STATE, VIRQ_TIMER } from '../../abi/xen.ts';
import type { IrqChip, IrqDesc, Work } from '../../guest/linux/irq-core.ts';
import type { PercpuKind } from '../../guest/linux/profiles.ts';
import { Mcelog } from '../../guest/linux/xen-drivers/mcelog.ts';
import { MessageFront } from '../../guest/linux/xen-drivers/messages.ts';
import type { XenKernel } from '../../guest/linux/xen-kernel.ts';
import type { XenGuest } from '../../guest/linux/xen-side.ts';
import { pvHypercall, timing } from '../../timing.ts';
import { QUIET } from '../loops.ts';
import { usedBy } from './chatter.ts';
import { Debugger } from './debugger.ts';
import { Dom0Devices } from './devices.ts';
import type { DomainParts, XenHost } from './host.ts';
import { attach, type Booted, booted, Daemons, makePorts, type Running, talk } from './split.ts';

/** What workloads use of an x86 host beside. */
export interface X86Running extends Running {
  readonly mcelog: Mcelog;
}

/** Boots dom0, its tools, and the guests one after the other. */
export function boot(host: XenHost): X86Running {
  const dom0 = host.dom0;
  const { kernel } = dom0;
  const modern = kernel.profile.numbering === 'sparse';
  const devices = new Dom0Devices(host);

  bindPercpu(kernel);
  const daemons = new Daemons(host);
  const mcelog = new Mcelog(kernel, !modern, ({ vcpu }, which) => {
    const cpu = host.xen.cpus[vcpu.processor]!;
    const found = host.xen.mce.fetch(which);
    // the record is acknowledged by another hypercall
    cpu.charge(found ? 2 * pvHypercall() : pvHypercall());
    return found;
  });
  const store = modern ? bootDom0(host, devices, mcelog) : bootForwardPort(host, devices, mcelog);
  devices.bringUp();
  kernel.events.gracePeriod();
  daemons.start(store);
  host.disks = (name) => devices.diskNamed(name);
  host.nic = () => [...devices.receivers.values()][0];

  const domains: Booted[] = [booted(dom0, { kernel, store })];
  for (const parts of host.domains.slice(1)) domains.push(bootGuest(host, devices, daemons, parts));
  const debugged = host.scenario.guests.flatMap((g, i) => (g.debugger ? [i + 1] : []));
  if (debugged.length > 0) new Debugger(host, debugged);
  return { domains, devices, mcelog };
}

/** The timer and the IPIs of every CPU, the boot CPU first. */
function bindPercpu(kernel: XenGuest): void {
  const { profile, events, irqs } = kernel;
  const rows = new Map<PercpuKind, IrqDesc>();
  for (const { cpu } of kernel.cpus) {
    for (const kind of cpu === 0 ? profile.bootCpu : profile.otherCpus) {
      const shared = profile.sharedPercpu ? rows.get(kind) : undefined;
      const virq = kind === 'timer' ? VIRQ_TIMER : kind === 'debug' ? VIRQ_DEBUG : undefined;
      const desc =
        virq === undefined ? events.bindIpi(kind, cpu, shared) : events.bindVirq(virq, cpu, true, shared);
      rows.set(kind, desc);
      const name = profile.sharedPercpu ? kind : `${kind}${cpu}`;
      if (shared) desc.chip.unmask(desc);
      else irqs.request(desc, { name, work: percpuWork(kernel, kind) });
      // the lock's event is only polled for, never taken (xen_init_lock_cpu)
      if (kind === 'spinlock' && !profile.sharedPercpu) irqs.disable(desc);
    }
  }
}

function percpuWork(kernel: XenGuest, kind: PercpuKind): Work {
  switch (kind) {
    case 'timer':
      return kernel.time.interrupt;
    case 'resched':
      return {
        count: (cpu) => kernel.countArch('RES', cpu.cpu),
        cost: () => timing.shortHandler,
        run: (cpu) => kernel.time.look(cpu),
      };
    case 'callfunc':
    case 'callfuncsingle':
    case 'call1func':
      return kernel.calls.interrupt;
    default:
      return { cost: () => timing.shortHandler, run: () => {} };
  }
}

/** dom0 on a pvops kernel: built-in parts first, then the devices in the order they are found. */
function bootDom0(host: XenHost, devices: Dom0Devices, mcelog: Mcelog): MessageFront {
  const { kernel, store } = host.dom0;
  const { events, irqs } = kernel;
  const all = kernel.cpus.map((c) => c.cpu);
  const specs = host.scenario.dom0.devices;
  const early = specs.filter((d) => d.driver === 'line' && d.name === 'acpi');
  const input = specs.filter((d) => d.driver === 'i8042' || (d.driver === 'line' && d.name === 'rtc0'));
  const rest = specs.filter((d) => !early.includes(d) && !input.includes(d));

  const front = new MessageFront(kernel, 'xenbus', store, false);
  const xenbus = events.allocUnbound(0, false);
  front.port = xenbus.port;
  host.dom0.storePort = xenbus.port;
  irqs.request(xenbus, { name: 'xenbus', work: front.interrupt }, all);
  virq(kernel, VIRQ_PCPU_STATE, 'xen-pcpu', all);
  for (const spec of early) devices.probe(spec);
  virq(kernel, VIRQ_MCA, 'mce', all, mcelog.interrupt);
  const console = events.bindVirq(VIRQ_CONSOLE, 0, false);
  for (const spec of input) devices.probe(spec);
  // hvc requests its interrupt when the console is opened, after the built-in drivers
  irqs.request(console, { name: kernel.profile.names.console, work: QUIET }, all);
  for (const spec of rest) devices.probe(spec);
  return front;
}

/** dom0 on a forward-ported kernel: Xen's own interrupts before those of the devices. */
function bootForwardPort(host: XenHost, devices: Dom0Devices, mcelog: Mcelog): MessageFront {
  const { kernel, store } = host.dom0;
  const { events, irqs } = kernel;
  virq(kernel, VIRQ_MCA, 'mce', undefined, mcelog.interrupt);
  virq(kernel, VIRQ_CONSOLE, kernel.profile.names.console);
  const front = new MessageFront(kernel, 'xenbus', store, false);
  const xenbus = events.allocUnbound(0, false);
  front.port = xenbus.port;
  host.dom0.storePort = xenbus.port;
  irqs.request(xenbus, { name: 'xenbus', work: front.interrupt });
  for (const spec of host.scenario.dom0.devices) devices.probe(spec);
  return front;
}

function virq(
  kernel: XenKernel,
  number: number,
  name: string,
  cpus?: readonly number[],
  work: Work = QUIET,
): void {
  const desc = kernel.events.bindVirq(number, 0, false);
  kernel.irqs.request(desc, { name, work }, cpus);
}

/**
 * xl create: the toolstack's ports, the daemons, the device model, the guest's kernel, then each frontend with its
 * backend.
 */
function bootGuest(host: XenHost, devices: Dom0Devices, daemons: Daemons, parts: DomainParts): Booted {
  const { hvm } = parts;
  const spec = parts.spec!;
  makePorts(host.xen.channels, parts);
  hvm?.pc?.createIoreqServer();
  daemons.introduce(parts);
  hvm?.pc?.startModel();
  hvm?.boot();
  if (!('events' in parts.kernel)) {
    hvm?.pc?.probe(() => {});
    return booted(parts, { emulated: hvm?.pc?.disks[0] });
  }
  const { kernel } = parts;
  if (spec.type === 'pvh') legacyRows(kernel);
  bindPercpu(kernel);
  const { events, irqs } = kernel;
  const fronts = talk(parts, kernel);
  hvm?.pc?.probe(() => {
    const vkbd = events.allocUnbound(0, false);
    irqs.request(
      vkbd,
      { name: 'vkbd', work: QUIET },
      kernel.cpus.map((c) => c.cpu),
    );
    hvm.pc!.model.bindFrontend(vkbd.port);
  });
  const used = usedBy(host.scenario.workloads, parts.domain.id);
  const devicesOf = attach(host, devices, parts, kernel, spec, used);
  return booted(parts, { kernel, ...fronts, ...devicesOf, emulated: hvm?.pc?.disks[0] });
}

/** PVH: a PIC that nobody uses has its two rows. */
function legacyRows(kernel: XenGuest): void {
  const nothing = () => {};
  const pic: IrqChip = {
    name: 'XT-PIC',
    startup: nothing,
    shutdown: nothing,
    ack: nothing,
    end: nothing,
    mask: nothing,
    unmask: nothing,
  };
  for (const [irq, name] of [
    [0, 'timer'],
    [2, 'cascade'],
  ] as const) {
    kernel.irqs.request(kernel.irqs.add(irq, pic, null), { name, work: QUIET });
  }
}
