/** What is the same of every host of Xen: its domains, who runs, their channels, and what the books say of these. */

import type { TraceRecord } from '../../core/trace.ts';
import type { ExitTable } from '../../hv/exits.ts';
import type { Pcpu } from '../../hv/pcpu.ts';
import type { Vcpu } from '../../hv/vcpu.ts';
import type { XenConsole } from '../../hv/xen/console.ts';
import type { EventChannels } from '../../hv/xen/evtchn.ts';
import type { ArmScenario } from '../../scenario/arm-schema.ts';
import { systemOf } from '../../scenario/kinds.ts';
import type { XenScenario } from '../../scenario/xen-schema.ts';
import type { Controls } from '../controls.ts';
import type { IrqDetails } from '../details.ts';
import type { Hop } from '../hops.ts';
import type { CpuSnapshot, DomainSnapshot, RunTotals, XenSnapshot } from '../inspect.ts';
import type { Fireable, Platform, Runner, Workshop } from '../machine.ts';

import type { PlatformTrace } from '../trace-host.ts';
import { type EventChannelsSnapshot, eventChannels } from './channels-inspect.ts';
import type { Fired } from './devices.ts';
import { xenRunner } from './domain-snapshot.ts';
import type { SplitDomain } from './split.ts';

/** Does what is pending in a chip stand in the books, and the other way round? */
export type Compare = (what: string, chip: boolean, slot: number) => void;

interface Host<P extends SplitDomain> {
  readonly shop: Workshop;
  readonly scenario: XenScenario | ArmScenario;
  readonly domains: readonly P[];
  readonly devices: ReadonlyMap<string, Fired>;
  readonly xen: {
    readonly cpus: readonly Pcpu[];
    readonly vcpus: readonly Vcpu[];
    readonly channels: EventChannels;
    readonly exits: ExitTable;
    readonly console: XenConsole;
  };
}

export abstract class XenPlatform<P extends SplitDomain, H extends Host<P>> implements Platform {
  readonly system: string;
  readonly fireables: readonly Fireable[];
  abstract readonly dumps: readonly string[];
  abstract readonly controls: Controls;

  constructor(protected readonly host: H) {
    const { scenario, devices, xen, shop } = host;
    this.system = systemOf(scenario);
    this.fireables = scenario.keys.map(({ device, title }, i) => {
      const fired = devices.get(device)!;
      return { key: `${(i + 1) % 10}`, name: device, title: title ?? fired.title, fire: () => fired.fire() };
    });
    xen.console.keyHandler = (key) => this.dump(key);
    shop.trace.runs = (cpu) => xen.cpus[cpu]!.current?.index ?? -1;
  }

  abstract cpus(): CpuSnapshot[];
  abstract xen(): XenSnapshot;
  abstract hop(record: TraceRecord): Hop;
  abstract details(domain: number, irq: number): IrqDetails | undefined;
  abstract waiting(records: readonly TraceRecord[]): string;
  abstract totals(): RunTotals;
  abstract trace(): PlatformTrace;
  abstract dump(key: string): string | undefined;

  protected abstract domain(parts: P): DomainSnapshot;
  /** Of the platform's own chips. */
  protected abstract compareChips(compare: Compare): void;

  domains(): DomainSnapshot[] {
    return this.host.domains.map((parts) => this.domain(parts));
  }

  runner(vcpu: number): Runner {
    return xenRunner(this.host.xen.vcpus, vcpu);
  }

  exitSpan(domain: number, reason: number) {
    const first = this.host.domains[domain]?.domain.vcpus[0];
    return first && this.host.xen.exits.spanOf(first.index, reason);
  }

  channels(domain: number): EventChannelsSnapshot | undefined {
    return this.host.domains[domain] && eventChannels(this.host.xen.channels.domain(domain));
  }

  pendingMismatch(): string[] {
    const { xen, shop, domains } = this.host;
    const wrong: string[] = [];
    const compare: Compare = (what, chip, slot) => {
      if (chip !== shop.books.holds(slot))
        wrong.push(`${what}: ${chip ? 'pending' : 'not pending'} in the chip`);
    };
    for (const { domain } of domains) {
      for (const { port } of xen.channels.channels(domain.id)) {
        const { channels } = xen;
        const pending = channels.portIsPending(domain.id, port) || channels.portIsKept(domain.id, port);
        compare(`dom${domain.id}:${port}`, pending, domain.slot(port));
      }
    }
    this.compareChips(compare);
    return wrong;
  }

  /** Handlers that the domains' kernels have run. */
  protected get interrupts(): number {
    return this.host.domains.reduce((n, { kernel }) => n + kernel.interrupts, 0);
  }
}
