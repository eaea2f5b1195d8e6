/**
 * Guests and their backends: the daemons of dom0 that every domain talks to, and the rings of split drivers, each
 * frontend's made first and then bound by its backend. On any machine: dom0 may have what hardware it wants.
 */
import { type MessageRing, SharedRing } from '../../abi/ring.ts';
import { VIRQ_CON_RING, VIRQ_DOM_EXC } from '../../abi/xen.ts';
import { us } from '../../core/clock.ts';
import type { DiskDriver } from '../../guest/linux/drivers/disk.ts';

import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { IrqDesc, Work } from '../../guest/linux/irq-core.ts';
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import { BlkBack, BlkFront, type Disk } from '../../guest/linux/xen-drivers/block.ts';
import { EvtchnUser } from '../../guest/linux/xen-drivers/evtchn-user.ts';
import { MessageFront } from '../../guest/linux/xen-drivers/messages.ts';
import { NetBack, NetFront } from '../../guest/linux/xen-drivers/net.ts';
import type { XenGuest } from '../../guest/linux/xen-side.ts';
import type { Domain } from '../../hv/xen/domain.ts';
import type { EventChannels } from '../../hv/xen/evtchn.ts';
import type { Workshop } from '../machine.ts';
import { type FurtherChannel, furtherChannels, type Used } from './further.ts';

/** Slots of the rings: one page of requests (public/io/blkif.h, netif.h). */
const BLK_RING = 32;
const NET_RING = 256;

/** What dom0's control tools give to a new domain, and what its frontends connect to. */
export interface SplitDomain {
  readonly domain: Domain;
  readonly kernel: LinuxKernel;
  /** rings of xenstore and the console */
  readonly store: MessageRing;
  readonly console: MessageRing;
  /** ports the toolstack made for them */
  storePort: number;
  consolePort: number;
}

/** A host with a dom0 that serves the others. */
export interface SplitHost {
  readonly shop: Workshop;
  readonly dom0: SplitDomain & { readonly kernel: XenGuest };
  /** backends of each domain's network queues, by domain */
  readonly netbacks: NetBack[][];
  /** and of its disk's rings */
  readonly blkbacks: BlkBack[][];
}

/** Devices of dom0 that backends use. */
export interface SplitDevices {
  readonly disks: ReadonlyMap<string, DiskDriver>;
  /** name of a card -> a packet arrives on its wire */
  readonly receivers: ReadonlyMap<string, (packet: number) => number>;
  diskNamed(name: string | undefined): DiskDriver;
  bridge(cpu: LinuxCpu, packet: number): void;
}

/** How many rings and channels a guest has. */
export interface SplitSpec {
  readonly rings: number;
  readonly queues: number;
  readonly disk?: string | undefined;
  readonly channels: number;
}

/** What workloads use of a domain that has booted. */
export interface Booted {
  readonly parts: SplitDomain;
  /** the same, if it knows of Xen */
  readonly kernel: XenGuest | undefined;
  readonly store: MessageFront | undefined;
  readonly console: MessageFront | undefined;
  readonly blkfronts: readonly BlkFront[];
  readonly netfronts: readonly NetFront[];
  /** its channels beside those of its drivers, as far as there was room for them */
  readonly further: readonly FurtherChannel[];
  /** a disk that its device model has for it */
  readonly emulated: Disk | undefined;
}

export interface Running {
  readonly domains: readonly Booted[];
  readonly devices: SplitDevices;
}

/** xenstored and xenconsoled of dom0. */
export class Daemons {
  private readonly xenstored: EvtchnUser;
  private readonly xenconsoled: EvtchnUser;
  private readonly all: readonly number[];

  /** @param name of the store's; unless given, the one written in OCaml where the kernel is modern */
  constructor(
    private readonly host: SplitHost,
    name?: string,
  ) {
    const { kernel } = host.dom0;
    const usual = kernel.profile.numbering === 'sparse' ? 'oxenstored' : 'xenstored';
    this.all = kernel.cpus.map((c) => c.cpu);
    this.xenstored = new EvtchnUser(kernel, name ?? usual, this.all.at(-1)!, us(40));
    this.xenconsoled = new EvtchnUser(kernel, 'xenconsoled', this.all[this.all.length >> 1]!, us(15));
  }

