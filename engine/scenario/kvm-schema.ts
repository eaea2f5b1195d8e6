/** What a scenario of a KVM host may say: Linux on the bare machine, and its virtual machines. */
import * as z from 'zod';
import { checkKvmScenario } from './kvm-rules.ts';
import {
  affinity,
  ahci,
  callRate,
  cpuCount,
  e1000e,
  eventRate,
  gsi,
  i8042,
  line,
  msix,
  name,
  nvme,
  pattern,
  printed,
} from './shapes.ts';

/** The devices of the host, found in this order. */
const hostDevice = z.discriminatedUnion('driver', [line, i8042, nvme, ahci, e1000e, msix]);

const host = z.strictObject({
  kernel: z.enum(['linux-6.1', 'linux-2.6.36']).default('linux-6.1'),
  devices: z.array(hostDevice).max(256).default([]),
});

const queues = z.int().min(1).max(64).default(1);

/** The devices of a virtual machine, found by its kernel in this order. */
const vmDevice = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('i8042') }),
  z.strictObject({ driver: z.literal('rtc') }),
  z.strictObject({ driver: z.literal('serial') }),
  /** a level line without much behind it */
  z.strictObject({ driver: z.literal('acpi') }),
  /** IDE channels of the PIIX3; `disk`: the device of the host behind it */
  z.strictObject({ driver: z.literal('ata'), disk: name.optional() }),
  z.strictObject({ driver: z.literal('e1000'), gsi: gsi.default(11) }),
  z.strictObject({ driver: z.literal('virtio-blk'), queues, disk: name.optional() }),
  z.strictObject({
    driver: z.literal('virtio-net'),
    queues,
    /** packets handled in the host's kernel rather than in QEMU */
    vhost: z.boolean().default(true),
  }),
  /** a function of a card given to the guest whole: `queues` messages that an IOMMU remaps */
  z.strictObject({ driver: z.literal('vfio'), name, queues }),
]);

const vm = z.strictObject({
  name: name.optional(),
  kernel: z.enum(['linux-6.1', 'linux-2.6.36']).default('linux-6.1'),
  vcpus: cpuCount.default(1),
  /** CPUs of the host that its threads may run on; every one without it */
  cpus: affinity.optional(),
  /** what its kernel makes ticks of; the best that kernel and KVM have unless given */
  timer: z.enum(['tsc-deadline', 'lapic', 'pit']).optional(),
  x2apic: z.boolean().default(true),
  devices: z.array(vmDevice).max(64).default([]),
});

/** a number of `vms`, from 1; 0: the host */
const vmNumber = z.int().min(0).max(500);

/** What happens in a virtual machine (from 1) or on the host (0), by a pattern or as a closed loop. */
const workload = z.discriminatedUnion('what', [
  /** a device fires: `kbd` of the host, `vm1.kbd` of a virtual machine */
  z.strictObject({ what: z.literal('device'), device: name, pattern }),
  z.strictObject({ what: z.literal('packets'), vm: vmNumber, pattern, reply: z.boolean().default(true) }),
  /** closed loop: `jobs` requests at a time, `think` ms between */
  z.strictObject({
    what: z.literal('disk'),
    vm: vmNumber,
    jobs: z.int().min(1).max(256).default(1),
    think: z.number().min(0).max(1e6).default(10),
  }),
  z.strictObject({ what: z.literal('compute'), vm: vmNumber, share: z.number().min(0.001).max(1) }),
  /** function calls to all other CPUs */
  z.strictObject({ what: z.literal('calls'), vm: vmNumber, rate: callRate }),
  /** instructions that fault or are intercepted: page faults, CPUID, breakpoints, first use of the FPU */
  z.strictObject({
    what: z.literal('faults'),
    vm: vmNumber,
    kind: z.enum(['page', 'cpuid', 'breakpoint', 'fpu']).default('page'),
    rate: eventRate,
  }),
  /** non-maskable interrupts of the host, as its watchdog or perf makes them */
  z.strictObject({ what: z.literal('nmi'), vm: vmNumber, rate: callRate }),
]);

export const kvmSchema = z
  .strictObject({
    name,
    title: printed(120),
    kvm: z.enum(['2.6.36', '6.1']).default('6.1'),
    cpus: cpuCount.default(4),
    /** VM-exit control "acknowledge interrupt on exit"; as that KVM sets it unless given */
    'ack-on-exit': z.boolean().optional(),
    /** APIC-register virtualization and virtual-interrupt delivery (enable_apicv) */
    apicv: z.boolean().default(false),
    /** posted interrupts: by IPI among the CPUs, and from devices through the IOMMU */
    posted: z.boolean().default(false),
    /** the guests' timers by the VMX-preemption timer while they run */
    'preemption-timer': z.boolean().optional(),
    /** extended page tables; without them page faults of the guest exit */
    ept: z.boolean().default(true),
    host: host.prefault({}),
    vms: z.array(vm).min(1).max(500),
    keys: z
      .array(z.strictObject({ device: name, title: printed(30).optional() }))
      .max(10)
      .default([]),
    workloads: z.array(workload).max(2_000).default([]),
  })
  .check((ctx) => {
    checkKvmScenario(ctx.value, (path, message) => {
      ctx.issues.push({ code: 'custom', path: [...path], message, input: ctx.value });
    });
  });

export type KvmScenario = z.output<typeof kvmSchema>;
export type VmSpec = KvmScenario['vms'][number];
export type VmDeviceSpec = z.output<typeof vmDevice>;
export type HostDeviceSpec = z.output<typeof hostDevice>;
export type KvmWorkloadSpec = KvmScenario['workloads'][number];
