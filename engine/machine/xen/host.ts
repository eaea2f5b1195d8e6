/** A Xen host while it is put together: Xen, the kernels of its domains, and the devices of dom0. */

import { MessageRing } from '../../abi/ring.ts';
import { DOMID_XEN, GuestMemory, SharedInfo } from '../../abi/xen.ts';
import type { SourceId } from '../../core/books.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { NativeKernel } from '../../guest/linux/native.ts';
import { hardwareVirtual, KERNELS, type KernelProfile, twoLevel } from '../../guest/linux/profiles.ts';
import type { BlkBack, Disk } from '../../guest/linux/xen-drivers/block.ts';
import { FOR_DEVICE_MODEL, type NetBack, packetOf } from '../../guest/linux/xen-drivers/net.ts';
import { XenKernel } from '../../guest/linux/xen-kernel.ts';
import type { XenGuest } from '../../guest/linux/xen-side.ts';
import type { IrqOptions } from '../../hv/xen/x86/do-irq.ts';
import { SERIAL_IRQ } from '../../hv/xen/x86/irq-desc.ts';
import type { McaError } from '../../hv/xen/x86/mce.ts';
import { PvHypercalls } from '../../hv/xen/x86/pv.ts';
import type { PvVcpu } from '../../hv/xen/x86/pv-vcpu.ts';
import { FREE_PAGE } from '../../hv/xen/x86/vmce.ts';
import { Xen } from '../../hv/xen/x86/xen.ts';
import type { GuestSpec, XenScenario } from '../../scenario/xen-schema.ts';
import type { Workshop } from '../machine.ts';
import type { DeviceModel } from './device-model.ts';
import type { Fired } from './devices.ts';
import { HvmGuest } from './hvm-guest.ts';
import { LevelLines } from './level-lines.ts';
import type { SplitDomain } from './split.ts';

/** A domain with what is more of it on x86. */
export interface DomainParts extends SplitDomain {
  readonly kernel: XenGuest | NativeKernel;
  readonly spec: GuestSpec | undefined;
  /** what is more of a guest on VMX */
  readonly hvm: HvmGuest | undefined;
}

/** pirqs of a guest beside one for each GSI (extra_domU_irqs) */
const EXTRA_DOMU_IRQS = 32;
/** Vectors that Xen may give to device interrupts (LAST_DYNAMIC_VECTOR - FIRST_DYNAMIC_VECTOR + 1). */
const NR_DYNAMIC_VECTORS = 0xef - 0x20 + 1;

/** CTRL-a three times gives the input to Xen, and again back to dom0. */
const SWITCH = '\x01'.repeat(3);
const XEN_KEY = 'q';

export class XenHost {
  readonly xen: Xen;
  readonly domains: DomainParts[] = [];
  readonly devices = new Map<string, Fired>();
  /** backends of each domain's network queues, by domain */
  readonly netbacks: NetBack[][] = [];
  readonly blkbacks: BlkBack[][] = [];
  /** by domain: jobs of its device model that packets on their way will tell it of, in order */
  private readonly console: [job: number, journey: number][][] = [];
  /** a packet arrives at dom0's network card, if it has one */
  nic: () => ((packet: number) => number) | undefined = () => undefined;
  /** has that card no room for it? */
  nicFull: () => boolean = () => false;
  /** a disk of dom0 */
  disks: (name: string | undefined) => Disk = () => {
    throw new Error('dom0 has not booted');
  };
  /** what a packet from the wire or a guest does next */
  bridgeOut: (packet: number) => void = () => {};
  /** pirqs with MSI-X: what the hardware says to PHYSDEVOP_map_pirq */
  readonly msixDevices = new Set<number>();
  readonly levels: LevelLines;
  /** devices of dom0 on edge lines and messages: the physical interrupt, and what raises it */
  readonly edges: { irq(): number; raise(): number }[] = [];

