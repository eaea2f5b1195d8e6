/**
 * A machine: one simulated host, its time, and what the world outside may do to it.
 *
 * Builders (`build-*.ts`) wire the parts of one platform and hand them over as a `Platform`; everything
 * that is the same on all platforms is here: time, tracing, the books, saving, firing.
 */
import { Books } from '../core/books.ts';
import { Clock, type Ns } from '../core/clock.ts';
import { Rng } from '../core/rng.ts';
import { Parts, type Plain } from '../core/state.ts';
import { Trace, type TraceRecord } from '../core/trace.ts';
import type { ExitSpan } from '../hv/exits.ts';
import type { Command, Outcome, Place } from './commands.ts';
import { type Controls, refuse } from './controls.ts';
import type { IrqDetails } from './details.ts';
import type { Hop } from './hops.ts';
import type {
  CpuSnapshot,
  DeviceSnapshot,
  DomainSnapshot,
  HookRecordSnapshot,
  RunTotals,
  XenSnapshot,
} from './inspect.ts';
import { type SourceSnapshot, Sources } from './sources.ts';
import { MOST_A_SECOND, STORM_RATE, Storms } from './storms.ts';
import type { PlatformTrace } from './trace-host.ts';
import type { EventChannelsSnapshot } from './xen/channels-inspect.ts';

/** Where a device's interrupts end. */
export interface Reach {
  /** number of the domain; DOMID_XEN for Xen */
  readonly domain: number;
  /** rows there; of Xen vectors or INTIDs */
  irqs(): readonly number[];
  /** in whose names the books have its raises; the device's own unless given */
  readonly sources?: readonly string[];
}

/** What every part of a machine is built from. */
export class Workshop {
  readonly parts = new Parts();
  readonly clock = this.parts.add(new Clock());
  readonly books = this.parts.add(new Books());
  readonly trace = this.parts.add(new Trace());
  /** workloads, each with its rate */
  readonly sources = this.parts.add(new Sources());
  readonly rng: Rng;
  /** by device that can be fired */
  readonly reaches = new Map<string, Reach>();

  constructor(readonly seed: number) {
    this.rng = new Rng(seed, (stream) => this.parts.add(stream));
    this.books.now = () => this.clock.now;
  }
}

/** A device that the user can fire. */
export interface Fireable {
  /** the key, a digit */
  readonly key: string;
  /** as `--fire` takes it */
  readonly name: string;
  readonly title: string;
  /** one event of the device, now; the answer is the journey of the raise, 0 if it raised nothing */
  fire(): number;
}

/** Who has a processor. */
export interface Runner {
  /** its number, as `DomainSnapshot.id`; null: no domain's */
  readonly domain: number | null;
  /** `dom1.0`; `idle`, `host` */
  readonly name: string;
}
/** What can be fired at most so often at once. */
const MOST_TIMES = 1_000_000;

/** Xen's interrupt hook, as the user has it. */
export interface HookSwitch {
  on: boolean;
  /** Tells of each record from now on, as it is written; undefined: nobody. Who listens is not saved. */
  listen(heard: ((record: HookRecordSnapshot) => void) | undefined): void;
}

/** What a builder hands over. Inspecting changes nothing. */
export interface Platform {
  /** e.g. `Xen 4.17 x86_64` */
  readonly system: string;
  /** What has ended it; undefined: it runs. Time goes on all the same. */
  readonly ended?: string | undefined;
  readonly fireables: readonly Fireable[];
  cpus(): CpuSnapshot[];
  domains(): DomainSnapshot[];
  /** Xen itself; absent where there is none */
  xen?(): XenSnapshot;
  readonly hook?: HookSwitch;
  /** what may be done to interrupts; absent where nothing can */
  readonly controls?: Controls;
  /** a trace record of a journey in the platform's words */
  hop(record: TraceRecord): Hop;
  /** the virtual CPU of this index; -1: who has a processor that no virtual CPU has */
  runner(vcpu: number): Runner;
  /** what now waits, where, for the interrupt that has passed these records */
  waiting(records: readonly TraceRecord[]): string;
  totals(): RunTotals;
  /** one interrupt of a domain in full; undefined: there is no such row, or nothing is known of it */
  details(domain: number, irq: number): IrqDetails | undefined;
  /** how long a domain's exits for a reason took; absent where nothing of the kind happens */
  exitSpan?(domain: number, reason: number): ExitSpan | undefined;
  /** the event channels of a domain as they stand; absent where there is no Xen */
  channels?(domain: number): EventChannelsSnapshot | undefined;
  /** what the trace's records are about, for who follows them */
  trace(): PlatformTrace;
  /** a text dump by its key letter, in the original's format; undefined if the platform lacks it */
  dump(key: string): string | undefined;
  readonly dumps: readonly string[];
  /** Places where the books hold a raise as pending and the chip does not, or the other way round. */
  pendingMismatch(): string[];
}