  /**
   * xenstored listens for domains that die and to dom0's own kernel, xenconsoled to Xen's log.
   * @param consoles is there a xenconsoled?
   */
  start(store: MessageFront, consoles = true): void {
    const { kernel } = this.host.dom0;
    const { events } = kernel;
    this.bind(this.xenstored, events.bindUserVirq(VIRQ_DOM_EXC), () => {});
    const desc = events.bindUserInterdomain(0, store.port);
    this.bind(this.xenstored, desc, (cpu) => this.answer(this.host.dom0, desc.port, cpu));
    if (consoles) this.bind(this.xenconsoled, events.bindUserVirq(VIRQ_CON_RING), () => {});
  }

  /** A new domain is introduced: both bind to the ports the toolstack made for it. */
  introduce(parts: SplitDomain): void {
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
  private answer(parts: SplitDomain, port: number, cpu: LinuxCpu): void {
    const { store } = parts;
    if (store.toBack === 0) return;
    store.toFront += store.toBack;
    store.toBack = 0;
    this.host.dom0.kernel.hypercalls(cpu.cpu).send(port);
  }

  /** What the guest printed is taken, and the guest told so. */
  private read(parts: SplitDomain, port: number, cpu: LinuxCpu): void {
    if (parts.console.toBack === 0) return;
    parts.console.toBack = 0;
    parts.console.toFront++;
    this.host.dom0.kernel.hypercalls(cpu.cpu).send(port);
  }
}

/** What workloads use of a domain of which no more is known than this. */
export function booted(parts: SplitDomain, known: Partial<Booted> = {}): Booted {
  return {
    parts,
    kernel: undefined,
    store: undefined,
    console: undefined,
    blkfronts: [],
    netfronts: [],
    further: [],
    emulated: undefined,
    ...known,
  };
}

/** What a new guest and the toolstack talk by: its ports of xenstore and the console. */
export function makePorts(channels: EventChannels, parts: SplitDomain): void {
  parts.storePort = channels.allocUnbound(0, parts.domain.id, 0);
  parts.consolePort = channels.allocUnbound(0, parts.domain.id, 0);
}

/** A guest's ends of xenstore and the console. */
export function talk(parts: SplitDomain, kernel: XenGuest): { store: MessageFront; console: MessageFront } {
  const { events, irqs, profile, cpus } = kernel;
  const all = cpus.map((c) => c.cpu);
  const late = profile.lateEoi;
  const store = new MessageFront(kernel, 'xenbus', parts.store, false);
  const xenbus = events.bindEvtchn(parts.storePort, false);
  store.port = xenbus.port;
  irqs.request(xenbus, { name: 'xenbus', work: store.interrupt }, all);
  const console = new MessageFront(kernel, 'console', parts.console, late);
  const hvc = events.bindEvtchn(parts.consolePort, late);
  console.port = hvc.port;
  irqs.request(hvc, { name: profile.names.guestConsole, work: console.interrupt }, all);
  return { store, console };
}

/**
 * Its disks and network cards, each with the backend in dom0, and what else it has of channels.
 * @param used of the further channels, those of which something comes
 */
export function attach(
  host: SplitHost,
  devices: SplitDevices,
  parts: SplitDomain,
  kernel: XenGuest,
  spec: SplitSpec,
  used: Used = new Map(),
): Pick<Booted, 'blkfronts' | 'netfronts' | 'further'> {
  const blkfronts = attachDisk(host, devices, parts, kernel, spec);
  const netfronts = attachNetwork(host, devices, parts, kernel, spec);
  return { blkfronts, netfronts, further: furtherChannels(kernel, spec.channels, used) };
}

/** The frontend makes a port for each ring, then the backend binds them. */
function attachDisk(
  host: SplitHost,
  devices: SplitDevices,
  parts: SplitDomain,
  kernel: XenGuest,
  spec: SplitSpec,
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
  host.blkbacks[id] = fronts.map(({ front, ring }, i) => {
    const back = new BlkBack(dom0, `blkback.${id}.xvda-${i}`, ring, (id + i) % dom0.cpuCount, disk!);
    const desc = dom0.events.bindInterdomain(id, front.port, dom0.profile.lateEoi);
    back.port = desc.port;
    dom0.irqs.request(desc, { name: 'blkif-backend', work: back.interrupt }, all0);
    return back;
  });
  return fronts.map((f) => f.front);
}

function attachNetwork(
  host: SplitHost,
  devices: SplitDevices,
  parts: SplitDomain,
  kernel: XenGuest,
  spec: SplitSpec,
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
