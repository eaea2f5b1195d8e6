/**
 * What a scenario of a Xen host may say. A scenario is a YAML document; this is its shape, with defaults and
 * limits.
 */
import * as z from 'zod';
import {
  affinity,
  callRate,
  cpuCount,
  cpus,
  deviceSchema,
  eventChannels,
  gsi,
  guestsOf,
  keys,
  name,
  pattern,
  phase,
  rules,
  scenarioName,
  title,
  workloadsOf,
} from './shapes.ts';
import { checkXenScenario } from './xen-workload-rules.ts';
import { commonWorkloads, domain } from './xen-workloads.ts';

const kernel = z.enum([
  'linux-6.1',
  'linux-6.18',
  'linux-2026',
  'linux-3.10',
  'linux-2.6.18-xen',
  'linux-2.6.3x-xen',
]);

const guestDevice = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('i8042') }).describe('keyboard and mouse: `kbd` and `mouse`'),
  z.strictObject({ driver: z.literal('rtc') }).describe('the clock of the board'),
  z.strictObject({ driver: z.literal('serial') }).describe('the first serial line: `uart`'),
  z.strictObject({ driver: z.literal('acpi') }).describe('a level line without much behind it'),
  z
    .strictObject({ driver: z.literal('vkbd') })
    .describe('the paravirtual keyboard that a device model offers beside'),
  z
    .strictObject({
      driver: z.literal('ata'),
      disk: name.optional().describe('the disk of dom0 behind it; without it the first'),
    })
    .describe('IDE channels of the PIIX3: `disk`'),
  z.strictObject({ driver: z.literal('e1000') }).describe('network card on a level line: `nic`'),
  z
    .strictObject({
      driver: z.literal('passthrough'),
      name: name.describe('what it is called'),
      messages: z.int().min(1).max(32).optional().describe('messages of its own'),
      gsi: gsi.optional().describe('the line it is on, if it has no messages'),
      stuck: z
        .boolean()
        .default(false)
        .describe(
          "its driver's handler never returns once it has asked, so that the guest never ends the interrupt",
        ),
    })
    .describe('a device of the machine, passed through'),
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

/** Of any domain. */
const fifo = z
  .boolean()
  .default(true)
  .describe('event channels of the FIFO kind where kernel and Xen have them; false: xen.fifo_events=0');

const dom0 = z
  .strictObject({
    kernel: kernel.default('linux-6.1').describe('its kernel'),
    fifo,
    vcpus: cpuCount.describe('virtual CPUs'),
    cpus: affinity.optional(),
    devices: z
      .array(deviceSchema)
      .max(256)
      .default([])
      .describe('devices of the machine, in the order in which their drivers find them'),
  })
  .describe('the first domain, which has the devices');

const guest = z.strictObject({
  kernel: z
    .enum([...kernel.options, 'linux-2.6.38', 'linux-2.6.36'])
    .default('linux-6.1')
    .describe(
      'its kernel; linux-2.6.38, paravirtual, looks for the lowest event channel first, again and again; linux-2.6.36 ' +
        'knows nothing of Xen, and runs as an HVM guest only',
    ),
  fifo,
  type: z
    .enum(['pv', 'pvh', 'hvm'])
    .default('pv')
    .describe('paravirtual; on VMX without a virtual PC (pvh); on VMX with one (hvm)'),
  vcpus: cpuCount.default(1).describe('virtual CPUs'),
  cpus: affinity.optional(),
  rings: z.int().min(0).max(16).default(1).describe('rings of its paravirtual disk; 0: it has none'),
  disk: name.optional().describe('the disk of dom0 behind it; without it the first'),
  queues: z
    .int()
    .min(0)
    .max(16)
    .default(1)
    .describe('queues of its paravirtual network card; 0: it has none'),
  timer: z.enum(['lapic', 'pit']).default('lapic').describe('what linux-2.6.36 makes ticks of'),
  'upcall-vectors': z
    .boolean()
    .default(true)
    .describe(
      'on VMX: each virtual CPU is told of events by a vector of its local APIC (since Xen 4.6); false: by the callback ' +
        'vector of the domain, which needs no EOI',
    ),
  hap: z
    .boolean()
    .default(true)
    .describe('on VMX: nested paging; without it page faults and changes of CR3 leave the guest'),
  'emulate-tsc': z.boolean().default(false).describe('on VMX: RDTSC is emulated (tsc_mode=always_emulate)'),
  debugger: z
    .boolean()
    .default(false)
    .describe('on VMX: a debugger is attached, for which breakpoints and debug exceptions stop the guest'),
  devices: z
    .array(guestDevice)
    .max(64)
    .default([])
    .describe("devices of an HVM guest's device model, in the order in which its kernel finds them"),
  ...eventChannels,
});