  constructor(
    readonly shop: Workshop,
    readonly scenario: XenScenario,
  ) {
    const all = Array.from({ length: scenario.cpus }, (_, i) => i);
    const specs = [scenario.dom0, ...scenario.guests];
    this.xen = new Xen(shop, {
      profile: scenario.xen,
      cpus: scenario.cpus,
      domains: specs.map((s, id) => ({
        id,
        vcpus: Array.from({ length: s.vcpus }, () => s.cpus ?? all),
        ...('type' in s &&
          s.type !== 'pv' && { hvm: { hap: s.hap, emulateTsc: s['emulate-tsc'], debugger: s.debugger } }),
      })),
      gsis: scenario['ioapic-pins'],
      irqs: scenario['ioapic-pins'] + messages(scenario),
      irqOptions: irqOptions(scenario),
      clocksource: scenario['command-line'].clocksource,
      cpuidle: scenario['command-line'].cpuidle,
      evtchnFixes: { busyPorts: scenario['busy-ports'], keepsPending: scenario['keeps-pending'] },
      firmware: { levels: scenario.firmware.levels, activeHigh: scenario.firmware['active-high'] },
    });
    this.levels = new LevelLines(this.xen.irqs, shop.parts);
    this.devices.set('uart', {
      name: 'uart',
      title: 'serial line of Xen',
      fire: () => this.type('\r', false),
    });
    for (const device of ['uart', 'xen-key']) {
      const irqs = () => [this.xen.irqs.descs[SERIAL_IRQ]!.vector];
      shop.reaches.set(device, { domain: DOMID_XEN, irqs, sources: ['uart'] });
    }
    this.devices.set('xen-key', {
      name: 'xen-key',
      title: `debug key ${XEN_KEY} on the serial line`,
      fire: () => this.type(XEN_KEY, true),
    });
    this.errors('machine-check', 'machine check', 'uncorrected', FREE_PAGE);
    this.errors('corrected-error', 'corrected error of memory', 'corrected', FREE_PAGE);
    specs.forEach((_, id) => {
      this.errors(`dom${id}.machine-check`, `machine check, page of dom${id}`, 'uncorrected', id);
    });
    specs.forEach((s, id) => {
      this.addDomain(id, s.vcpus, profileOf(s), scenario.guests[id - 1]);
    });
    shop.parts.add({
      id: 'console',
      save: () => this.console.map((heard) => heard ?? []),
      restore: (state) => {
        (state as unknown as [number, number][][]).forEach((heard, domain) => {
          this.console[domain]?.splice(0, Infinity, ...heard);
        });
      },
    });
  }

  get dom0(): DomainParts & { readonly kernel: XenKernel } {
    return this.domains[0] as DomainParts & { readonly kernel: XenKernel };
  }

  /** The CPU of dom0 whose code runs now. */
  get dom0Here(): LinuxCpu | undefined {
    const v = this.xen.wiring.here?.current;
    return v?.domain === 0 ? this.dom0.kernel.cpus[v.vcpu] : undefined;
  }

  /** Something that the user fires in a guest's device model: its process hears of it over the network. */
  register(name: string, title: string, model: DeviceModel, domain: number, fire: () => void): void {
    const job = model.loop.job(fire);
    this.console[domain] ??= [];
    const heard = this.console[domain];
    this.devices.set(name, {
      name,
      title,
      fire: () => {
        const receive = this.nic();
        if (receive) {
          // what the card has no room for is lost, and the device model never hears of it
          const full = this.nicFull();
          const journey = receive(packetOf(domain, 0, FOR_DEVICE_MODEL));
          if (!full) heard.push([job, journey]);
          return journey;
        }
        // without a network: at its own keyboard
        const { books } = this.shop;
        const journey = books.begin(books.sourceOf('user'));
        fire();
        return journey;
      },
    });
  }

  /** A packet for a device model has arrived. */
  toDeviceModel(cpu: LinuxCpu, domain: number): void {
    const next = this.console[domain]?.shift();
    if (next) this.domains[domain]!.hvm!.pc!.model.loop.post(next[0], 0, 0, cpu, next[1]);
  }

  /** Who sits at the serial line types this, for Xen or for dom0. */
  private type(text: string, forXen: boolean): number {
    const { xen } = this;
    return xen.serialInput(xen.console.xenRx === forXen ? text : `${SWITCH}${text}`);
  }

  /** Errors of memory, in a page of this domain, are fired by this name. */
  private errors(name: string, title: string, kind: McaError, domain: number): void {
    this.devices.set(name, { name, title, fire: () => this.xen.mce.raise(kind, domain) });
  }

  source(name: string): SourceId {
    return this.shop.books.sourceOf(name);
  }

