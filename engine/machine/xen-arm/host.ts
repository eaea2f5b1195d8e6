/** A Xen host on ARM while it is put together: Xen, the kernels of its domains, and the devices of the board. */
import { MessageRing } from '../../abi/ring.ts';
import { DOMID_XEN, GuestMemory, SharedInfo } from '../../abi/xen.ts';
import { Arm64Kernel } from '../../guest/linux/arm64.ts';
import { type KernelProfile, LINUX_6_1_ARM64, twoLevel } from '../../guest/linux/profiles.ts';
import type { BlkBack } from '../../guest/linux/xen-drivers/block.ts';
import type { NetBack } from '../../guest/linux/xen-drivers/net.ts';
import { ArmGuestCpu } from '../../hv/xen/arm/arm-cpu.ts';
import type { ArmDomain, GicMap } from '../../hv/xen/arm/arm-domain.ts';
import { ArmHypercalls } from '../../hv/xen/arm/hypercalls.ts';
import { ssbdOf } from '../../hv/xen/arm/ssbd.ts';
import { XenArm } from '../../hv/xen/arm/xen.ts';
import { COUNTER_HZ, Ppi, Spi, VIRT_BASE, VIRT_INTIDS } from '../../hw/arm/board-virt.ts';
import { GICD_SIZE } from '../../hw/arm/gic-regs.ts';
import type { ArmGuestSpec, ArmScenario } from '../../scenario/arm-schema.ts';
import type { Workshop } from '../machine.ts';
import type { Fired } from '../xen/devices.ts';
import type { SplitDomain, SplitHost } from '../xen/split.ts';
import { registerFaults } from './faults.ts';

export interface ArmDomainParts extends SplitDomain {
  readonly arm: ArmDomain;
  readonly kernel: Arm64Kernel;
  readonly spec: ArmGuestSpec | undefined;
}

/** Guest memory map (public/arch-arm.h). */
const GUEST_MAP = {
  2: { dist: 0x0300_1000, distSize: GICD_SIZE[2], cpu: 0x0300_2000, redist: 0 },
  3: { dist: 0x0300_1000, distSize: GICD_SIZE[3], cpu: 0, redist: 0x0302_0000 },
} as const satisfies Record<2 | 3, GicMap>;
/** GUEST_EVTCHN_PPI; dom0's is the first PPI that is free (allocated by evtchn_allocate) */
const GUEST_EVTCHN_PPI = 31;
const DOM0_EVTCHN_PPI = 16;
/** GUEST_VPL011_SPI, and what may be passed through behind it */
const GUEST_SPIS = 32;
const TIMER_PPIS = [Ppi.CNTPS, Ppi.CNTP, Ppi.CNTV] as const;

export class XenArmHost implements SplitHost {
  readonly xen: XenArm;
  readonly domains: ArmDomainParts[] = [];
  readonly devices = new Map<string, Fired>();
  readonly netbacks: NetBack[][] = [];
  readonly blkbacks: BlkBack[][] = [];

  constructor(
    readonly shop: Workshop,
    readonly scenario: ArmScenario,
  ) {
    const all = Array.from({ length: scenario.cpus }, (_, i) => i);
    const specs = [scenario.dom0, ...scenario.guests];
    const commandLine = scenario['command-line'];
    this.xen = new XenArm(shop, {
      gic: scenario.gic,
      cpus: scenario.cpus,
      lrs: scenario['list-registers'],
      intids: VIRT_INTIDS[scenario.gic],
      trapOptions: {
        serrors: commandLine.serrors,
        ssbd: ssbdOf(commandLine.ssbd, scenario.firmware.ssbd),
      },
      domains: specs.map((s, id) => ({
        id,
        vcpus: Array.from({ length: s.vcpus }, () => s.cpus ?? all),
        compat: scenario.guests[id - 1]?.aarch32 ?? false,
      })),
    });
    specs.forEach((s, id) => {
      this.domains.push(this.addDomain(id, s, scenario.guests[id - 1]));
    });
    registerFaults(this);
    for (const device of ['uart', 'xen-key']) {
      shop.reaches.set(device, { domain: DOMID_XEN, irqs: () => [Spi.UART], sources: ['uart'] });
    }
    this.register('uart', 'serial line of Xen', { fire: () => this.type('\r', false) });
    this.register('xen-key', 'debug key q on the serial line', { fire: () => this.type('q', true) });
  }

