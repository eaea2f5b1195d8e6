/**
 * What a scenario may say. A scenario is a YAML document; this is its shape, with defaults and limits.
 */
import * as z from 'zod';
import { checkScenario } from './rules.ts';

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:[\]-]{0,39}$/)
  .describe('a name of 1 to 40 letters, digits and . _ : [ ] -');
/** as /proc/interrupts prints it */
const action = z
  .string()
  .regex(/^[!-~][ -~]{0,39}$/)
  .describe('a name of 1 to 40 printable characters');
/** without control characters and marks that reorder text */
const PLAIN = /^[^\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]*$/u;
/** a line that the screen shows */
const printed = (most: number) =>
  z.string().max(most).regex(PLAIN).describe(`text of at most ${most} printable characters`);
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
const service = {
  least: z.number().min(1).max(1e7).default(60),
  extra: z.number().min(0).max(1e7).default(60),
};
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

const affinity = z
  .array(z.int().min(0).max(255))
  .min(1)
  .max(256)
  .describe('a list of CPUs, 1 to 256 of them');

const dom0 = z.strictObject({
  kernel: kernel.default('linux-6.1'),
  fifo,
  vcpus: cpuCount,
  /** physical CPUs of all its virtual CPUs; every one without it */
  cpus: affinity.optional(),
  /** in the order in which their drivers find them */
  devices: z.array(deviceSchema).max(256).default([]),
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
  /** xl's max_event_channels; the toolstack needs two, for xenstore and the console */
  'max-event-channels': z.int().min(2).max(131_071).default(1023),
});

/** per second; the slowest is one in eleven days */
const eventRate = z.number().min(1e-6).max(1e6);
const callRate = z.number().min(1e-6).max(1e5);
const phase = z.number().min(1e-3).max(1e6);

const pattern = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('periodic'), rate: eventRate }),
  z.strictObject({ kind: z.literal('poisson'), rate: eventRate }),
  z.strictObject({
    kind: z.literal('bursts'),
    rate: eventRate,
    /** seconds */
    on: phase.default(1),
    off: phase.default(4),
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
    rate: callRate,
  }),
  z.strictObject({
    what: z.literal('console'),
    domain: z.int().min(0),
    rate: callRate,
  }),
  /** a thread on every virtual CPU that computes for `share` of the time */
  z.strictObject({
    what: z.literal('compute'),
    domain: z.int().min(0),
    share: z.number().min(0.001).max(1),
  }),
  /** function calls to all other CPUs */
  z.strictObject({ what: z.literal('calls'), domain: z.int().min(0), rate: callRate }),
  /** contended spinlocks: one CPU polls for another's kick */
  z.strictObject({ what: z.literal('locks'), domain: z.int().min(0), rate: callRate }),
]);

export const scenarioSchema = z
  .strictObject({
    name,
    title: printed(120),
    xen: z.enum(['3.4', '4.17']).default('4.17'),
    cpus: cpuCount.default(4),
    'ioapic-pins': z.int().min(16).max(240).default(24),
    dom0,
    guests: z.array(guest).max(500).default([]),
    /** what the digits fire, by device name */
    keys: z
      .array(z.strictObject({ device: name, title: printed(30).optional() }))
      .max(10)
      .default([]),
    workloads: z.array(workload).max(2_000).default([]),
  })
  .check((ctx) => {
    checkScenario(ctx.value, (path, message) => {
      ctx.issues.push({ code: 'custom', path: [...path], message, input: ctx.value });
    });
  });

export type Scenario = z.output<typeof scenarioSchema>;
export type DeviceSpec = z.output<typeof deviceSchema>;
export type WorkloadSpec = Scenario['workloads'][number];
export type GuestSpec = Scenario['guests'][number];
