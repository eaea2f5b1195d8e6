/** A Xen host while it is put together: Xen, the kernels of its domains, and the devices of dom0. */

import { MessageRing } from '../../abi/ring.ts';
import { GuestMemory, SharedInfo } from '../../abi/xen.ts';
import type { SourceId } from '../../core/books.ts';
import { hardwareVirtual, KERNELS, type KernelProfile, twoLevel } from '../../guest/linux/profiles.ts';
import type { NetBack } from '../../guest/linux/xen-drivers/net.ts';
import { XenKernel } from '../../guest/linux/xen-kernel.ts';
import type { Domain } from '../../hv/xen/domain.ts';
import { PvHypercalls } from '../../hv/xen/x86/pv.ts';
import type { PvVcpu } from '../../hv/xen/x86/pv-vcpu.ts';
import { Xen } from '../../hv/xen/x86/xen.ts';
import type { GuestSpec, XenScenario } from '../../scenario/xen-schema.ts';
import type { Workshop } from '../machine.ts';
import type { Fired } from './devices.ts';

/** What dom0's control tools give to a new domain, and what its frontends connect to. */
export interface DomainParts {
  readonly domain: Domain;
  readonly kernel: XenKernel;
  readonly spec: GuestSpec | undefined;
  /** rings of xenstore and the console */
  readonly store: MessageRing;
  readonly console: MessageRing;
  /** ports the toolstack made for them */
  storePort: number;
  consolePort: number;
}

/** Vectors that Xen may give to device interrupts (LAST_DYNAMIC_VECTOR - FIRST_DYNAMIC_VECTOR + 1). */
const NR_DYNAMIC_VECTORS = 0xef - 0x20 + 1;

export class XenHost {
  readonly xen: Xen;
  readonly domains: DomainParts[] = [];
  readonly devices = new Map<string, Fired>();
  /** backends of each domain's network queues, by domain */
  readonly netbacks: NetBack[][] = [];
  /** what a packet from the wire or a guest does next */
  bridgeOut: (packet: number) => void = () => {};
  /** pirqs with MSI-X, level GSIs: what the hardware says to PHYSDEVOP_map_pirq */
  readonly msixDevices = new Set<number>();
  readonly levelGsis = new Set<number>();

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
      })),
      gsis: scenario['ioapic-pins'],
      irqs: scenario['ioapic-pins'] + messages(scenario),
    });
    this.devices.set('uart', {
      name: 'uart',
      title: 'serial line of Xen',
      fire: () => this.xen.serialInput(),
    });
    specs.forEach((s, id) => {
      this.addDomain(id, s.vcpus, profileOf(s), scenario.guests[id - 1]);
    });
  }

  get dom0(): DomainParts {
    return this.domains[0]!;
  }

  source(name: string): SourceId {
    return this.shop.books.sourceOf(name);
  }

  private addDomain(id: number, vcpus: number, profile: KernelProfile, spec: GuestSpec | undefined): void {
    const { shop, xen, scenario } = this;
    const { parts, books, trace } = shop;
    const shared = parts.add(new SharedInfo(id, vcpus));
    const memory = parts.add(new GuestMemory(id, 512));
    const mine = xen.vcpus.filter((v) => v.domain === id) as PvVcpu[];
    const privileged = id === 0;
    const domain = xen.addDomain(
      {
        id,
        vcpus: mine,
        shared,
        memory,
        privileged,
        nrPirqs: privileged ? hardwarePirqs(scenario) : 16,
        maxPort: spec ? spec['max-event-channels'] : 131_071,
      },
      { pirqToIrq: (pirq) => Math.max(0, xen.irqOf(id, pirq)) },
    );
    const hardware = {
      msix: (device: number) => this.msixDevices.has(device),
      level: (gsi: number) => this.levelGsis.has(gsi),
    };
    const hvm = spec?.type === 'pvh';
    const store = parts.add(new MessageRing(`dom${id}.xenstore`));
    const console = parts.add(new MessageRing(`dom${id}.console`));
    const kernel = new XenKernel({
      id: `dom${id}`,
      domain: id,
      initialDomain: privileged,
      profile,
      vcpus: mine,
      hypercalls: mine.map((v) => new PvHypercalls(xen, domain, v, hardware)),
      shared,
      memory,
      books,
      trace,
      parts,
      dynamicBase: dynamicBase(scenario, profile, privileged, hvm),
      nrIrqs: scenario['ioapic-pins'] * 17 + 16 + 8 * vcpus,
      slot: (port) => domain.slot(port),
      destination: (port) => domain.destination(port),
      callbackVector: hvm,
    });
    mine.forEach((v, i) => {
      v.entry = kernel.cpus[i]!;
    });
    this.domains.push({ domain, kernel, spec, store, console, storePort: 0, consolePort: 0 });
  }
}

function profileOf(s: XenScenario['dom0'] | GuestSpec): KernelProfile {
  const kernel = s.fifo ? KERNELS[s.kernel] : twoLevel(KERNELS[s.kernel]);
  return 'type' in s && s.type === 'pvh' ? hardwareVirtual(kernel) : kernel;
}

/** arch_hwdom_irqs (4.17); the forward port's nr_pirqs where dom0 is that kernel. */
function hardwarePirqs(scenario: XenScenario): number {
  const gsis = scenario['ioapic-pins'];
  if (scenario.xen === '3.4') return gsis + 8 * scenario.cpus + 16 * gsis;
  return gsis + (32 - Math.clz32(scenario.cpus)) * NR_DYNAMIC_VECTORS;
}

/** Where numbers of event channels begin: after the GSIs, after the legacy interrupts, or at 0. */
function dynamicBase(scenario: XenScenario, profile: KernelProfile, dom0: boolean, hvm: boolean): number {
  if (profile.numbering === 'bindcount') return hardwarePirqs(scenario);
  if (dom0) return scenario['ioapic-pins'];
  return hvm ? 16 : 0;
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
  return n;
}
