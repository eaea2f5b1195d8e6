/** Shapes that the scenarios of all platforms have in common: names, devices, rates. */
import * as z from 'zod';

export const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:[\]-]{0,39}$/)
  .describe('a name of 1 to 40 letters, digits and . _ : [ ] -');
/** as /proc/interrupts prints it */
export const action = z
  .string()
  .regex(/^[!-~][ -~]{0,39}$/)
  .describe('a name of 1 to 40 printable characters');
/** without control characters and marks that reorder text */
const PLAIN = /^[^\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]*$/u;
/** a line that the screen shows */
export const printed = (most: number) =>
  z.string().max(most).regex(PLAIN).describe(`text of at most ${most} printable characters`);
export const cpuCount = z.int().min(1).max(256);
export const gsi = z.int().min(0).max(255);

/** Edge or level wire of an IOAPIC pin. */
export const line = z.strictObject({
  driver: z.literal('line'),
  name: action,
  gsi,
  level: z.boolean().default(false),
  /** name for keys, workloads and --fire; the action's without one */
  as: name.optional(),
});

export const i8042 = z.strictObject({
  driver: z.literal('i8042'),
  kbd: gsi.default(1),
  aux: gsi.default(12),
});

/** Disks: how many microseconds a command takes at least, and on average on top of it. */
export const service = {
  least: z.number().min(1).max(1e7).default(60),
  extra: z.number().min(0).max(1e7).default(60),
};
export const nvme = z.strictObject({
  driver: z.literal('nvme'),
  name,
  queues: z.int().min(1).max(64),
  as: name.optional(),
  ...service,
});
export const ahci = z.strictObject({ driver: z.literal('ahci'), name, as: name.optional(), ...service });
export const virtioScsi = z.strictObject({
  driver: z.literal('virtio-scsi'),
  name,
  queues: z.int().min(1).max(64),
  as: name.optional(),
  ...service,
});
export const ata = z.strictObject({ driver: z.literal('ata'), name, gsi, as: name.optional(), ...service });

/** Network cards: microseconds between interrupts at least. */
export const moderation = z.number().min(0).max(10_000).default(50);
export const e1000e = z.strictObject({ driver: z.literal('e1000e'), name, as: name.optional(), moderation });
export const e1000 = z.strictObject({
  driver: z.literal('e1000'),
  name,
  gsi,
  as: name.optional(),
  moderation,
});
export const msiNic = z.strictObject({ driver: z.literal('msi-nic'), name, as: name.optional(), moderation });
export const virtioNet = z.strictObject({
  driver: z.literal('virtio-net'),
  name,
  as: name.optional(),
  moderation,
});

/** A device with several messages and nothing to do. */
export const msix = z.strictObject({
  driver: z.literal('msix'),
  name,
  messages: z.int().min(1).max(64),
  as: name.optional(),
});

export const affinity = z
  .array(z.int().min(0).max(255))
  .min(1)
  .max(256)
  .describe('a list of CPUs, 1 to 256 of them');

/** per second; the slowest is one in eleven days */
export const eventRate = z.number().min(1e-6).max(1e6);
export const callRate = z.number().min(1e-6).max(1e5);
export const phase = z.number().min(1e-3).max(1e6);

export const pattern = z.discriminatedUnion('kind', [
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

export type DeviceSpec = z.output<typeof deviceSchema>;
