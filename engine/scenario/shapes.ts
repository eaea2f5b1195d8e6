/**
 * Shapes that the scenarios of all platforms have in common: names, devices, rates. `describe` tells what a part is for, in
 * the published schema; `expected` what it may be, in complaints, where type and limits do not say it well.
 */
import * as z from 'zod';
import { MICROBENCHMARKS } from './microbenchmarks.ts';
import type { Wrong } from './xen-rules.ts';

export const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:[\]-]{0,39}$/)
  .meta({ expected: 'a name of 1 to 40 letters, digits and . _ : [ ] -' });
/** as /proc/interrupts prints it */
export const action = z
  .string()
  .regex(/^[!-~][ -~]{0,39}$/)
  .meta({ expected: 'a name of 1 to 40 printable characters' });
/** without control characters and marks that reorder text */
const PLAIN = /^[^\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]*$/u;
/** a line that the screen shows */
export const printed = (most: number) =>
  z
    .string()
    .max(most)
    .regex(PLAIN)
    .meta({ expected: `text of at most ${most} printable characters` });
export const cpuCount = z.int().min(1).max(256);
export const gsi = z.int().min(0).max(255).describe('global system interrupt: the pin of the IOAPIC');

/** What all scenarios begin with. */
export const scenarioName = name.describe('what the scenario is called');
export const title = printed(120).describe('what it shows, in one line');
export const cpus = cpuCount.default(4).describe('CPUs of the machine');

/** And what they end with. */
export const guestsOf = <T extends z.ZodType>(guest: T) =>
  z.array(guest).max(500).default([]).describe('the other domains, from 1');
export const workloadsOf = <T extends z.ZodType>(workload: T) =>
  z.array(workload).max(2_000).default([]).describe('what goes on, by a pattern or as a closed loop');

/** Rules between the parts of a scenario, for `check`. */
export const rules =
  <T>(check: (scenario: T, wrong: Wrong) => void) =>
  (ctx: z.core.ParsePayload<T>): void =>
    check(ctx.value, (path, message) => {
      ctx.issues.push({ code: 'custom', path: [...path], message, input: ctx.value });
    });

/** How a device is found and called. */
const deviceName = name.describe('as its driver calls it in /proc/interrupts');
export const as = name.optional().describe('name for keys, workloads and --fire; without it `name`');
const queueCount = z.int().min(1).max(64).describe('queues, each with a message of its own');

export const line = z
  .strictObject({
    driver: z.literal('line'),
    name: action.describe('of the handler, as /proc/interrupts prints it'),
    gsi,
    level: z.boolean().default(false).describe('a level that others may share, rather than an edge'),
    as,
  })
  .describe('a wire to a pin of the IOAPIC');

export const i8042 = z
  .strictObject({
    driver: z.literal('i8042'),
    kbd: gsi.default(1).describe('pin of the keyboard'),
    aux: gsi.default(12).describe('pin of the mouse'),
  })
  .describe('keyboard and mouse: devices `kbd` and `mouse`');

export const service = {
  least: z.number().min(1).max(1e7).default(60).describe('microseconds that a command takes at least'),
  extra: z.number().min(0).max(1e7).default(60).describe('microseconds on top of it, on average'),
};
export const nvme = z
  .strictObject({ driver: z.literal('nvme'), name: deviceName, queues: queueCount, as, ...service })
  .describe('NVMe disk, MSI-X');
export const ahci = z
  .strictObject({ driver: z.literal('ahci'), name: deviceName, as, ...service })
  .describe('SATA disks, one message');
export const virtioScsi = z
  .strictObject({ driver: z.literal('virtio-scsi'), name: deviceName, queues: queueCount, as, ...service })
  .describe('disk of the hypervisor below, MSI-X');
export const ata = z
  .strictObject({ driver: z.literal('ata'), name: deviceName, gsi, as, ...service })
  .describe('IDE disk on a line');

export const moderation = z
  .number()
  .min(0)
  .max(10_000)
  .default(50)
  .describe('microseconds between its interrupts at least');
export const e1000e = z
  .strictObject({ driver: z.literal('e1000e'), name: deviceName, as, moderation })
  .describe('network card with messages for receiving, sending and the link');
export const e1000 = z
  .strictObject({ driver: z.literal('e1000'), name: deviceName, gsi, as, moderation })
  .describe('network card on a level line');
export const msiNic = z
  .strictObject({ driver: z.literal('msi-nic'), name: deviceName, as, moderation })
  .describe('network card with one message');
export const virtioNet = z
  .strictObject({ driver: z.literal('virtio-net'), name: deviceName, as, moderation })
  .describe('network card of the hypervisor below, MSI-X');

export const msix = z
  .strictObject({
    driver: z.literal('msix'),
    name: deviceName,
    messages: z.int().min(1).max(64).describe('how many of them'),
    as,
  })
  .describe('a device with several messages and nothing to do');

export const affinity = z
  .array(z.int().min(0).max(255))
  .min(1)
  .max(256)
  .meta({ expected: 'a list of CPUs, 1 to 256 of them' })
  .describe('physical CPUs it may run on; without it every one');

/** of a guest of Xen */
export const eventChannels = {
  channels: z.int().min(0).max(100_000).default(0).describe('further event channels, for full tables'),
  'max-event-channels': z
    .int()
    .min(2)
    .max(131_071)
    .default(1023)
    .describe("xl's max_event_channels; the toolstack needs two, for xenstore and the console"),
};

/** The slowest is one in eleven days. */
export const eventRate = z.number().min(1e-6).max(1e6).describe('events per second');
export const callRate = z.number().min(1e-6).max(1e5).describe('times per second');
export const phase = z.number().min(1e-3).max(1e6);

export const pattern = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('periodic'), rate: eventRate }).describe('one like the other'),
    z.strictObject({ kind: z.literal('poisson'), rate: eventRate }).describe('at random, independent'),
    z
      .strictObject({
        kind: z.literal('bursts'),
        rate: eventRate.describe('events per second within a burst'),
        on: phase.default(1).describe('seconds of a burst, on average'),
        off: phase.default(4).describe('seconds between two, on average'),
      })
      .describe('at random while a burst lasts, then none'),
  ])
  .describe('when it happens');

/** Closed loops. */
export const jobs = z.int().min(1).max(256).default(1).describe('requests at a time');
export const think = z
  .number()
  .min(0)
  .max(1e6)
  .default(10)
  .describe('milliseconds between an answer and the next request');
export const share = z.number().min(0.001).max(1).describe('of the time');
export const reply = z.boolean().default(true).describe('whether each packet is answered');

/** A microbenchmark, but for the guest that it runs in. */
export const microbenchmark = {
  what: z.literal('microbenchmark'),
  run: z
    .enum(MICROBENCHMARKS)
    .describe(
      'a null hypercall; a trap into an emulated interrupt controller; an IPI to the next virtual CPU; the end of an ' +
        'interrupt; leaving the CPU to another guest; telling a backend, and being told by one',
    ),
  vcpu: z.int().min(0).max(255).default(0).describe('the virtual CPU that it is about'),
  rate: callRate.default(400),
};

export const keys = z
  .array(
    z.strictObject({
      device: name.describe('which device the digit fires'),
      title: printed(30).optional().describe('what the screen calls it'),
    }),
  )
  .max(10)
  .default([])
  .describe('what the digits 1 to 9 and 0 fire');

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
