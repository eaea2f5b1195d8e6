/** A Xen host, from a scenario: dom0, and guests of every kind. */

import { UserError } from '../core/errors.ts';
import type { TraceRecord } from '../core/trace.ts';
import { NoSpace } from '../guest/linux/irq-info.ts';
import { DEBUG_KEYS, debugKey } from '../hv/xen/x86/debug-keys/keys.ts';
import { HvmVcpu } from '../hv/xen/x86/hvm-vcpu.ts';
import { xenExitName } from '../hv/xen/x86/vmexit.ts';
import type { TraceCapture } from '../import/capture.ts';
import type { XenScenario } from '../scenario/xen-schema.ts';
import type { IrqDetails } from './details.ts';
import { type Hop, hopOf } from './hops.ts';
import type { CpuSnapshot, DomainSnapshot, XenSnapshot } from './inspect.ts';
import { type HookSwitch, Machine, Workshop } from './machine.ts';
import { replayXen } from './replay/xen.ts';
import { exitNames, xenTrace } from './trace-host.ts';
import { xenSignals } from './trace-signals.ts';
import { boot } from './xen/boot.ts';
import { XenControls } from './xen/controls.ts';
import { xenDetails } from './xen/details-x86.ts';
import { closedBusyOf, cpuSnapshots, domainSnapshot, xlSnapshot } from './xen/domain-snapshot.ts';
import { XEN_HOPS, XenHopNames, type XenNames, xenWaiting } from './xen/hops.ts';
import { type DomainParts, XenHost } from './xen/host.ts';
import { hvmMismatch, hvmSnapshot, nativeState } from './xen/hvm-inspect.ts';
import { type Compare, XenPlatform } from './xen/platform.ts';
import { startWorkloads } from './xen/workloads.ts';
import { hookSwitch, xenSnapshot } from './xen/xen-inspect.ts';

/**
 * @param recorded what its guests do and are told, in place of workloads
 * @throws UserError if the machine that the scenario asks for cannot boot
 */
export function buildXen(scenario: XenScenario, seed: number, recorded?: TraceCapture): Machine {
  const shop = new Workshop(seed);
  let platform: XenX86Platform;
  try {
    const host = new XenHost(shop, scenario);
    const running = boot(host);
    if (recorded) replayXen(host, running, recorded);
    else startWorkloads(host, running);
    platform = new XenX86Platform(host);
  } catch (error) {
    if (error instanceof NoSpace) {
      throw new UserError(`${scenario.name}: ${error.message}`);
    }
    throw error;
  }
  return new Machine(scenario, shop, platform);
}

class XenX86Platform extends XenPlatform<DomainParts, XenHost> {
  readonly dumps: readonly string[];
  readonly hook: HookSwitch;
  readonly controls: XenControls;
  private readonly names: XenNames;

  constructor(host: XenHost) {
    super(host);
    this.dumps = DEBUG_KEYS[host.scenario.xen];
    this.names = new XenHopNames(host.xen, (domain) => host.domains[domain]?.kernel);
    this.hook = hookSwitch(host.xen);
    this.controls = new XenControls(host);
    host.xen.start();
  }

  cpus(): CpuSnapshot[] {
    const { xen, shop } = this.host;
    return cpuSnapshots(xen.cpus, xen.vcpus, shop.clock.now, (v, inXen) => {
      if (v instanceof HvmVcpu) return inXen ? 'root' : 'non-root';
      return inXen ? 'ring 0' : 'ring 3';
    });
  }

  xen(): XenSnapshot {
    const drivers = new Map<number, ReadonlyMap<number, string>>();
    return xenSnapshot(this.host.xen, (domain, pirq) => {
      const known = drivers.get(domain) ?? this.drivers(domain);
      drivers.set(domain, known);
      return known.get(pirq) ?? '';
    });
  }

  /** By pirq: the drivers of a domain's kernel behind it. */
  private drivers(domain: number): Map<number, string> {
    const { xen, domains } = this.host;
    const pirqs = new Map(
      xen.channels.channels(domain).map((c) => [c.port, c.kind === 'pirq' ? c.pirq : -1]),
    );
    const descs = domains[domain]!.kernel.shownDescs();
    return new Map(descs.map((d) => [pirqs.get(d.port) ?? -1, d.actions.map((a) => a.name).join(', ')]));
  }

  hop(record: TraceRecord): Hop {
    return hopOf(XEN_HOPS, this.names, record);
  }

  details(domain: number, irq: number): IrqDetails | undefined {
    return xenDetails(this.host, domain, irq);
  }

  waiting(records: readonly TraceRecord[]): string {
    return xenWaiting(this.names, records);
  }

  totals(): { interrupts: number; upcalls: number } {
    return { interrupts: this.interrupts, upcalls: this.host.xen.upcalls.count };
  }

  trace() {
    const { xen, domains } = this.host;
    const kernels = domains.map((d) => d.kernel);
    const signals = () => xenSignals(this.host);
    return xenTrace('xen-x86', xen, kernels, exitNames(xenExitName), (v) => v instanceof HvmVcpu, signals);
  }

  dump(key: string): string | undefined {
    const { xen, domains } = this.host;
    return debugKey(
      xen,
      key,
      domains.map((d) => d.domain),
    );
  }

  protected compareChips(compare: Compare): void {
    const { xen, domains } = this.host;
    for (const { hvm } of domains) if (hvm) hvmMismatch(hvm, compare);
    for (const v of xen.vcpus) compare(`${v.name} #MC`, xen.vmce.waits(v), xen.vmce.slotOf(v));
    for (const { what, waits, slot } of xen.mce.waiting()) compare(what, waits, slot);
    const { lines, descs } = xen.irqs;
    for (const desc of descs) {
      if (!desc) continue;
      compare(`irq ${desc.irq}`, lines.isPending(desc.irq), lines.slotOf(desc.irq));
      compare(`irq ${desc.irq}, masked`, desc.msiPending, lines.heldSlotOf(desc.irq));
    }
  }

  protected domain({ kernel, domain, spec, hvm }: DomainParts): DomainSnapshot {
    const { xen, shop } = this.host;
    const kind = `${spec ? spec.type.toUpperCase() : 'PV dom0'}, ${kernel.profile.title}`;
    const channels = xen.channels.channels(domain.id);
    return {
      ...domainSnapshot(domain, kernel, channels, kind, shop.clock.now, hvm && nativeState(hvm)),
      ...closedBusyOf(xen.channels, domain.id),
      ...(hvm && hvmSnapshot(this.host, hvm)),
      xl: xlSnapshot(this.host, xen.control, domain.id),
    };
  }
}
