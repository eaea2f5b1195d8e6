/**
 * Whole scenarios at random, as YAML text, and what a user does to the machine that comes of one.
 *
 * Choices that depend on other choices (which CPU, which disk, which domain) are drawn as plain numbers and
 * taken modulo what there is, so that a failing scenario shrinks part by part.
 */
import fc from 'fast-check';
import { stringify } from 'yaml';

const PVOPS = ['linux-6.1', 'linux-6.18', 'linux-2026'] as const;
const MODERN = [...PVOPS, 'linux-3.10', 'linux-2.6.18-xen', 'linux-2.6.3x-xen'] as const;
const OLD = ['linux-2.6.3x-xen', 'linux-2.6.18-xen'] as const;
/** pins of the IOAPIC, without those of the interval timer, the cascade and Xen's serial line */
const PINS = [1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23];
/** of them, those that carry level lines here; a pin is edge or level for all that share it */
const FIRST_LEVEL = 16;
const EDGES = PINS.filter((pin) => pin < FIRST_LEVEL);
const LEVELS = [9, ...PINS.filter((pin) => pin >= FIRST_LEVEL)];

const WIRED = ['line', 'i8042', 'ata', 'e1000'];

const at = <T>(list: readonly T[], n: number): T => list[n % list.length]!;
const number = fc.nat({ max: 1_000 });
const some = <T>(item: fc.Arbitrary<T>, maxLength: number) => fc.array(item, { maxLength });

/** Rates from one a second to more than the machine can take. */
const rate = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 400 }) },
  { weight: 2, arbitrary: fc.integer({ min: 400, max: 20_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(100_000, 1_000_000) },
);

const pattern = fc.oneof(
  fc.record({ kind: fc.constant('periodic'), rate }),
  fc.record({ kind: fc.constant('poisson'), rate }),
  fc.record({
    kind: fc.constant('bursts'),
    rate,
    on: fc.constantFrom(0.002, 0.05, 1),
    off: fc.constantFrom(0.002, 0.03, 0.5),
  }),
);

interface DeviceDraw {
  readonly driver: string;
  readonly pin: number;
  readonly queues: number;
  readonly moderation: number;
  readonly level: boolean;
}

const device: fc.Arbitrary<DeviceDraw> = fc.record({
  driver: fc.constantFrom(
    'line',
    'line',
    'line',
    'i8042',
    'nvme',
    'ahci',
    'virtio-scsi',
    'ata',
    'e1000e',
    'e1000',
    'msi-nic',
    'virtio-net',
    'msix',
  ),
  pin: number,
  queues: fc.integer({ min: 1, max: 5 }),
  moderation: fc.constantFrom(0, 50, 400),
  level: fc.boolean(),
});

const affinity = fc.option(fc.array(number, { minLength: 1, maxLength: 3 }), { nil: undefined });

const guest = fc.record({
  kernel: number,
  fifo: fc.boolean(),
  pvh: fc.boolean(),
  vcpus: fc.integer({ min: 1, max: 4 }),
  affinity,
  rings: fc.nat({ max: 3 }),
  disk: fc.option(number, { nil: undefined }),
  queues: fc.nat({ max: 3 }),
  channels: fc.constantFrom(0, 0, 0, 1, 40),
});

const slow = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(5_000, 100_000));

const workload = fc.record({
  what: fc.constantFrom(
    'device',
    'packets',
    'disk',
    'xenstore',
    'console',
    'compute',
    'calls',
    'locks',
    'machine-check',
  ),
  who: number,
  pattern,
  rate: slow,
  reply: fc.boolean(),
  jobs: fc.integer({ min: 1, max: 40 }),
  think: fc.constantFrom(0, 0.3, 10),
  share: fc.constantFrom(0.05, 0.5, 1),
});

const draw = fc.record({
  old: fc.boolean(),
  fifo: fc.boolean(),
  ackOld: fc.boolean(),
  ratelimit: fc.constantFrom(0, 3, 50, 10_000),
  pit: fc.boolean(),
  cpus: fc.integer({ min: 1, max: 8 }),
  kernel: number,
  vcpus: fc.integer({ min: 1, max: 8 }),
  affinity,
  devices: some(device, 10),
  guests: some(guest, 6),
  workloads: some(workload, 8),
});

type Draw = typeof draw extends fc.Arbitrary<infer T> ? T : never;

/** The devices, each under a name of its own, and the names that are disks. */
function devicesOf(draws: readonly DeviceDraw[]): { list: object[]; disks: string[]; names: string[] } {
  const disks: string[] = [];
  const names: string[] = ['uart', 'xen-key'];
  let i8042 = false;
  const list = draws.flatMap((d, n): object[] => {
    const name = `${d.driver}${n}`;
    const edge = at(EDGES, d.pin);
    const level = at(LEVELS, d.pin);
    switch (d.driver) {
      case 'i8042':
        if (i8042) return [];
        i8042 = true;
        names.push('kbd', 'mouse');
        return [{ driver: d.driver, kbd: 1, aux: 12 }];
      case 'line':
        names.push(name);
        return [{ driver: d.driver, name, gsi: d.level ? level : edge === 9 ? 10 : edge, level: d.level }];
      case 'ata':
        names.push(name);
        disks.push(name);
        return [{ driver: d.driver, name: 'ata_piix', gsi: edge === 9 ? 14 : edge, as: name }];
      case 'e1000':
        names.push(name);
        return [{ driver: d.driver, name, gsi: level, moderation: d.moderation }];
      case 'e1000e':
      case 'msi-nic':
      case 'virtio-net':
        names.push(name);
        return [{ driver: d.driver, name: 'eth', as: name, moderation: d.moderation }];
      case 'msix':
        names.push(name);
        return [{ driver: d.driver, name: 'xhci', as: name, messages: d.queues }];
      case 'ahci':
        names.push(name);
        disks.push(name);
        return [{ driver: d.driver, name, least: 20, extra: d.moderation }];
      default:
        names.push(name);
        disks.push(name);
        return [{ driver: d.driver, name, queues: d.queues }];
    }
  });
  return { list, disks, names };
}

