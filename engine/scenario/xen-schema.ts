/**
 * What a scenario of a Xen host may say. A scenario is a YAML document; this is its shape, with defaults and
 * limits.
 */
import * as z from 'zod';
import { affinity, callRate, cpuCount, deviceSchema, gsi, name, printed } from './shapes.ts';
import { checkXenScenario } from './xen-rules.ts';
import { commonWorkloads } from './xen-workloads.ts';

const kernel = z.enum([
  'linux-6.1',
  'linux-6.18',
  'linux-2026',
  'linux-3.10',
  'linux-2.6.18-xen',
  'linux-2.6.3x-xen',
]);
/** the devices of an HVM guest's device model, found by its kernel in this order */
const guestDevice = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('i8042') }),
  z.strictObject({ driver: z.literal('rtc') }),
  z.strictObject({ driver: z.literal('serial') }),
  /** a level line without much behind it */
  z.strictObject({ driver: z.literal('acpi') }),
  /** the paravirtual keyboard that a device model offers beside */
  z.strictObject({ driver: z.literal('vkbd') }),
  /** IDE channels of the PIIX3; `disk`: the device of dom0 behind it */
  z.strictObject({ driver: z.literal('ata'), disk: name.optional() }),
  z.strictObject({ driver: z.literal('e1000') }),
  /** a device of the machine, passed through: messages of its own, or the line it is on */
  z.strictObject({
    driver: z.literal('passthrough'),
    name,
    messages: z.int().min(1).max(32).optional(),
    gsi: gsi.optional(),
    /** its driver's handler never returns once it has asked, so that the guest never ends the interrupt */
    stuck: z.boolean().default(false),
  }),
]);

export const FAULTS = [
  'page',
  'cpuid',
  'debug',
  'int3',
  'fpu',
  'cr',
  'cr3',
  'dr',
  'task',
  'rdtsc',
  'invlpg',
  'triple',
] as const;

/** kinds of machine checks */
export const MCA_ERRORS = ['uncorrected', 'corrected', 'polled'] as const;

/** event channels of the FIFO kind where kernel and Xen have them; false: xen.fifo_events=0 */
const fifo = z.boolean().default(true);

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
  /** linux-2.6.36: knows nothing of Xen, and runs as an HVM guest only */
  kernel: z.enum([...kernel.options, 'linux-2.6.36']).default('linux-6.1'),
  fifo,
  type: z.enum(['pv', 'pvh', 'hvm']).default('pv'),
  vcpus: cpuCount.default(1),
  cpus: affinity.optional(),
  /** paravirtual disk: rings of it, and the device of dom0 behind it; 0: none */
  rings: z.int().min(0).max(16).default(1),
  disk: name.optional(),
  /** paravirtual network card: queues of it; 0: none */
  queues: z.int().min(0).max(16).default(1),
  /** what linux-2.6.36 makes ticks of */
  timer: z.enum(['lapic', 'pit']).default('lapic'),
  /** on VMX: nested paging; without it page faults and changes of CR3 leave the guest */
  hap: z.boolean().default(true),
  /** on VMX: RDTSC is emulated (tsc_mode=always_emulate) */
  'emulate-tsc': z.boolean().default(false),
  /** on VMX: a debugger is attached, for which breakpoints and debug exceptions stop the guest */
  debugger: z.boolean().default(false),
  /** of an HVM guest */
  devices: z.array(guestDevice).max(64).default([]),
  /** further event channels without traffic, for full tables */
  channels: z.int().min(0).max(100_000).default(0),
  /** xl's max_event_channels; the toolstack needs two, for xenstore and the console */
  'max-event-channels': z.int().min(2).max(131_071).default(1023),
});

/** `what` happens to `device` or in `domain`, by a pattern or as a closed loop. */
const workload = z.discriminatedUnion('what', [
  ...commonWorkloads,
  /** contended spinlocks: one CPU polls for another's kick */
  z.strictObject({ what: z.literal('locks'), domain: z.int().min(0), rate: callRate }),
  /**
   * instructions of a guest on VMX that may leave it: page faults, CPUID, debug exceptions, breakpoints, first use of the FPU,
   * accesses to control and debug registers, task switches, RDTSC, INVLPG; `triple` faults end it
   */
  z.strictObject({
    what: z.literal('faults'),
    domain: z.int().min(0),
    kind: z.enum(FAULTS).default('page'),
    rate: callRate,
  }),
  /** non-maskable interrupts: of the host's processors (domain 0), or sent to an HVM guest (xl trigger ... nmi) */
  z.strictObject({ what: z.literal('nmi'), domain: z.int().min(0), rate: callRate }),
  /**
   * errors in the machine's memory, in pages of `domain` or, without it, of nobody. Uncorrected ones are a #MC on every
   * processor; corrected ones interrupt by CMCI, two by two, or in a bank without that are found when Xen polls it
   */
  z.strictObject({
    what: z.literal('machine-check'),
    error: z.enum(MCA_ERRORS).default('uncorrected'),
    domain: z.int().min(0).optional(),
    rate: callRate,
  }),
]);

/** options of Xen's command line, by their names there; Xen's own defaults without */
const commandLine = z.strictObject({
  ioapic_ack: z.enum(['new', 'old']).optional(),
  irq_ratelimit: z.int().min(0).max(0xffff_ffff).optional(),
  'irq-max-guests': z.int().min(1).max(255).optional(),
  clocksource: z.literal('pit').optional(),
});

export const xenSchema = z
  .strictObject({
    name,
    title: printed(120),
    xen: z.enum(['3.4', '4.17']).default('4.17'),
    cpus: cpuCount.default(4),
    'ioapic-pins': z.int().min(16).max(240).default(24),
    /** what the board's firmware says of its interrupt lines: ISA ones that are levels, and what a high level means */
    firmware: z
      .strictObject({
        levels: z.array(z.int().min(0).max(15)).max(16).default([]),
        'active-high': z.boolean().default(false),
      })
      .prefault({}),
    'command-line': commandLine.default({}),
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
    checkXenScenario(ctx.value, (path, message) => {
      ctx.issues.push({ code: 'custom', path: [...path], message, input: ctx.value });
    });
  });

export type XenScenario = z.output<typeof xenSchema>;
export type WorkloadSpec = XenScenario['workloads'][number];
export type GuestSpec = XenScenario['guests'][number];
export type GuestDeviceSpec = z.output<typeof guestDevice>;