const workload = z.discriminatedUnion('what', [
  ...commonWorkloads,
  z
    .strictObject({ what: z.literal('locks'), domain, rate: callRate })
    .describe("contended spinlocks: one CPU polls for another's kick"),
  z
    .strictObject({
      what: z.literal('faults'),
      domain,
      kind: z
        .enum(FAULTS)
        .default('page')
        .describe(
          'page faults, CPUID, debug exceptions, breakpoints, first use of the FPU, accesses to control and debug ' +
            'registers, task switches, RDTSC, INVLPG; `triple` faults end the guest',
        ),
      rate: callRate,
    })
    .describe('instructions of a guest on VMX that may leave it'),
  z
    .strictObject({ what: z.literal('nmi'), domain, rate: callRate })
    .describe(
      "non-maskable interrupts: of the host's processors (domain 0), or sent to an HVM guest (xl trigger ... nmi)",
    ),
  z
    .strictObject({
      what: z.literal('chatter'),
      domain,
      first: z.int().min(0).max(99_999).default(0).describe('the first of the `channels` of the domain'),
      channels: z.int().min(1).max(1_000).default(1).describe('so many of them, each time one at random'),
      pattern,
      vcpu: z
        .int()
        .min(0)
        .max(255)
        .optional()
        .describe('the virtual CPU that they notify; without it they are spread, where the kernel does that'),
      handler: z
        .number()
        .min(0.1)
        .max(1e5)
        .default(2)
        .describe('microseconds that the handler of such an event takes'),
    })
    .describe('a driver of dom0 sends events on further channels of a guest'),
  z
    .strictObject({
      what: z.literal('reopen'),
      domain,
      from: phase.default(1).describe('when, in seconds'),
    })
    .describe(
      'once, a driver of a guest closes the channel of its virtual CPU 0 as soon as an event has been sent on it, then opens one ' +
        'for its last virtual CPU, and its own again',
    ),
  z
    .strictObject({
      what: z.literal('machine-check'),
      error: z
        .enum(MCA_ERRORS)
        .default('uncorrected')
        .describe(
          'uncorrected ones are a #MC on every processor; corrected ones interrupt by CMCI, two by two, or in a bank ' +
            'without that are found when Xen polls it',
        ),
      domain: domain.optional().describe('whose page it is; without it nobody owns it'),
      rate: callRate,
    })
    .describe("errors in the machine's memory"),
]);

const commandLine = z.strictObject({
  ioapic_ack: z.enum(['new', 'old']).optional().describe('how levels of the IOAPIC are acknowledged'),
  irq_ratelimit: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .optional()
    .describe('interrupts of one line within 10 ms that brake it; 0: no brake'),
  'irq-max-guests': z.int().min(1).max(255).optional().describe('guests that may share a line'),
  clocksource: z.literal('pit').optional().describe("Xen's platform timer"),
  cpuidle: z
    .boolean()
    .optional()
    .describe('false: idle CPUs wait in HLT, which only an interrupt ends, and not in mwait'),
});

export const xenSchema = z
  .strictObject({
    name: scenarioName,
    title,
    xen: z.enum(['3.4', '4.17']).default('4.17').describe('version of Xen'),
    cpus,
    'busy-ports': z
      .boolean()
      .default(true)
      .describe(
        'a closed port is not given out again while its event word is linked; false: as before "evtchn: don\'t reuse ports ' +
          'that are still busy"',
      ),
    'keeps-pending': z
      .boolean()
      .default(true)
      .describe(
        'an event whose page of the event array is missing is kept until the page is there; false: it is lost, as before ' +
          '"evtchn: don\'t lose pending state if FIFO event array page is missing"',
      ),
    'ioapic-pins': z.int().min(16).max(240).default(24).describe('pins of the IOAPIC'),
    firmware: z
      .strictObject({
        levels: z
          .array(z.int().min(0).max(15))
          .max(16)
          .default([])
          .describe('ISA interrupts that are levels'),
        'active-high': z.boolean().default(false).describe('a level interrupts while it is high'),
      })
      .prefault({})
      .describe("what the board's firmware says of its interrupt lines"),
    'command-line': commandLine
      .default({})
      .describe("options of Xen's command line, by their names there; Xen's own defaults without"),
    dom0,
    guests: guestsOf(guest),
    keys,
    workloads: workloadsOf(workload),
  })
  .check(rules(checkXenScenario));

export type XenScenario = z.output<typeof xenSchema>;
export type WorkloadSpec = XenScenario['workloads'][number];
export type GuestSpec = XenScenario['guests'][number];
export type GuestDeviceSpec = z.output<typeof guestDevice>;
