/**
 * A KVM host for tests of the monitor and the command line: the host, which shows no chips, and two guests with
 * theirs. Counters are functions of time; nothing is simulated beyond that.
 */
import { Priority } from '../../engine/core/clock.ts';
import type { TraceRecord } from '../../engine/core/trace.ts';
import { type Hop, type HopRow, hopOf } from '../../engine/machine/hops.ts';
import type { CpuSnapshot, DomainSnapshot } from '../../engine/machine/inspect.ts';
import {
  type Fireable,
  Machine,
  type Platform,
  type Runner,
  Workshop,
} from '../../engine/machine/machine.ts';
import { type GuestOptions, kvmGuest } from './kvm-snapshots.ts';
import { NO_TRACE } from './no-trace.ts';

export interface FakeKvmOptions {
  /** physical processors */
  readonly cpus?: number;
  /** of the first guest */
  readonly vcpus?: number;
  readonly posted?: boolean;
  /** as the first guest is drawn at last */
  readonly change?: (guest: DomainSnapshot) => DomainSnapshot;
}

const DEVICES = [
  ['kbd', 'i8042 keyboard'],
  ['uart', '16550 serial line'],
  ['disk', 'ATA disk'],
  ['nic', 'virtio network card'],
] as const;

class FakeKvm implements Platform {
  readonly system = 'KVM, Linux 6.1 x86_64';
  readonly dumps = [];
  readonly fireables: Fireable[];

  constructor(
    private readonly shop: Workshop,
    private readonly options: FakeKvmOptions,
  ) {
    const { clock, books, trace } = shop;
    const hop = trace.point('hop');
    const tick = clock.task('fake.tick', Priority.hardware, () => tick.after(4_000_000));
    tick.at(0);
    this.fireables = DEVICES.map(([name, title], i) => ({
      key: String(i + 1),
      name,
      title,
      fire() {
        const journey = books.begin(books.sourceOf(name));
        trace.emit(hop, clock.now, journey, -1);
        return journey;
      },
    }));
  }

  cpus(): CpuSnapshot[] {
    const { now } = this.shop.clock;
    return Array.from({ length: this.options.cpus ?? 4 }, (_, cpu) => ({
      cpu,
      running: cpu < 2 ? `vm1.${cpu}` : null,
      mode: cpu < 2 ? 'guest' : 'idle',
      guestNs: cpu < 2 ? now * 0.5 : 0,
      xenNs: cpu < 2 ? now * 0.1 : 0,
      idleNs: cpu < 2 ? now * 0.4 : now,
    }));
  }

  domains(): DomainSnapshot[] {
    const seconds = this.shop.clock.now / 1e9;
    const { vcpus = 2, posted = false, change = (guest) => guest } = this.options;
    const guest = (options: GuestOptions) => kvmGuest({ seconds, ...options });
    const { exits: _, x86: __, ...host } = guest({ id: 0, name: 'host', vcpus: 4 });
    return [
      { ...host, kind: 'host, Linux 6.1' },
      change(guest({ id: 1, name: 'vm1', vcpus, posted })),
      guest({ id: 2, name: 'vm2', vcpus: 1 }),
    ];
  }

  hop(record: TraceRecord): Hop {
    const row: HopRow<null> = {
      mode: 'device',
      name: 'line',
      detail: () => 'up',
      brief: () => 'line up',
      about: 'its line rises',
    };
    return hopOf({ hop: row }, null, record);
  }

  runner(): Runner {
    return { domain: 0, name: 'host' };
  }

  details(): undefined {
    return undefined;
  }

  waiting(): string {
    return '';
  }

  totals() {
    return { interrupts: Math.floor(this.shop.clock.now / 1e6), upcalls: 0 };
  }

  trace() {
    return NO_TRACE;
  }

  dump(): undefined {
    return undefined;
  }

  pendingMismatch(): string[] {
    return [];
  }
}

export function fakeKvmMachine(options: FakeKvmOptions = {}): Machine {
  const shop = new Workshop(42);
  const scenario = { name: 'kvm', title: 'KVM host with two guests' };
  return new Machine(scenario, shop, new FakeKvm(shop, options));
}