  get dom0(): ArmDomainParts & { readonly kernel: Arm64Kernel & SplitHost['dom0']['kernel'] } {
    return this.domains[0]! as ArmDomainParts & {
      readonly kernel: Arm64Kernel & SplitHost['dom0']['kernel'];
    };
  }

  register(name: string, title: string, device: { fire(): number }): void {
    this.devices.set(name, { name, title, fire: () => device.fire() });
  }

  /** Who sits at the serial line types this, for Xen or for dom0. */
  private type(text: string, forXen: boolean): number {
    const { console } = this.xen;
    return this.xen.serialInput(console.xenRx === forXen ? text : `${SWITCH}${text}`);
  }

  private addDomain(
    id: number,
    spec: Pick<ArmScenario['dom0'], 'vcpus' | 'fifo' | 'ssbd' | 'priorities'>,
    guest: ArmGuestSpec | undefined,
  ): ArmDomainParts {
    const { shop, xen, scenario } = this;
    const { parts, books, trace } = shop;
    const { gic } = scenario;
    const shared = parts.add(new SharedInfo(id, spec.vcpus));
    const memory = parts.add(new GuestMemory(id, 512));
    const vcpus = xen.vcpus.filter((v) => v.domain === id);
    const privileged = id === 0;
    const maxPort = guest ? guest['max-event-channels'] : 131_071;
    const ppi = privileged ? DOM0_EVTCHN_PPI : GUEST_EVTCHN_PPI;
    const map = privileged ? hostMap(gic) : GUEST_MAP[gic];
    const arm = xen.addDomain(
      { id, vcpus, shared, memory, privileged, nrPirqs: 0, maxPort },
      { map, evtchnIrq: ppi, spis: privileged ? VIRT_INTIDS[gic] - 32 : GUEST_SPIS },
      gic,
    );
    const { domain } = arm;
    const cpus = vcpus.map((v) => new ArmGuestCpu(v, xen));
    const knowsXen = guest?.type !== 'dom0less';
    const kernel = new Arm64Kernel({
      id: `dom${id}`,
      domain: id,
      profile: profileOf(spec.fifo),
      vcpus: cpus,
      books,
      trace,
      parts,
      nrIrqs: 64,
      gicVersion: gic,
      gic: map,
      priorities: spec.priorities,
      timers: TIMER_PPIS,
      virtualTimer: Ppi.CNTV,
      frequency: COUNTER_HZ,
      aarch32: guest?.aarch32 ?? false,
      ssbd: spec.ssbd,
      xen: knowsXen
        ? {
            ppi,
            initialDomain: privileged,
            hypercalls: cpus.map((cpu) => new ArmHypercalls(xen, domain, cpu)),
            shared,
            memory,
            dynamicBase: 0,
            slot: (port) => domain.slot(port),
            destination: (port) => domain.destination(port),
          }
        : undefined,
      slot: (cpu, intid) => arm.takenSlot(vcpus[cpu]!, intid),
    });
    vcpus.forEach((v, n) => {
      v.guest = kernel.cpus[n]!;
    });
    const store = parts.add(new MessageRing(`dom${id}.xenstore`));
    const console = parts.add(new MessageRing(`dom${id}.console`));
    return { domain, arm, kernel, spec: guest, store, console, storePort: 0, consolePort: 0 };
  }
}

/** CTRL-a three times gives the input to Xen, and again back to dom0. */
const SWITCH = '\x01'.repeat(3);

function profileOf(fifo: boolean): KernelProfile {
  return fifo ? LINUX_6_1_ARM64 : twoLevel(LINUX_6_1_ARM64);
}

/** dom0 has the host's own layout. */
function hostMap(gic: 2 | 3): GicMap {
  return { dist: VIRT_BASE.GICD, distSize: GICD_SIZE[gic], cpu: VIRT_BASE.GICC, redist: VIRT_BASE.GICR };
}
