/**
 * The boot of a Xen host: in the kernel's and the toolstack's order each part binds what it needs. No table
 * says which port or interrupt number anything gets; the lowest free one is taken, as on a real host.
 */

import { SharedRing } from '../../abi/ring.ts';
import {
  VIRQ_ARCH_0,
  VIRQ_CON_RING,
  VIRQ_CONSOLE,
  VIRQ_DEBUG,
  VIRQ_DOM_EXC,
  VIRQ_PCPU_STATE,
  VIRQ_TIMER,
} from '../../abi/xen.ts';
import { us } from '../../core/clock.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { IrqChip, IrqDesc, Work } from '../../guest/linux/irq-core.ts';
import { NoSpace } from '../../guest/linux/irq-info.ts';
import type { PercpuKind } from '../../guest/linux/profiles.ts';
import { BlkBack, BlkFront } from '../../guest/linux/xen-drivers/block.ts';
import { EvtchnUser } from '../../guest/linux/xen-drivers/evtchn-user.ts';
import { MessageFront } from '../../guest/linux/xen-drivers/messages.ts';
import { NetBack, NetFront } from '../../guest/linux/xen-drivers/net.ts';
import type { XenKernel } from '../../guest/linux/xen-kernel.ts';
import type { XenGuest } from '../../guest/linux/xen-side.ts';
import type { GuestSpec } from '../../scenario/xen-schema.ts';
import { timing } from '../../timing.ts';
import { Dom0Devices } from './devices.ts';
import type { DomainParts, XenHost } from './host.ts';

/** Slots of the rings: one page of requests (public/io/blkif.h, netif.h). */
const BLK_RING = 32;
const NET_RING = 256;

/** What workloads use of a domain that has booted. */
export interface Booted {
  readonly parts: DomainParts;
  /** the same, if it knows of Xen */
  readonly kernel: XenGuest | undefined;
  readonly store: MessageFront | undefined;
  readonly console: MessageFront | undefined;
  readonly blkfronts: readonly BlkFront[];
  readonly netfronts: readonly NetFront[];
}

export interface Running {
  readonly domains: readonly Booted[];
  readonly devices: Dom0Devices;
}

