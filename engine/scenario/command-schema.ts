/** What may be done to a machine from outside (`Command` of machine/commands.ts), as files write it. */
import * as z from 'zod';
import { name } from './shapes.ts';

const times = z.int().min(1).max(1_000_000).optional().describe('how often, at once; 1 without it');

const domain = name.describe('as the monitor calls it: dom0, host, vm1, Xen');
const irq = z.int().min(0).describe('number of the row in /proc/interrupts');
const cpu = z.int().min(0).describe('number of a CPU of that domain');

export const command = z.discriminatedUnion('do', [
  z
    .strictObject({ do: z.literal('fire'), device: name.describe('as --fire takes it'), times })
    .describe('an event of a device'),
  z.strictObject({ do: z.literal('hook'), on: z.boolean() }).describe("Xen's interrupt hook"),
  z
    .strictObject({
      do: z.literal('raise'),
      domain,
      irq: z.union([irq, name]).describe('number of the row; of Xen the vector or INTID; or NMI'),
      cpu: cpu.optional().describe('whose, where each CPU has its own; 0 without it'),
      times,
    })
    .describe('what is behind a row of /proc/interrupts raises it'),
  z
    .strictObject({
      do: z.literal('storm'),
      device: name.describe('as --fire takes it'),
      on: z.boolean(),
      rate: z.number().positive().max(10_000_000).optional().describe('events a second; 10,000 without it'),
    })
    .describe('a device fires by itself until it is switched off'),
  z
    .strictObject({
      do: z.literal('rate'),
      source: name.describe('a workload, as the monitor calls it, or a device that storms'),
      perSecond: z.number().min(0).optional(),
      factor: z.number().positive().optional().describe('times what it was'),
    })
    .describe('how often a workload happens'),
  z
    .strictObject({ do: z.literal('mask'), domain, irq, masked: z.boolean() })
    .describe('disable_irq and enable_irq, by a process of the domain'),
  z
    .strictObject({ do: z.literal('affinity'), domain, irq, cpus: z.array(cpu).min(1) })
    .describe('a process of the domain writes /proc/irq/N/smp_affinity_list'),
  z
    .strictObject({
      do: z.literal('priority'),
      domain,
      irq,
      priority: z.int().min(0).max(15).describe('0 is the most urgent, 7 what channels begin with'),
    })
    .describe('xen_set_irq_priority of a FIFO event channel, by a process of the domain'),
  z
    .strictObject({ do: z.literal('autoeoi'), domain, vcpu: cpu, on: z.boolean() })
    .describe(
      'a process of a machine of KVM sets AutoEOI of a SynIC source, which inhibits APICv, or clears it',
    ),
  z
    .strictObject({ do: z.literal('reclaim'), domain, vcpu: cpu })
    .describe('what the next interrupt of a virtual CPU touches goes to the swap device of the host'),
  z
    .strictObject({ do: z.literal('ipi'), domain, from: cpu, to: cpu })
    .describe('smp_send_reschedule on one virtual CPU, to another'),
  z.strictObject({ do: z.literal('nmi'), domain, vcpu: cpu }).describe('xl trigger, the nmi of QEMU'),
]);
