/** What a scenario of a KVM host may say: Linux on the bare machine, and its virtual machines. */
import * as z from 'zod';
import { checkKvmScenario } from './kvm-rules.ts';
import {
  affinity,
  ahci,
  callRate,
  cpuCount,
  cpus,
  e1000e,
  eventRate,
  gsi,
  i8042,
  jobs,
  keys,
  line,
  microbenchmark,
  msix,
  name,
  nvme,
  pattern,
  reply,
  rules,
  scenarioName,
  share,
  think,
  title,
  workloadsOf,
} from './shapes.ts';

const hostDevice = z.discriminatedUnion('driver', [line, i8042, nvme, ahci, e1000e, msix]);

const kernel = z.enum(['linux-6.1', 'linux-2.6.36']).default('linux-6.1');

const host = z
  .strictObject({
    kernel: kernel.describe('its kernel, which KVM is part of'),
    idle: z
      .enum(['mwait', 'halt'])
      .default('mwait')
      .describe(
        "how its CPUs idle (idle= of its kernel's command line): in HLT only an interrupt wakes them",
      ),
    devices: z
      .array(hostDevice)
      .max(256)
      .default([])
      .describe('its devices, in the order in which their drivers find them'),
  })
  .describe('Linux on the bare machine');

const queues = z.int().min(1).max(64).default(1).describe('queues, each with a message of its own');
const disk = name.optional().describe('the disk of the host behind it; without it the first');

/** of a device with MSI-X that QEMU has */
const messages = {
  pba: z
    .boolean()
    .default(true)
    .describe(
      'a message of a masked MSI-X vector sets its bit in the Pending Bit Array and is sent at unmask; false: as in ' +
        'device models that drop it',
    ),
  unlazy: z
    .boolean()
    .default(false)
    .describe(
      'its vectors have IRQ_DISABLE_UNLAZY: disable_irq masks the entry of the MSI-X table at once, not only when the ' +
        'next interrupt has come',
    ),
};

const vmDevice = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('i8042') }).describe('keyboard and mouse: `kbd` and `mouse`'),
  z.strictObject({ driver: z.literal('rtc') }).describe('the clock of the board'),
  z.strictObject({ driver: z.literal('serial') }).describe('the first serial line: `uart`'),
  z.strictObject({ driver: z.literal('acpi') }).describe('a level line without much behind it'),
  z.strictObject({ driver: z.literal('ata'), disk }).describe('IDE channels of the PIIX3: `disk`'),
  z
    .strictObject({ driver: z.literal('e1000'), gsi: gsi.default(11) })
    .describe('network card on a level line: `nic`'),
  z
    .strictObject({
      driver: z.literal('uhci'),
      gsi: gsi.default(11),
      served: z
        .boolean()
        .default(true)
        .describe('whether a driver of its kernel serves it; without one nobody lowers its line'),
    })
    .describe('USB controller on a level line: `usb`'),
  z
    .strictObject({ driver: z.literal('virtio-blk'), queues, disk, ...messages })
    .describe('paravirtual disk: `disk`'),
  z
    .strictObject({
      driver: z.literal('virtio-net'),
      queues,
      vhost: z
        .boolean()
        .default(true)
        .describe("packets are handled in the host's kernel rather than in QEMU"),
      ...messages,
    })
    .describe('paravirtual network card: `nic`'),
  z
    .strictObject({ driver: z.literal('vfio'), name: name.describe('what it is called'), queues })
    .describe('a function of a card given to the guest whole; an IOMMU remaps its messages'),
]);

const vm = z.strictObject({
  name: name.optional().describe('of the machine; vm1, vm2, ... without it'),
  kernel: kernel.describe('the kernel of the guest'),
  vcpus: cpuCount.default(1).describe('virtual CPUs'),
  cpus: affinity.optional(),
  timer: z
    .enum(['tsc-deadline', 'lapic', 'pit'])
    .optional()
    .describe('what its kernel makes ticks of; without it the best that kernel and KVM have'),
  'pv-eoi': z
    .boolean()
    .optional()
    .describe(
      'CPUID tells of PV EOI (kvm-pv-eoi of QEMU): most EOIs are a bit in memory in place of an exit, unless APICv sees ' +
        'to them; without it as QEMU has it, on where that KVM has it',
    ),
  x2apic: z.boolean().default(true).describe('local APICs are reached by MSRs rather than by memory'),
  devices: z
    .array(vmDevice)
    .max(64)
    .default([])
    .describe('its devices, in the order in which their drivers find them'),
});

const machine = z.int().min(0).max(500).describe('number of the machine, from 1; 0: the host');

