/**
 * What a scenario of a Xen host on ARM may say: a board like QEMU's `virt`, dom0 with its devices, and guests that dom0's
 * toolstack has made (xl) or Xen itself at boot (dom0less).
 */
import * as z from 'zod';
import { checkArmScenario } from './arm-rules.ts';
import {
  affinity,
  as,
  callRate,
  cpuCount,
  cpus,
  eventChannels,
  guestsOf,
  keys,
  moderation,
  name,
  rules,
  scenarioName,
  service,
  title,
  workloadsOf,
} from './shapes.ts';
import { commonWorkloads, domain } from './xen-workloads.ts';

/** Where a device of dom0 is: on one or the other. */
const place = {
  name: name.describe('as its driver calls it in /proc/interrupts'),
  transport: z.int().min(0).max(31).optional().describe('its virtio-mmio transport'),
  slot: z.int().min(1).max(31).optional().describe('its place as a PCI device; 0 is the bridge of the bus'),
  as,
};

const device = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('rtc') }).describe('PL031, unless a guest has it'),
  z
    .strictObject({ driver: z.literal('virtio-blk'), ...place, ...service })
    .describe('a disk on a virtio-mmio transport, or as a PCI device'),
  z
    .strictObject({ driver: z.literal('virtio-net'), ...place, moderation })
    .describe('a network card on a virtio-mmio transport, or as a PCI device'),
]);

/** Of any domain. */
const kernel = z.enum(['linux-6.1']).default('linux-6.1').describe('its kernel');
const fifo = z
  .boolean()
  .default(true)
  .describe('event channels of the FIFO kind; false: xen.fifo_events=0, the 2-level kind');
const ssbd = z
  .enum(['kernel', 'force-on', 'force-off'])
  .default('kernel')
  .describe(
    "ssbd= of its kernel: when its user space runs with the firmware's workaround for speculative store bypass",
  );

const priorities = z
  .array(
    z
      .strictObject({
        spi: z.int().min(32).max(1019).describe('its INTID'),
        priority: z.int().min(0).max(255).describe('what stands in IPRIORITYR, low is urgent'),
      })
      .describe('one of them'),
  )
  .max(100)
  .default([])
  .describe('SPIs to which its kernel gives another priority than 0xa0, which Linux gives all');

const dom0 = z
  .strictObject({
    kernel,
    fifo,
    vcpus: cpuCount.describe('virtual CPUs'),
    cpus: affinity.optional(),
    ssbd,
    priorities,
    devices: z
      .array(device)
      .max(33)
      .default([])
      .describe('devices of the board, in the order in which its drivers find them'),
  })
  .describe('the first domain, which has the devices');

const guest = z.strictObject({
  kernel,
  fifo,
  type: z
    .enum(['xl', 'dom0less'])
    .default('xl')
    .describe('made by the toolstack, with split drivers; or by Xen at boot, knowing nothing of Xen'),
  aarch32: z.boolean().default(false).describe('AArch32: its exceptions come to Xen by the compat entries'),
  vcpus: cpuCount.default(1).describe('virtual CPUs'),
  cpus: affinity.optional(),
  ssbd,
  priorities,
  rings: z.int().min(0).max(16).default(1).describe('rings of its paravirtual disk; 0: it has none'),
  disk: name.optional().describe('the disk of dom0 behind it; without it the first'),
  queues: z
    .int()
    .min(0)
    .max(16)
    .default(1)
    .describe('queues of its paravirtual network card; 0: it has none'),
  devices: z
    .array(z.strictObject({ driver: z.literal('rtc') }).describe('PL031'))
    .max(1)
    .default([])
    .describe('devices of the board that are passed through to it'),
  ...eventChannels,
});

const workload = z.discriminatedUnion('what', [
  ...commonWorkloads,
  z
    .strictObject({
      what: z.literal('serror'),
      domain: domain.optional().describe("whose store it is; without it Xen's own"),
      rate: callRate,
    })
    .describe('stores that are answered by an SError'),
  z
    .strictObject({ what: z.literal('fiq'), rate: callRate })
    .describe('interrupts of group 0, which the GIC signals as FIQ'),
]);

export const armSchema = z
  .strictObject({
    name: scenarioName,
    title,
    gic: z.literal([2, 3]).describe('version of the GIC; this key makes it a Xen host on ARM'),
    xen: z.enum(['4.17']).default('4.17').describe('version of Xen'),
    cpus,
    'list-registers': z
      .int()
      .min(1)
      .max(16)
      .default(4)
      .describe('list registers of each virtual CPU interface'),
    'command-line': z
      .strictObject({
        serrors: z
          .enum(['diverse', 'panic'])
          .default('diverse')
          .describe("what becomes of SErrors: a guest's goes back to it, or all end Xen"),
        ssbd: z
          .enum(['force-disable', 'runtime', 'force-enable'])
          .default('runtime')
          .describe("spec-ctrl=ssbd: the firmware's workaround for speculative store bypass"),
      })
      .prefault({})
      .describe("options of Xen's command line, by their names there"),
    firmware: z
      .strictObject({
        ssbd: z
          .enum(['none', 'required', 'not-required', 'mitigated'])
          .default('none')
          .describe('its workaround: there is none, processors need it or not, or are safe by themselves'),
      })
      .prefault({})
      .describe("what the board's firmware offers"),
    dom0,
    guests: guestsOf(guest),
    keys,
    workloads: workloadsOf(workload),
  })
  .check(rules(checkArmScenario));

export type ArmScenario = z.output<typeof armSchema>;
export type ArmGuestSpec = ArmScenario['guests'][number];
export type ArmDeviceSpec = z.output<typeof device>;