export interface SavedMachine {
  readonly scenario: string;
  readonly seed: number;
  readonly parts: { readonly [id: string]: Plain };
}

export class Machine {
  readonly clock: Clock;
  private readonly storms: Storms;
  private readonly fired = new Map<string, number>();
  private last: { device: string; journey: number; start: Ns } | undefined;

  constructor(
    readonly scenario: { readonly name: string; readonly title: string },
    readonly shop: Workshop,
    readonly platform: Platform,
  ) {
    this.clock = shop.clock;
    this.storms = shop.parts.add(new Storms(shop.clock, platform.fireables));
    shop.parts.add({
      id: 'machine',
      save: () => ({ fired: [...this.fired], last: this.last ? { ...this.last } : null }),
      restore: (state) => {
        const s = state as {
          fired: [string, number][];
          last: { device: string; journey: number; start: Ns } | null;
        };
        this.fired.clear();
        for (const [name, n] of s.fired) this.fired.set(name, n);
        this.last = s.last ?? undefined;
      },
    });
  }

  get seed(): number {
    return this.shop.seed;
  }

  /** Runs every event due up to `until`. */
  runUntil(until: Ns): void {
    this.clock.runUntil(until);
  }

  /** Runs one event; false when nothing is queued. */
  step(): boolean {
    return this.clock.step();
  }

  /** Finds a device by its name or key. */
  fireable(nameOrKey: string): Fireable | undefined {
    return this.platform.fireables.find((f) => f.name === nameOrKey || f.key === nameOrKey);
  }

  /** The user fires a device, between two events. @throws Error if there is no such device */
  fire(nameOrKey: string, times = 1): void {
    const device = this.fireable(nameOrKey);
    if (!device) throw new Error(`no device ${nameOrKey} in ${this.scenario.name}`);
    for (let i = 0; i < times; i++) {
      const journey = device.fire();
      if (journey !== 0) this.last = { device: device.name, journey, start: this.clock.now };
      this.fired.set(device.name, (this.fired.get(device.name) ?? 0) + 1);
    }
  }

  /** Between two events. What it cannot do is refused in a few words and leaves everything as it was. */
  do(command: Command): Outcome {
    switch (command.do) {
      case 'fire':
        return this.fireCommand(command);
      case 'storm':
        return this.storm(command);
      case 'hook': {
        const { hook, system } = this.platform;
        if (!hook) return refuse(`the hook is Xen's on x86: this is ${system}`);
        hook.on = command.on;
        return {};
      }
      case 'rate':
        return this.rate(command);
      default:
        return this.control(command);
    }
  }

  private fireCommand({ device, times = 1 }: Extract<Command, { do: 'fire' }>): Outcome {
    if (!this.fireable(device)) return this.noDevice(device);
    const wrong = wrongTimes(times);
    if (wrong) return refuse(wrong);
    const before = this.last?.journey;
    this.fire(device, times);
    const journey = this.last?.journey;
    return journey === undefined || journey === before ? {} : { journey };
  }

  private noDevice(device: string): Outcome {
    return refuse(`no device ${device} in ${this.scenario.name}`);
  }

  private storm({ device, on, rate = STORM_RATE }: Extract<Command, { do: 'storm' }>): Outcome {
    const found = this.fireable(device);
    if (!found) return this.noDevice(device);
    if (on && !(rate > 0 && rate <= MOST_A_SECOND)) {
      return refuse(`a storm has more than 0 and at most ${MOST_A_SECOND} events a second: not ${rate}`);
    }
    if (!on && this.storms.rateOf(found.name) === 0) return refuse(`${found.name} does not storm`);
    this.storms.set(found.name, on ? rate : 0);
    return {};
  }

  private rate({ source, perSecond, factor }: Extract<Command, { do: 'rate' }>): Outcome {
    if ((perSecond === undefined) === (factor === undefined)) {
      return refuse(`${source}: so many a second, or times what it was`);
    }
    const { sources } = this.shop;
    if (sources.has(source)) {
      const wrong = sources.set(source, {
        ...(perSecond !== undefined && { perSecond }),
        ...(factor !== undefined && { factor }),
      });
      return wrong === undefined ? {} : refuse(wrong);
    }
    const device = this.fireable(source);
    const before = device ? this.storms.rateOf(device.name) : 0;
    if (before === 0)
      return refuse(`no workload ${source} in ${this.scenario.name}, and no device that storms`);
    return this.storm({ do: 'storm', device: device!.name, on: true, rate: perSecond ?? before * factor! });
  }