const workload = z.discriminatedUnion('what', [
  z
    .strictObject({
      what: z.literal('device'),
      device: name.describe('which one: `kbd` of the host, `vm1.kbd` of a virtual machine'),
      pattern,
    })
    .describe('a device fires'),
  z
    .strictObject({ what: z.literal('packets'), vm: machine, pattern, reply })
    .describe('packets from the network for a machine'),
  z
    .strictObject({ what: z.literal('disk'), vm: machine, jobs, think })
    .describe("requests to the machine's disk, the next once one is answered"),
  z
    .strictObject({ what: z.literal('compute'), vm: machine, share })
    .describe('a thread on every virtual CPU that computes for a share of the time'),
  z
    .strictObject({ what: z.literal('calls'), vm: machine, rate: callRate })
    .describe('function calls to all other CPUs'),
  z
    .strictObject({
      what: z.literal('faults'),
      vm: machine,
      kind: z
        .enum(['page', 'cpuid', 'breakpoint', 'fpu'])
        .default('page')
        .describe('page faults, CPUID, breakpoints, first use of the FPU'),
      rate: eventRate,
    })
    .describe('instructions that fault or are intercepted'),
  z
    .strictObject({
      what: z.literal('autoeoi'),
      vm: machine,
      vcpu: z.int().min(0).max(255).default(0).describe('which of its virtual CPUs does it'),
      rate: callRate,
    })
    .describe('a SynIC source gets AutoEOI, or loses it again: APICv is inhibited meanwhile'),
  z
    .strictObject({ what: z.literal('nmi'), vm: machine, rate: callRate })
    .describe('non-maskable interrupts of the host, as its watchdog or perf makes them'),
  z
    .strictObject({ ...microbenchmark, vm: machine })
    .describe('a guest does one thing again and again, for `virqtop paper` to measure'),
]);

/** of unsigned parameters of a module */
const pollTime = z.int().min(0).max(1_000_000_000);
const factor = z.int().min(0).max(1_000_000);

export const kvmSchema = z
  .strictObject({
    name: scenarioName,
    title,
    kvm: z
      .enum(['2.6.36', '6.1'])
      .default('6.1')
      .describe('version of the kernel that KVM is of; this key makes it a KVM host'),
    cpus,
    'ack-on-exit': z
      .boolean()
      .optional()
      .describe('VM-exit control "acknowledge interrupt on exit"; without it as that KVM sets it'),
    apicv: z
      .boolean()
      .default(false)
      .describe('APIC-register virtualization and virtual-interrupt delivery (enable_apicv)'),
    posted: z
      .boolean()
      .default(false)
      .describe('posted interrupts: by IPI among the CPUs, and from devices through the IOMMU'),
    'preemption-timer': z
      .boolean()
      .optional()
      .describe("the guests' timers by the VMX-preemption timer while they run; without it as that KVM does"),
    'halt-poll-ns': pollTime
      .optional()
      .describe(
        "KVM's parameter halt_poll_ns: how long at most the thread of a virtual CPU that has halted looks for events " +
          'before it sleeps; 0: not at all; without it as that KVM has it, 200,000 or, before there was such, 0',
      ),
    'halt-poll-ns-grow': factor
      .default(2)
      .describe('halt_poll_ns_grow: what a window that was too short is multiplied by; 0: it stays'),
    'halt-poll-ns-grow-start': pollTime
      .default(10_000)
      .describe('halt_poll_ns_grow_start: what a window grows to first; a shorter one becomes 0'),
    'halt-poll-ns-shrink': factor
      .default(0)
      .describe('halt_poll_ns_shrink: what the window is divided by behind a long halt; 0: it becomes 0'),
    ept: z
      .boolean()
      .default(true)
      .describe('extended page tables; without them page faults of the guest exit'),
    'svi-update': z
      .boolean()
      .default(true)
      .describe(
        'as APICv is activated at run time SVI becomes the vector in service; false: before "KVM: VMX: Update SVI ' +
          'during runtime APICv activation"',
      ),
    resample: z
      .boolean()
      .default(true)
      .describe(
        'at an EOI the virtual IOAPIC looks at its wires again; false: as in a device model that serves a pin only as ' +
          'its wire rises, so that what comes between a handler and its EOI is lost',
      ),
    host: host.prefault({}),
    vms: z.array(vm).min(1).max(500).describe('its virtual machines'),
    keys,
    workloads: workloadsOf(workload),
  })
  .check(rules(checkKvmScenario));

export type KvmScenario = z.output<typeof kvmSchema>;
export type VmSpec = KvmScenario['vms'][number];
export type VmDeviceSpec = z.output<typeof vmDevice>;
export type HostDeviceSpec = z.output<typeof hostDevice>;
export type KvmWorkloadSpec = KvmScenario['workloads'][number];
