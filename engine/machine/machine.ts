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
import type { Command, Outcome, Place } from './commands.ts';
import type { Hop } from './hops.ts';
import type {
  CpuSnapshot,
  DeviceSnapshot,
  DomainSnapshot,
  HookRecordSnapshot,
  RunTotals,
  XenSnapshot,
} from './inspect.ts';

/** What every part of a machine is built from. */
export class Workshop {
  readonly parts = new Parts();
  readonly clock = this.parts.add(new Clock());
  readonly books = this.parts.add(new Books());
  readonly trace = this.parts.add(new Trace());
  readonly rng: Rng;

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
  /** a trace record of a journey in the platform's words */
  hop(record: TraceRecord): Hop;
  /** the virtual CPU of this index; -1: who has a processor that no virtual CPU has */
  runner(vcpu: number): Runner;
  /** what now waits, where, for the interrupt that has passed these records */
  waiting(records: readonly TraceRecord[]): string;
  totals(): RunTotals;
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
  private readonly fired = new Map<string, number>();
  private last: { device: string; journey: number; start: Ns } | undefined;

  constructor(
    readonly scenario: { readonly name: string; readonly title: string },
    readonly shop: Workshop,
    readonly platform: Platform,
  ) {
    this.clock = shop.clock;
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
      case 'fire': {
        const { device, times } = command;
        if (!this.fireable(device)) return { refused: `no device ${device} in ${this.scenario.name}` };
        const before = this.last?.journey;
        this.fire(device, times);
        const journey = this.last?.journey;
        return journey === undefined || journey === before ? {} : { journey };
      }
      case 'hook': {
        const { hook, system } = this.platform;
        if (!hook) return { refused: `the hook is Xen's on x86: this is ${system}` };
        hook.on = command.on;
        return {};
      }
    }
  }

  /** Where a command given now takes effect. */
  get place(): Place {
    return { events: this.clock.events, at: this.clock.now };
  }

  devices(): DeviceSnapshot[] {
    return this.platform.fireables.map(({ key, name, title }) => ({
      key,
      name,
      title,
      fired: this.fired.get(name) ?? 0,
    }));
  }

  /** The journey of the last fired interrupt. */
  get lastFired(): { readonly device: string; readonly journey: number; readonly start: Ns } | undefined {
    return this.last;
  }

  save(): SavedMachine {
    return { scenario: this.scenario.name, seed: this.seed, parts: this.shop.parts.save() };
  }

  /** @throws Error if the state is not of this scenario */
  restore(saved: SavedMachine): void {
    if (saved.scenario !== this.scenario.name || saved.seed !== this.seed) {
      throw new Error(`saved state is of ${saved.scenario} with seed ${saved.seed}`);
    }
    this.shop.parts.restore(saved.parts);
  }
}