/** Boots dom0, its tools, and the guests one after the other. */
export function boot(host: XenHost): Running {
  const dom0 = host.dom0;
  const { kernel } = dom0;
  const modern = kernel.profile.numbering === 'sparse';
  const devices = new Dom0Devices(host);

  bindPercpu(kernel);
  const daemons = new Daemons(host);
  const store = modern ? bootDom0(host, devices) : bootForwardPort(host, devices);
  devices.bringUp();
  kernel.events.gracePeriod();
  daemons.start(store);
  host.disks = (name) => devices.diskNamed(name);
  host.nic = () => [...devices.receivers.values()][0];

  const domains: Booted[] = [
    { parts: dom0, kernel, store, console: undefined, blkfronts: [], netfronts: [] },
  ];
  for (const parts of host.domains.slice(1)) domains.push(bootGuest(host, devices, daemons, parts));
  return { domains, devices };
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
function bootDom0(host: XenHost, devices: Dom0Devices): MessageFront {
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
  virq(kernel, VIRQ_ARCH_0, 'mce', all);
  const console = events.bindVirq(VIRQ_CONSOLE, 0, false);
  for (const spec of input) devices.probe(spec);
  // hvc requests its interrupt when the console is opened, after the built-in drivers
  irqs.request(console, { name: kernel.profile.names.console, work: QUIET }, all);
  for (const spec of rest) devices.probe(spec);
  return front;
}

/** dom0 on a forward-ported kernel: Xen's own interrupts before those of the devices. */
function bootForwardPort(host: XenHost, devices: Dom0Devices): MessageFront {
  const { kernel, store } = host.dom0;
  const { events, irqs } = kernel;
  virq(kernel, VIRQ_ARCH_0, 'mce');
  virq(kernel, VIRQ_CONSOLE, kernel.profile.names.console);
  const front = new MessageFront(kernel, 'xenbus', store, false);
  const xenbus = events.allocUnbound(0, false);
  front.port = xenbus.port;
  host.dom0.storePort = xenbus.port;
  irqs.request(xenbus, { name: 'xenbus', work: front.interrupt });
  for (const spec of host.scenario.dom0.devices) devices.probe(spec);
  return front;
}

const QUIET: Work = { cost: () => timing.shortHandler, run: () => {} };

function virq(kernel: XenKernel, number: number, name: string, cpus?: readonly number[]): void {
  const desc = kernel.events.bindVirq(number, 0, false);
  kernel.irqs.request(desc, { name, work: QUIET }, cpus);
}

/** xenstored and xenconsoled of dom0. */
class Daemons {
  private readonly xenstored: EvtchnUser;
  private readonly xenconsoled: EvtchnUser;
  private readonly all: readonly number[];

  constructor(private readonly host: XenHost) {
    const { kernel } = host.dom0;
    const ocaml = kernel.profile.numbering === 'sparse' ? 'oxenstored' : 'xenstored';
    this.all = kernel.cpus.map((c) => c.cpu);
    this.xenstored = new EvtchnUser(kernel, ocaml, this.all.at(-1)!, us(40));
    this.xenconsoled = new EvtchnUser(kernel, 'xenconsoled', this.all[this.all.length >> 1]!, us(15));
  }

  /** xenstored listens for domains that die and to dom0's own kernel, xenconsoled to Xen's log. */
  start(store: MessageFront): void {
    const { kernel } = this.host.dom0;
    const { events } = kernel;
    this.bind(this.xenstored, events.bindUserVirq(VIRQ_DOM_EXC), () => {});
    const desc = events.bindUserInterdomain(0, store.port);
    this.bind(this.xenstored, desc, (cpu) => this.answer(this.host.dom0, desc.port, cpu));
    this.bind(this.xenconsoled, events.bindUserVirq(VIRQ_CON_RING), () => {});
  }

  /** A new domain is introduced: both bind to the ports the toolstack made for it. */
  introduce(parts: DomainParts): void {
    const { events } = this.host.dom0.kernel;
    const { id } = parts.domain;
    const store = events.bindUserInterdomain(id, parts.storePort);
    this.bind(this.xenstored, store, (cpu) => this.answer(parts, store.port, cpu));
    const console = events.bindUserInterdomain(id, parts.consolePort);
    this.bind(this.xenconsoled, console, (cpu) => this.read(parts, console.port, cpu));
  }

  private bind(user: EvtchnUser, desc: IrqDesc, onEvent: (cpu: LinuxCpu) => void): void {
    user.bind(desc, this.all, onEvent);
  }

  /** Every request gets a reply. */
  private answer(parts: DomainParts, port: number, cpu: LinuxCpu): void {
    const { store } = parts;
    if (store.toBack === 0) return;
    store.toFront += store.toBack;
    store.toBack = 0;
    this.host.dom0.kernel.hypercalls(cpu.cpu).send(port);
  }

  /** What the guest printed is taken, and the guest told so. */
  private read(parts: DomainParts, port: number, cpu: LinuxCpu): void {
    if (parts.console.toBack === 0) return;
    parts.console.toBack = 0;
    parts.console.toFront++;
    this.host.dom0.kernel.hypercalls(cpu.cpu).send(port);
  }
}

/**
 * xl create: the toolstack's ports, the daemons, the device model, the guest's kernel, then each frontend with its
 * backend.
 */
function bootGuest(host: XenHost, devices: Dom0Devices, daemons: Daemons, parts: DomainParts): Booted {
  const { domain, hvm } = parts;
  const spec = parts.spec!;
  const { channels } = host.xen;
  parts.storePort = channels.allocUnbound(0, domain.id, 0);
  parts.consolePort = channels.allocUnbound(0, domain.id, 0);
  hvm?.pc?.createIoreqServer();
  daemons.introduce(parts);
  hvm?.pc?.startModel();
  hvm?.boot();
  if (!('events' in parts.kernel)) {
    hvm?.pc?.probe(() => {});
    return { parts, kernel: undefined, store: undefined, console: undefined, blkfronts: [], netfronts: [] };
  }
  const { kernel } = parts;
  if (spec.type === 'pvh') legacyRows(kernel);
  bindPercpu(kernel);
  const { events, irqs, profile } = kernel;
  const all = kernel.cpus.map((c) => c.cpu);
  const late = profile.lateEoi;
  const store = new MessageFront(kernel, 'xenbus', parts.store, false);
  const xenbus = events.bindEvtchn(parts.storePort, false);
  store.port = xenbus.port;
  irqs.request(xenbus, { name: 'xenbus', work: store.interrupt }, all);
  const console = new MessageFront(kernel, 'console', parts.console, late);
  const hvc = events.bindEvtchn(parts.consolePort, late);
  console.port = hvc.port;
  irqs.request(hvc, { name: profile.names.guestConsole, work: console.interrupt }, all);
  hvm?.pc?.probe(() => {
    const vkbd = events.allocUnbound(0, false);
    irqs.request(vkbd, { name: 'vkbd', work: QUIET }, all);
    hvm.pc!.model.bindFrontend(vkbd.port);
  });
  const blkfronts = attachDisk(host, devices, parts, kernel, spec);
  const netfronts = attachNetwork(host, devices, parts, kernel, spec);
  furtherChannels(kernel, spec, late, all);
  return { parts, kernel, store, console, blkfronts, netfronts };
}

/** Channels beyond those of the drivers; when none is left the kernel says so once and goes on without. */
function furtherChannels(kernel: XenGuest, spec: GuestSpec, late: boolean, all: readonly number[]): void {
  for (let i = 0; i < spec.channels; i++) {
    try {
      const desc = kernel.events.allocUnbound(0, late);
      kernel.irqs.request(desc, { name: `channel${i}`, work: QUIET }, all);
    } catch (error) {
      if (!(error instanceof NoSpace)) throw error;
      kernel.log.push(`channel${i}: ${error.message}`);
      return;
    }
  }
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

/** The frontend makes a port for each ring, then the backend binds them. */
function attachDisk(
  host: XenHost,
  devices: Dom0Devices,
  parts: DomainParts,
  kernel: XenGuest,
  spec: GuestSpec,
): BlkFront[] {
  const { id } = parts.domain;
  const dom0 = host.dom0.kernel;
  const late = kernel.profile.lateEoi;
  const all = kernel.cpus.map((c) => c.cpu);
  const all0 = dom0.cpus.map((c) => c.cpu);
  const fronts: { front: BlkFront; ring: SharedRing }[] = [];
  for (let i = 0; i < spec.rings; i++) {
    const ring = host.shop.parts.add(new SharedRing(`dom${id}.blk${i}`, BLK_RING));
    const front = new BlkFront(kernel, `ring${i}`, ring);
    const desc = kernel.events.allocUnbound(0, late);
    front.port = desc.port;
    kernel.irqs.request(desc, { name: 'blkif', work: front.interrupt }, all);
    fronts.push({ front, ring });
  }
  const disk = spec.rings === 0 ? undefined : devices.diskNamed(spec.disk);
  fronts.forEach(({ front, ring }, i) => {
    const back = new BlkBack(dom0, `blkback.${id}.xvda-${i}`, ring, (id + i) % dom0.cpuCount, disk!);
    const desc = dom0.events.bindInterdomain(id, front.port, dom0.profile.lateEoi);
    back.port = desc.port;
    dom0.irqs.request(desc, { name: 'blkif-backend', work: back.interrupt }, all0);
  });
  return fronts.map((f) => f.front);
}

function attachNetwork(
  host: XenHost,
  devices: Dom0Devices,
  parts: DomainParts,
  kernel: XenGuest,
  spec: GuestSpec,
): NetFront[] {
  const { id } = parts.domain;
  const dom0 = host.dom0.kernel;
  const late = kernel.profile.lateEoi;
  // feature-split-event-channels
  const split = kernel.profile.numbering === 'sparse' && dom0.profile.numbering === 'sparse';
  const all = kernel.cpus.map((c) => c.cpu);
  const all0 = dom0.cpus.map((c) => c.cpu);
  const queues: { front: NetFront; tx: SharedRing; rx: SharedRing }[] = [];
  for (let q = 0; q < spec.queues; q++) {
    const tx = host.shop.parts.add(new SharedRing(`dom${id}.net${q}.tx`, NET_RING));
    const rx = host.shop.parts.add(new SharedRing(`dom${id}.net${q}.rx`, NET_RING));
    const front = new NetFront(kernel, `q${q}`, { tx, rx });
    const request = (work: Work, name: string) => {
      const desc = kernel.events.allocUnbound(0, late);
      kernel.irqs.request(desc, { name, work }, all);
      return desc.port;
    };
    if (split) {
      front.txPort = request(front.txInterrupt, `vif0-q${q}-tx`);
      front.rxPort = request(front.rxInterrupt, `vif0-q${q}-rx`);
    } else {
      front.txPort = request(front.interrupt, 'eth0');
      front.rxPort = front.txPort;
    }
    queues.push({ front, tx, rx });
  }
  host.netbacks[id] = queues.map(({ front, tx, rx }, q) => {
    const back = new NetBack(dom0, `vif${id}.0-q${q}`, { tx, rx }, (id + q) % dom0.cpuCount, (cpu, packet) =>
      devices.bridge(cpu, packet),
    );
    const request = (port: number, work: Work, name: string) => {
      const desc = dom0.events.bindInterdomain(id, port, dom0.profile.lateEoi);
      dom0.irqs.request(desc, { name, work }, all0);
      return desc.port;
    };
    if (split) {
      back.txPort = request(front.txPort, back.txInterrupt, `vif${id}.0-q${q}-tx`);
      back.rxPort = request(front.rxPort, back.rxInterrupt, `vif${id}.0-q${q}-rx`);
    } else {
      back.txPort = request(front.txPort, back.interrupt, `vif${id}.0`);
      back.rxPort = back.txPort;
    }
    front.fill(undefined);
    return back;
  });
  return queues.map((q) => q.front);
}
