/**
 * What a scenario may say. A scenario is a YAML document; this is its shape, with defaults and limits.
 */
import * as z from 'zod';

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:[\]-]{0,39}$/, 'expected a name of letters, digits and . _ : [ ] -');
/** as /proc/interrupts prints it */
const action = z.string().regex(/^[!-~][ -~]{0,39}$/, 'expected a name of 1 to 40 printable characters');
const cpuCount = z.int().min(1).max(256);
const gsi = z.int().min(0).max(255);

/** Edge or level wire of an IOAPIC pin. */
const line = z.strictObject({
  driver: z.literal('line'),
  name: action,
  gsi,
  level: z.boolean().default(false),
  /** name for keys, workloads and --fire; the action's without one */
  as: name.optional(),
});

const i8042 = z.strictObject({ driver: z.literal('i8042'), kbd: gsi.default(1), aux: gsi.default(12) });

/** Disks: how many microseconds a command takes at least, and on average on top of it. */
const service = { least: z.number().min(1).default(60), extra: z.number().min(0).default(60) };
const nvme = z.strictObject({
  driver: z.literal('nvme'),
  name,
  queues: z.int().min(1).max(64),
  as: name.optional(),
  ...service,
});
const ahci = z.strictObject({ driver: z.literal('ahci'), name, as: name.optional(), ...service });
const virtioScsi = z.strictObject({
  driver: z.literal('virtio-scsi'),
  name,
  queues: z.int().min(1).max(64),
  as: name.optional(),
  ...service,
});
const ata = z.strictObject({ driver: z.literal('ata'), name, gsi, as: name.optional(), ...service });

/** Network cards: microseconds between interrupts at least. */
const moderation = z.number().min(0).max(10_000).default(50);
const e1000e = z.strictObject({ driver: z.literal('e1000e'), name, as: name.optional(), moderation });
const e1000 = z.strictObject({ driver: z.literal('e1000'), name, gsi, as: name.optional(), moderation });
const msiNic = z.strictObject({ driver: z.literal('msi-nic'), name, as: name.optional(), moderation });
const virtioNet = z.strictObject({ driver: z.literal('virtio-net'), name, as: name.optional(), moderation });

/** A device with several messages and nothing to do. */
const msix = z.strictObject({
  driver: z.literal('msix'),
  name,
  messages: z.int().min(1).max(64),
  as: name.optional(),
});

export const deviceSchema = z.discriminatedUnion('driver', [
  line,
  i8042,
  nvme,
  ahci,
  virtioScsi,
  ata,
  e1000e,
  e1000,
  msiNic,
  virtioNet,
  msix,
]);

const kernel = z.enum([
  'linux-6.1',
  'linux-6.18',
  'linux-2026',
  'linux-3.10',
  'linux-2.6.18-xen',
  'linux-2.6.3x-xen',
]);
/** event channels of the FIFO kind where kernel and Xen have them; false: xen.fifo_events=0 */
const fifo = z.boolean().default(true);

const affinity = z.array(z.int().min(0).max(255)).min(1);

const dom0 = z.strictObject({
  kernel: kernel.default('linux-6.1'),
  fifo,
  vcpus: cpuCount,
  /** physical CPUs of all its virtual CPUs; every one without it */
  cpus: affinity.optional(),
  /** in the order in which their drivers find them */
  devices: z.array(deviceSchema).default([]),
});

const guest = z.strictObject({
  kernel: kernel.default('linux-6.1'),
  fifo,
  type: z.enum(['pv', 'pvh']).default('pv'),
  vcpus: cpuCount.default(1),
  cpus: affinity.optional(),
  /** virtual disk: rings of it, and the device of dom0 behind it; 0: none */
  rings: z.int().min(0).max(16).default(1),
  disk: name.optional(),
  /** virtual network card: queues of it; 0: none */
  queues: z.int().min(0).max(16).default(1),
  /** further event channels without traffic, for full tables */
  channels: z.int().min(0).max(100_000).default(0),
  /** xl's max_event_channels */
  'max-event-channels': z.int().min(1).max(131_071).default(1023),
});

const pattern = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('periodic'), rate: z.number().positive().max(1e6) }),
  z.strictObject({ kind: z.literal('poisson'), rate: z.number().positive().max(1e6) }),
  z.strictObject({
    kind: z.literal('bursts'),
    rate: z.number().positive().max(1e6),
    on: z.number().positive().default(1),
    off: z.number().positive().default(4),
  }),
]);

/** `what` happens to `device` or in `domain`, by a pattern or as a closed loop. */
const workload = z.discriminatedUnion('what', [
  /** a device of dom0 fires */
  z.strictObject({ what: z.literal('device'), device: name, pattern }),
  /** packets from the network for a domain; it answers if `reply` */
  z.strictObject({
    what: z.literal('packets'),
    domain: z.int().min(0),
    pattern,
    reply: z.boolean().default(true),
  }),
  /** closed loop: `jobs` requests at a time on the domain's disk, `think` ms between */
  z.strictObject({
    what: z.literal('disk'),
    domain: z.int().min(0),
    jobs: z.int().min(1).max(256).default(1),
    think: z.number().min(0).max(1e6).default(10),
  }),
  /** messages to xenstore or the console */
  z.strictObject({
    what: z.literal('xenstore'),
    domain: z.int().min(0),
    rate: z.number().positive().max(1e5),
  }),
  z.strictObject({
    what: z.literal('console'),
    domain: z.int().min(0),
    rate: z.number().positive().max(1e5),
  }),
  /** a thread on every virtual CPU that computes for `share` of the time */
  z.strictObject({
    what: z.literal('compute'),
    domain: z.int().min(0),
    share: z.number().positive().max(1),
  }),
  /** function calls to all other CPUs */
  z.strictObject({ what: z.literal('calls'), domain: z.int().min(0), rate: z.number().positive().max(1e5) }),
  /** contended spinlocks: one CPU polls for another's kick */
  z.strictObject({ what: z.literal('locks'), domain: z.int().min(0), rate: z.number().positive().max(1e5) }),
]);