  private addDomain(id: number, vcpus: number, profile: KernelProfile, spec: GuestSpec | undefined): void {
    const { shop, xen, scenario } = this;
    const { parts, books, trace } = shop;
    const shared = parts.add(new SharedInfo(id, vcpus));
    const memory = parts.add(new GuestMemory(id, 512));
    const mine = xen.vcpus.filter((v) => v.domain === id);
    const privileged = id === 0;
    const domain = xen.addDomain(
      {
        id,
        vcpus: mine,
        shared,
        memory,
        privileged,
        nrPirqs: privileged ? hardwarePirqs(scenario) : scenario['ioapic-pins'] + EXTRA_DOMU_IRQS,
        maxPort: spec ? spec['max-event-channels'] : 131_071,
      },
      { pirqToIrq: (pirq) => Math.max(0, xen.irqOf(id, pirq)) },
    );
    const hardware = {
      msix: (device: number) => this.msixDevices.has(device),
      level: (gsi: number) => this.levels.has(gsi),
    };
    const store = parts.add(new MessageRing(`dom${id}.xenstore`));
    const console = parts.add(new MessageRing(`dom${id}.console`));
    const common = { domain, spec, store, console, storePort: 0, consolePort: 0 };
    if (spec && spec.type !== 'pv') {
      const hvm = new HvmGuest(this, domain, spec, profile);
      this.domains.push({ ...common, kernel: hvm.kernel, hvm });
      return;
    }
    const pvcpus = mine as PvVcpu[];
    const kernel = new XenKernel({
      id: `dom${id}`,
      domain: id,
      initialDomain: privileged,
      profile,
      vcpus: pvcpus,
      hypercalls: mine.map((v) => new PvHypercalls(xen, domain, v, hardware)),
      shared,
      memory,
      books,
      trace,
      parts,
      dynamicBase: dynamicBase(scenario, profile, privileged),
      nrIrqs: scenario['ioapic-pins'] * 17 + 16 + 8 * mine.length,
      slot: (port) => domain.slot(port),
      destination: (port) => domain.destination(port),
    });
    pvcpus.forEach((v, i) => {
      v.entry = kernel.cpus[i]!;
    });
    this.domains.push({ ...common, kernel, hvm: undefined });
  }
}

function profileOf(s: XenScenario['dom0'] | GuestSpec): KernelProfile {
  if (s.kernel === 'linux-2.6.36') return KERNELS[s.kernel];
  const kernel = s.fifo ? KERNELS[s.kernel] : twoLevel(KERNELS[s.kernel]);
  return 'type' in s && s.type !== 'pv' ? hardwareVirtual(kernel) : kernel;
}

/** arch_hwdom_irqs (4.17); the forward port's nr_pirqs where dom0 is that kernel. */
function hardwarePirqs(scenario: XenScenario): number {
  const gsis = scenario['ioapic-pins'];
  if (scenario.xen === '3.4') return gsis + 8 * scenario.cpus + 16 * gsis;
  return gsis + (32 - Math.clz32(scenario.cpus)) * NR_DYNAMIC_VECTORS;
}

/** Where numbers of event channels begin: after the GSIs, after the legacy interrupts, or at 0. */
function dynamicBase(scenario: XenScenario, profile: KernelProfile, dom0: boolean): number {
  if (profile.numbering === 'bindcount') return hardwarePirqs(scenario);
  return dom0 ? scenario['ioapic-pins'] : 0;
}

/** Message-signalled interrupts that the devices take at most at one time. */
function messages(scenario: XenScenario): number {
  let n = 0;
  for (const d of scenario.dom0.devices) {
    if (d.driver === 'nvme' || d.driver === 'virtio-scsi') n += d.queues + 1;
    else if (d.driver === 'msix') n += d.messages;
    else if (d.driver === 'e1000e' || d.driver === 'virtio-net') n += 3;
    else if (d.driver === 'ahci' || d.driver === 'msi-nic') n += 1;
  }
  for (const d of scenario.guests.flatMap((g) => g.devices)) {
    if (d.driver === 'passthrough') n += d.messages ?? 0;
  }
  return n;
}

function irqOptions({ 'command-line': options }: XenScenario): Partial<IrqOptions> {
  const { ioapic_ack: ioapicAck, irq_ratelimit: irqRatelimit, 'irq-max-guests': irqMaxGuests } = options;
  return {
    ...(ioapicAck && { ioapicAck }),
    ...(irqRatelimit !== undefined && { irqRatelimit }),
    ...(irqMaxGuests !== undefined && { irqMaxGuests }),
  };
}
