/** A Xen host on ARM, from a scenario. */
import { UserError } from '../core/errors.ts';
import type { TraceRecord } from '../core/trace.ts';
import { NoSpace } from '../guest/linux/irq-info.ts';
import { ARM_DEBUG_KEYS, armDebugKey } from '../hv/xen/arm/debug-keys/keys.ts';
import { ARM_EXITS, armExitName } from '../hv/xen/arm/traps.ts';
import type { XenArm } from '../hv/xen/arm/xen.ts';
import { PRIVATE } from '../hw/arm/gic-regs.ts';
import type { ArmScenario } from '../scenario/arm-schema.ts';
import type { IrqDetails } from './details.ts';
import { type Hop, hopOf } from './hops.ts';
import type { CpuSnapshot, DomainSnapshot, XenArmSnapshot } from './inspect.ts';
import { housekeeping } from './loops.ts';
import { Machine, Workshop } from './machine.ts';
import { startXenArm } from './microbenchmarks/xen-arm.ts';
import { xenTrace } from './trace-host.ts';
import { armSignals } from './trace-signals.ts';
import { serve, startCommon } from './xen/common-workloads.ts';
import { channelDetails, isXenGuest } from './xen/details.ts';
import { cpuSnapshots, domainSnapshot, xlSnapshot } from './xen/domain-snapshot.ts';
import { type Compare, XenPlatform } from './xen/platform.ts';
import { armSnapshot, xenArmSnapshot } from './xen-arm/arm-inspect.ts';
import { bootArm } from './xen-arm/boot.ts';
import { ArmControls } from './xen-arm/controls.ts';
import { gicDetails } from './xen-arm/details.ts';
import type { ArmDevices } from './xen-arm/devices.ts';
import { startFaults } from './xen-arm/faults.ts';
import { ARM_HOPS, ArmHopNames, armWaiting } from './xen-arm/hops.ts';
import { type ArmDomainParts, XenArmHost } from './xen-arm/host.ts';

/** @throws UserError if the machine that the scenario asks for cannot boot */
export function buildXenArm(scenario: ArmScenario, seed: number): Machine {
  const shop = new Workshop(seed);
  let platform: XenArmPlatform;
  try {
    const host = new XenArmHost(shop, scenario);
    const running = bootArm(host);
    for (const booted of running.domains) housekeeping(shop, booted.parts.kernel);
    scenario.workloads.forEach((spec, i) => {
      const name = `${spec.what}${i}`;
      if (spec.what === 'microbenchmark') startXenArm(host, spec.domain, { ...spec, order: i });
      else if (spec.what === 'serror' || spec.what === 'fiq') startFaults(host, spec, name);
      else startCommon(host, running, spec, name);
    });
    for (const booted of running.domains) serve(host, booted);
    platform = new XenArmPlatform(host, running.devices as ArmDevices);
  } catch (error) {
    if (error instanceof NoSpace) throw new UserError(`${scenario.name}: ${error.message}`);
    throw error;
  }
  return new Machine(scenario, shop, platform);
}

class XenArmPlatform extends XenPlatform<ArmDomainParts, XenArmHost> {
  readonly dumps = ARM_DEBUG_KEYS;
  readonly controls: ArmControls;
  private readonly names: ArmHopNames;

  constructor(host: XenArmHost, devices: ArmDevices) {
    super(host);
    this.names = new ArmHopNames(host.xen, (domain) => host.domains[domain]?.kernel);
    this.controls = new ArmControls(host, devices);
    host.xen.start();
  }

  /** Nothing runs any more, while devices go on to raise their wires. */
  get ended(): string | undefined {
    return this.host.xen.panic.why || undefined;
  }

  cpus(): CpuSnapshot[] {
    const { xen, shop } = this.host;
    return cpuSnapshots(xen.cpus, xen.vcpus, shop.clock.now, (_, inXen) => (inXen ? 'EL2' : 'EL1'));
  }

  xen(): XenArmSnapshot {
    return xenArmSnapshot(this.host.xen, (domain, virq) => {
      return this.host.domains[domain]!.kernel.gic.handlersOf(virq);
    });
  }

  hop(record: TraceRecord): Hop {
    return hopOf(ARM_HOPS, this.names, record);
  }