const ON_3_4 = 'on Xen 3.4 expected kernel linux-2.6.18-xen or linux-2.6.3x-xen, and type pv';

export const scenarioSchema = z
  .strictObject({
    name,
    title: z.string().max(120),
    xen: z.enum(['3.4', '4.17']).default('4.17'),
    cpus: cpuCount.default(4),
    'ioapic-pins': z.int().min(16).max(240).default(24),
    dom0,
    guests: z.array(guest).max(500).default([]),
    /** what the digits fire, by device name */
    keys: z
      .array(z.strictObject({ device: name, title: z.string().max(30).optional() }))
      .max(10)
      .default([]),
    workloads: z.array(workload).default([]),
  })
  .check((ctx) => {
    const s = ctx.value;
    const wrong = (path: (string | number)[], message: string) =>
      ctx.issues.push({ code: 'custom', path, message, input: s });
    const domains = s.guests.length + 1;
    s.workloads.forEach((w, i) => {
      if ('domain' in w && w.domain >= domains) {
        wrong(['workloads', i, 'domain'], `there is no domain ${w.domain}; expected 0 to ${domains - 1}`);
      }
    });
    const pinned: [(string | number)[], readonly number[] | undefined][] = [
      [['dom0', 'cpus'], s.dom0.cpus],
      ...s.guests.map((g, i): [(string | number)[], readonly number[] | undefined] => [
        ['guests', i, 'cpus'],
        g.cpus,
      ]),
    ];
    for (const [path, cpus] of pinned) {
      const bad = cpus?.find((c) => c >= s.cpus);
      if (bad !== undefined) wrong(path, `there is no CPU ${bad}; expected 0 to ${s.cpus - 1}`);
    }
    s.dom0.devices.forEach((d, i) => {
      const gsis = 'gsi' in d ? [d.gsi] : d.driver === 'i8042' ? [d.kbd, d.aux] : [];
      for (const g of gsis) {
        if (g >= s['ioapic-pins']) {
          wrong(['dom0', 'devices', i], `there is no GSI ${g}; expected below ${s['ioapic-pins']}`);
        }
      }
    });
    if (s.xen === '3.4') {
      const old = (k: string) => k === 'linux-2.6.18-xen' || k === 'linux-2.6.3x-xen';
      if (!old(s.dom0.kernel)) wrong(['dom0'], ON_3_4);
      s.guests.forEach((g, i) => {
        if (!old(g.kernel) || g.type === 'pvh') wrong(['guests', i], ON_3_4);
      });
    }
    const named = new Set<string>(['uart']);
    s.dom0.devices.forEach((d, i) => {
      for (const n of deviceNames(d)) {
        if (named.has(n)) {
          wrong(
            ['dom0', 'devices', i],
            `there is a device ${n} already; expected another name, given by \`as\``,
          );
        }
        named.add(n);
      }
    });
    s.keys.forEach((k, i) => {
      if (!named.has(k.device)) {
        wrong(
          ['keys', i, 'device'],
          `there is no device ${k.device}; expected one of ${[...named].join(', ')}`,
        );
      }
    });
    s.workloads.forEach((w, i) => {
      if (w.what === 'device' && !named.has(w.device)) {
        wrong(
          ['workloads', i, 'device'],
          `there is no device ${w.device}; expected one of ${[...named].join(', ')}`,
        );
      }
    });
    s.guests.forEach((g, i) => {
      if (g.channels >= 4096 && (!g.fifo || !/^linux-(6|20)/.test(g.kernel))) {
        wrong(
          ['guests', i, 'channels'],
          'the 2-level ABI has 4096 event channels; expected fewer, or linux-6.1',
        );
      }
      const disks = s.dom0.devices.filter((d) => 'least' in d).flatMap(deviceNames);
      if (g.rings > 0 && (g.disk === undefined ? disks.length === 0 : !disks.includes(g.disk))) {
        wrong(
          ['guests', i, 'disk'],
          disks.length === 0
            ? 'dom0 has no disk; expected rings: 0 or a disk among its devices'
            : `there is no disk ${g.disk}; expected one of ${disks.join(', ')}`,
        );
      }
    });
  });

export type Scenario = z.output<typeof scenarioSchema>;
export type DeviceSpec = z.output<typeof deviceSchema>;
export type WorkloadSpec = Scenario['workloads'][number];
export type GuestSpec = Scenario['guests'][number];

/** The names under which a device can be fired. */
export function deviceNames(d: DeviceSpec): string[] {
  if (d.driver === 'i8042') return ['kbd', 'mouse'];
  return [d.as ?? d.name];
}