  /** What each platform does in its own way. */
  private control(command: Exclude<Command, { do: 'fire' | 'storm' | 'hook' | 'rate' }>): Outcome {
    const { controls, system } = this.platform;
    if (!controls) return refuse(`${command.do} is not for this machine: ${system}`);
    switch (command.do) {
      case 'raise':
        return this.raise(controls, command);
      case 'mask':
        return controls.mask(command.domain, command.irq, command.masked);
      case 'affinity':
        return controls.affinity(command.domain, command.irq, command.cpus);
      case 'priority': {
        const { domain, irq, priority } = command;
        return (
          controls.priority?.(domain, irq, priority) ?? refuse(`event channels are Xen's: this is ${system}`)
        );
      }
      case 'autoeoi':
        return controls.autoEoi?.(command.domain, command.vcpu, command.on) ?? this.notKvm();
      case 'reclaim':
        return controls.reclaim?.(command.domain, command.vcpu) ?? this.notKvm();
      case 'ipi': {
        const { domain, from, to } = command;
        return this.followed(`ipi ${domain}.${from} to ${domain}.${to}`, controls.ipi(domain, from, to));
      }
      case 'nmi':
        return this.followed(
          `nmi ${command.domain}.${command.vcpu}`,
          controls.nmi(command.domain, command.vcpu),
        );
    }
  }

  private notKvm(): Outcome {
    return refuse(`that is for machines of KVM: this is ${this.platform.system}`);
  }

  private raise(
    controls: Controls,
    { domain, irq, cpu = 0, times = 1 }: Extract<Command, { do: 'raise' }>,
  ): Outcome {
    const wrong = wrongTimes(times);
    if (wrong) return refuse(wrong);
    let outcome: Outcome = {};
    for (let n = 0; n < times; n++) {
      const one = controls.raise(domain, irq, cpu);
      if (one.refused !== undefined) return n === 0 ? one : outcome;
      if (one.journey !== undefined) outcome = one;
    }
    return this.followed(`${domain} irq ${irq}`, outcome);
  }

  /** The interrupt that this has raised is the one fired last. */
  private followed(device: string, outcome: Outcome): Outcome {
    const { journey } = outcome;
    if (journey !== undefined) this.last = { device, journey, start: this.clock.now };
    return outcome;
  }

  /** Where a command given now takes effect. */
  get place(): Place {
    return { events: this.clock.events, at: this.clock.now };
  }

  devices(): DeviceSnapshot[] {
    return this.platform.fireables.map(({ key, name, title }) => {
      const reach = this.shop.reaches.get(name);
      return {
        key,
        name,
        title,
        fired: this.fired.get(name) ?? 0,
        storm: this.storms.rateOf(name),
        ends: reach ? reach.irqs().map((irq) => ({ domain: reach.domain, irq })) : [],
        sources: reach?.sources ?? [name],
      };
    });
  }

  /** Workloads that run by themselves. */
  sources(): SourceSnapshot[] {
    return this.shop.sources.inspect();
  }

  /** The journey of the last fired interrupt. */
  get lastFired(): { readonly device: string; readonly journey: number; readonly start: Ns } | undefined {
    return this.last;
  }

  save(): SavedMachine {
    return { scenario: this.scenario.name, seed: this.seed, parts: this.shop.parts.save() };
  }

  /**
   * What the machine runs on from, and no more, as text: the trace's records are not in it. Restored, it has those
   * that were written since.
   */
  checkpoint(): string {
    return this.shop.parts.brief();
  }

  /** @param checkpoint of this machine */
  goBack(checkpoint: string): void {
    this.shop.parts.restore(JSON.parse(checkpoint));
  }

  /** @throws Error if the state is not of this scenario */
  restore(saved: SavedMachine): void {
    if (saved.scenario !== this.scenario.name || saved.seed !== this.seed) {
      throw new Error(`saved state is of ${saved.scenario} with seed ${saved.seed}`);
    }
    this.shop.parts.restore(saved.parts);
  }
}

function wrongTimes(times: number): string | undefined {
  if (Number.isInteger(times) && times >= 1 && times <= MOST_TIMES) return undefined;
  return `once or up to ${MOST_TIMES} times, not ${times}`;
}