function scenarioOf(d: Draw): object {
  const kernel = at(d.old ? OLD : MODERN, d.kernel);
  // 2.6.18 takes no messages
  const draws = kernel === 'linux-2.6.18-xen' ? d.devices.filter((n) => WIRED.includes(n.driver)) : d.devices;
  const { list, disks, names } = devicesOf(draws);
  const nics = draws.some((n) => 'e1000e msi-nic virtio-net'.includes(n.driver));
  const kernels = d.guests.map((g) => at(d.old ? OLD : g.pvh ? PVOPS : MODERN, g.kernel));
  // the forward port has interrupt numbers for as many CPUs as the host has
  const rings = d.guests.map((g) => (disks.length > 0 ? g.rings : 0));
  const hasDisk = (domain: number) => (domain === 0 ? disks.length > 0 : rings[domain - 1]! > 0);
  const pinned = (cpus: readonly number[] | undefined) =>
    cpus ? { cpus: [...new Set(cpus.map((n) => n % d.cpus))] } : {};
  return {
    name: 'random',
    title: 'a machine at random',
    xen: d.old ? '3.4' : '4.17',
    cpus: d.cpus,
    'command-line': {
      ...(d.ackOld && { ioapic_ack: 'old' }),
      ...(!d.old && { irq_ratelimit: d.ratelimit }),
      ...(d.pit && { clocksource: 'pit' }),
    },
    dom0: {
      kernel,
      fifo: d.fifo,
      vcpus: d.vcpus,
      ...pinned(d.affinity),
      devices: list,
    },
    guests: d.guests.map((g, i) => ({
      kernel: kernels[i],
      fifo: g.fifo,
      type: g.pvh && !d.old ? 'pvh' : 'pv',
      vcpus: g.vcpus,
      ...pinned(g.affinity),
      rings: rings[i],
      ...(g.disk === undefined || disks.length === 0 ? {} : { disk: at(disks, g.disk) }),
      queues: g.queues,
      channels: g.channels,
    })),
    keys: names.slice(-10).map((name) => ({ device: name })),
    workloads: [
      ...channelWork(d),
      ...d.workloads.flatMap((w): object[] => {
        const domain = w.who % (d.guests.length + 1);
        switch (w.what) {
          case 'device':
            return [{ what: w.what, device: at(names, w.who), pattern: w.pattern }];
          case 'packets':
            return nics ? [{ what: w.what, domain, pattern: w.pattern, reply: w.reply }] : [];
          case 'disk':
            return hasDisk(domain) ? [{ what: w.what, domain, jobs: w.jobs, think: w.think }] : [];
          case 'console':
            return domain > 0 ? [{ what: w.what, domain, rate: w.rate }] : [];
          case 'compute':
            return [{ what: w.what, domain, share: w.share }];
          case 'machine-check': {
            const error = at(['uncorrected', 'corrected', 'polled'], w.jobs);
            return [{ what: w.what, error, rate: w.rate, ...(w.reply && { domain }) }];
          }
          default:
            return [{ what: w.what, domain, rate: w.rate }];
        }
      }),
    ],
  };
}

/** Events on further channels of the first guest that has any, and a driver that opens channels while it runs. */
function channelWork({ guests }: Draw): object[] {
  const at = guests.findIndex((g) => g.channels > 0);
  if (at < 0) return [];
  const domain = at + 1;
  return [
    { what: 'chatter', domain, channels: guests[at]!.channels, pattern: { kind: 'poisson', rate: 700 } },
    { what: 'reopen', domain, from: 0.05 },
  ];
}

/** YAML text of a scenario that a machine can be built from. */
export const scenarioText: fc.Arbitrary<string> = draw.map((d) => stringify(scenarioOf(d)));

/** What a user or a program around the machine does to it. */
export type Command =
  | { readonly do: 'run'; readonly ns: number }
  | { readonly do: 'step'; readonly times: number }
  | { readonly do: 'fire'; readonly key: number; readonly times: number }
  | { readonly do: 'restore' };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('run' as const),
      ns: fc.oneof(fc.integer({ min: 0, max: 3_000_000 }), fc.integer({ min: 0, max: 150_000_000 })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('step' as const), times: fc.integer({ min: 1, max: 40 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('fire' as const),
      key: number,
      times: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 50 })),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'restore' as const }) },
);

export const commands: fc.Arbitrary<Command[]> = fc.array(command, { minLength: 1, maxLength: 12 });