  details(domain: number, irq: number): IrqDetails | undefined {
    const parts = this.host.domains[domain];
    const desc = parts?.kernel.irqs.descs[irq];
    if (!desc) return undefined;
    const { kernel, domain: d } = parts;
    const { xen, shop } = this.host;
    if (desc.ports.length === 0) return desc.hwirq === null ? undefined : gicDetails(xen, parts, desc);
    if (!isXenGuest(kernel)) return undefined;
    const upcall = `the events PPI, irq ${kernel.eventsIrq} of its kernel`;
    const jiffies = kernel.time.jiffies(shop.clock.now);
    const { channels } = xen;
    return channelDetails(
      { kernel, domain, channels, shared: d.shared, vcpus: d.vcpus, jiffies, upcall },
      desc,
    );
  }

  waiting(records: readonly TraceRecord[]): string {
    return armWaiting(this.names, records);
  }

  totals(): { interrupts: number; upcalls: number } {
    return { interrupts: this.interrupts, upcalls: this.host.xen.vcpus.reduce((n, v) => n + v.upcalls, 0) };
  }

  trace() {
    const { xen, domains } = this.host;
    const kernels = domains.map((d) => d.kernel);
    const exits = Array.from({ length: ARM_EXITS }, (_, n): [number, string] => [n, armExitName(n)]);
    const known = exits.filter(([, name]) => !name.startsWith('EC_'));
    const signals = () => armSignals(this.host);
    return xenTrace('xen-arm', xen, kernels, known, () => true, signals);
  }

  dump(key: string): string | undefined {
    const { xen, domains } = this.host;
    return armDebugKey(
      xen,
      key,
      domains.map((d) => d.domain),
    );
  }

  protected compareChips(compare: Compare): void {
    const { xen, domains } = this.host;
    for (const { domain, arm } of domains) {
      const listed = xen.listed(arm);
      for (let i = 0; i < arm.vgic.pendingIrqs; i++) {
        const p = arm.vgic.byIndex(i);
        const where = xen.whereabouts(arm, p.irq < 32 ? i >> 5 : 0, p.irq, listed);
        compare(`dom${domain.id} irq ${p.irq}, queued`, where.includes('queued'), p.slot);
        compare(`dom${domain.id} irq ${p.irq}, in a list register`, where.includes('pending'), p.slot + 1);
      }
    }
    for (const { cpu } of xen.cpus) {
      const { slot, holds } = xen.irqs.inHandOf(cpu);
      compare(`CPU${cpu}'s interrupt in hand`, holds, slot);
    }
    for (const { irq, guest, action } of xen.irqs.descs) {
      if (irq >= 32 && (guest || action)) compare(`irq ${irq}`, xen.irqs.waits(irq), xen.irqs.slot(irq));
    }
  }

  /** At the virtual GIC, or still at the physical one: that is where one stays which its domain has disabled. */
  private waitsFor({ arm }: ArmDomainParts, virq: number, listed: ReturnType<XenArm['listed']>): boolean {
    const physical = virq < PRIVATE ? undefined : arm.vgic.spis[virq - PRIVATE]?.desc;
    if (physical && this.host.xen.irqs.isPending(physical.irq)) return true;
    const vcpus = virq < 32 ? arm.vcpus.map((v) => v.vcpu) : [0];
    return vcpus.some((v) => /queued|pending/.test(this.host.xen.whereabouts(arm, v, virq, listed)));
  }

  protected domain(parts: ArmDomainParts): DomainSnapshot {
    const { kernel, domain, arm } = parts;
    const { xen, shop } = this.host;
    const channels = xen.channels.channels(domain.id);
    const listed = xen.listed(arm);
    const kind = kindOf(parts, xen.control.endOf(domain.id));
    const common = domainSnapshot(domain, kernel, channels, kind, shop.clock.now, (desc) => ({
      pending: desc.replay || this.waitsFor(parts, desc.hwirq!, listed),
      masked: desc.depth > 0,
    }));
    const rows = xen.exits.totals(arm.vcpus.map((v) => v.index));
    return {
      ...common,
      // one that PSCI has taken down, or has not brought up
      vcpus: common.vcpus.map((v) => (arm.vcpus[v.vcpu]!.online ? v : { ...v, state: 'offline' })),
      exits: { rows, stats: [] },
      xl: xlSnapshot(this.host, xen.control, domain.id),
      arm: armSnapshot(xen, arm.vcpus, kernel, common.interrupts.arch),
    };
  }
}

function kindOf({ kernel, spec }: ArmDomainParts, end: string): string {
  const what = spec ? (spec.type === 'xl' ? 'domU' : 'dom0less domU') : 'dom0';
  const isa = spec?.aarch32 ? 'arm32' : 'arm64';
  return `${what}, ${kernel.profile.title} ${isa}${end === '' ? '' : `, ${end}`}`;
}
