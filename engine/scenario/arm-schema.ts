/**
 * What a scenario of a Xen host on ARM may say: a board like QEMU's `virt`, dom0 with its devices, and guests that dom0's
 * toolstack has made (xl) or Xen itself at boot (dom0less).
 */
import * as z from 'zod';
import { checkArmScenario } from './arm-rules.ts';
import { affinity, callRate, cpuCount, moderation, name, printed, service } from './shapes.ts';
import { commonWorkloads } from './xen-workloads.ts';

/** devices of the board, in the order in which dom0's drivers find them */
const device = z.discriminatedUnion('driver', [
  /** PL031, unless a guest has it */
  z.strictObject({ driver: z.literal('rtc') }),
  /** a disk on a virtio-mmio transport, or as a PCI device */
  z.strictObject({
    driver: z.literal('virtio-blk'),
    name,
    transport: z.int().min(0).max(31).optional(),
    slot: z.int().min(0).max(31).optional(),
    as: name.optional(),
    ...service,
  }),
  z.strictObject({
    driver: z.literal('virtio-net'),
    name,
    transport: z.int().min(0).max(31).optional(),
    slot: z.int().min(0).max(31).optional(),
    as: name.optional(),
    moderation,
  }),
]);

/** the kernel's ssbd=: whether it lets user space run with the firmware's workaround, or does without it altogether */
const ssbd = z.enum(['kernel', 'force-on', 'force-off']).default('kernel');

const dom0 = z.strictObject({
  kernel: z.enum(['linux-6.1']).default('linux-6.1'),
  fifo: z.boolean().default(true),
  vcpus: cpuCount,
  cpus: affinity.optional(),
  ssbd,
  devices: z.array(device).max(33).default([]),
});

const guest = z.strictObject({
  kernel: z.enum(['linux-6.1']).default('linux-6.1'),
  fifo: z.boolean().default(true),
  /** made by the toolstack, with split drivers; or by Xen at boot, knowing nothing of Xen */
  type: z.enum(['xl', 'dom0less']).default('xl'),
  /** AArch32: its exceptions come to Xen by the compat entries */
  aarch32: z.boolean().default(false),
  vcpus: cpuCount.default(1),
  cpus: affinity.optional(),
  ssbd,
  rings: z.int().min(0).max(16).default(1),
  disk: name.optional(),
  queues: z.int().min(0).max(16).default(1),
  /** devices of the board that are passed through to it */
  devices: z
    .array(z.strictObject({ driver: z.literal('rtc') }))
    .max(1)
    .default([]),
  channels: z.int().min(0).max(100_000).default(0),
  'max-event-channels': z.int().min(2).max(131_071).default(1023),
});

const workload = z.discriminatedUnion('what', [
  ...commonWorkloads,
  /** stores that are answered by an SError: of a domain's, or without one of Xen itself */
  z.strictObject({ what: z.literal('serror'), domain: z.int().min(0).optional(), rate: callRate }),
  /** interrupts of group 0, which the GIC signals as FIQ */
  z.strictObject({ what: z.literal('fiq'), rate: callRate }),
]);

export const armSchema = z
  .strictObject({
    name,
    title: printed(120),
    /** the version of the GIC: which makes this a scenario of ARM */
    gic: z.union([z.literal(2), z.literal(3)]),
    xen: z.enum(['4.17']).default('4.17'),
    cpus: cpuCount.default(4),
    'list-registers': z.int().min(1).max(16).default(4),
    'command-line': z
      .strictObject({
        /** what becomes of SErrors: a guest's goes back to it, or all end Xen */
        serrors: z.enum(['diverse', 'panic']).default('diverse'),
        /** spec-ctrl=ssbd: the firmware's workaround for speculative store bypass */
        ssbd: z.enum(['force-disable', 'runtime', 'force-enable']).default('runtime'),
      })
      .prefault({}),
    firmware: z
      .strictObject({
        /** its workaround: there is none, processors need it or not, or are safe by themselves */
        ssbd: z.enum(['none', 'required', 'not-required', 'mitigated']).default('none'),
      })
      .prefault({}),
    dom0,
    guests: z.array(guest).max(500).default([]),
    keys: z
      .array(z.strictObject({ device: name, title: printed(30).optional() }))
      .max(10)
      .default([]),
    workloads: z.array(workload).max(2_000).default([]),
  })
  .check((ctx) => {
    checkArmScenario(ctx.value, (path, message) => {
      ctx.issues.push({ code: 'custom', path: [...path], message, input: ctx.value });
    });
  });

export type ArmScenario = z.output<typeof armSchema>;
export type ArmGuestSpec = ArmScenario['guests'][number];
export type ArmDeviceSpec = z.output<typeof device>;
