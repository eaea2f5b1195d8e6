/**
 * Tracepoints of a KVM host's kernel as Linux 6.1 has them (arch/x86/kvm/trace.h, include/trace/events/kvm.h, irq.h, sched.h,
 * arch/x86/include/asm/trace/irq_vectors.h), from records of ours. What the simulator does not know, as RIP, is 0.
 */
import { DELIVERY_MODES, ISA_VMX } from '../../abi/trace-dat.ts';
import { ROW } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { accessEvents } from './kvm-access-events.ts';
import {
  A,
  always,
  B,
  C,
  D,
  type Filling,
  inVcpu,
  type LinuxEvent,
  type LinuxPoint,
  listed,
  symbols,
} from './linux-point.ts';
import { decimal, hex, hexOf, named, type Operand, oneOf, padded, phrase, string } from './phrase.ts';

const PRIO = 120;

const DELIVERY = listed(DELIVERY_MODES);

/** Their fields, and how they are filled. */
export function kvmEvents({ exits }: TraceHost): LinuxPoint[] {
  return [
    always('kvm_entry', {
      system: 'kvm',
      name: 'kvm_entry',
      fields: ['unsigned int vcpu_id', 'unsigned long rip', 'bool immediate_exit'],
      print: '"vcpu %u, rip 0x%lx%s", REC->vcpu_id, REC->rip, REC->immediate_exit ? "[immediate exit]" : ""',
      text: phrase`vcpu ${decimal(0)}, rip 0x0`,
      fill: (to, rows, at) => {
        to.filled[0] = inVcpu(to, rows, at);
        to.filled[1] = 0;
        to.filled[2] = 0;
      },
    }),
    always('kvm_exit', {
      system: 'kvm',
      name: 'kvm_exit',
      fields: [
        'unsigned int exit_reason',
        'unsigned long guest_rip',
        'u32 isa',
        'u64 info1',
        'u64 info2',
        'u32 intr_info',
        'u32 error_code',
        'unsigned int vcpu_id',
      ],
      print: `"vcpu %u reason %s rip 0x%lx info1 0x%016llx info2 0x%016llx intr_info 0x%08x error_code 0x%08x", REC->vcpu_id, __print_symbolic(REC->exit_reason & 0xffff, ${symbols(exits)}), REC->guest_rip, REC->info1, REC->info2, REC->intr_info, REC->error_code`,
      text: phrase`vcpu ${decimal(7)} reason ${named(0, exits)} rip 0x0 info1 0x${hex(3, 16)} info2 0x0000000000000000 intr_info 0x${hex(5, 8)} error_code 0x00000000`,
      fill: (to, rows, at) => {
        const v = to.filled;
        v[0] = rows[at + B]!;
        v[1] = 0;
        v[2] = ISA_VMX;
        v[3] = rows[at + D]! >>> 0;
        v[4] = 0;
        v[5] = rows[at + C]! >>> 0;
        v[6] = 0;
        v[7] = inVcpu(to, rows, at);
      },
    }),
    always('kvm_inj_virq', {
      system: 'kvm',
      name: 'kvm_inj_virq',
      fields: ['unsigned int vector', 'bool soft', 'bool reinjected'],
      print:
        '"%s 0x%x%s", REC->soft ? "Soft/INTn" : "IRQ", REC->vector, REC->reinjected ? " [reinjected]" : ""',
      text: phrase`IRQ 0x${hex(0)}${oneOf(['', ' [reinjected]'], (v) => v[2] !== 0)}`,
      fill: (to, rows, at) => {
        inVcpu(to, rows, at);
        to.filled[0] = rows[at + B]!;
        to.filled[1] = 0;
        to.filled[2] = rows[at + C]!;
      },
    }),
    ...(['kvm_apic_accept_irq', 'kvm_apicv_accept_irq'] as const).map((name) =>
      always(name, {
        system: 'kvm',
        name,
        fields: ['__u32 apicid', '__u16 dm', '__u16 tm', '__u8 vec'],
        print: `"apicid %x vec %u (%s|%s)", REC->apicid, REC->vec, __print_symbolic((REC->dm >> 8 & 0x7), ${DELIVERY}), REC->tm ? "level" : "edge"`,
        text: phrase`apicid ${hex(0)} vec ${decimal(3)} (${delivery(1)}|${oneOf(TRIGGERS, (v) => v[2] !== 0)})`,
        fill: ({ host, filled: values }, rows, at) => {
          values[0] = host.vcpus[rows[at + A]!]!.vcpu;
          values[1] = rows[at + C]! << 8;
          values[2] = rows[at + D]!;
          values[3] = rows[at + B]!;
        },
      }),
    ),
    always('kvm_apic_ipi', {
      system: 'kvm',
      name: 'kvm_apic_ipi',
      fields: ['__u32 icr_low', '__u32 dest_id'],
      print: `"dst %x vec %u (%s|%s|%s|%s|%s)", REC->dest_id, (u8)REC->icr_low, __print_symbolic((REC->icr_low >> 8 & 0x7), ${DELIVERY}), (REC->icr_low & (1<<11)) ? "logical" : "physical", (REC->icr_low & (1<<14)) ? "assert" : "de-assert", (REC->icr_low & (1<<15)) ? "level" : "edge", __print_symbolic((REC->icr_low >> 18 & 0x3), ${listed(SHORTHANDS)})`,
      text: phrase`dst ${hex(1)} vec ${vector(0)} (${delivery(0)}|${destination(0, 1 << 11)}|${oneOf(['de-assert', 'assert'], (v) => (v[0]! & (1 << 14)) !== 0)}|${trigger(0)}|${oneOf(SHORTHANDS, (v) => (v[0]! >> 18) & 3)})`,
      fill: (to, rows, at) => {
        inVcpu(to, rows, at);
        to.filled[0] = rows[at + B]! >>> 0;
        to.filled[1] = rows[at + C]! >>> 0;
      },
    }),
    ...(['kvm_eoi', 'kvm_pv_eoi'] as const).map((name) =>
      always(name, {
        system: 'kvm',
        name,
        fields: ['__u32 apicid', 'int vector'],
        print: '"apicid %x vector %d", REC->apicid, REC->vector',
        text: phrase`apicid ${hex(0)} vector ${decimal(1)}`,
        fill: (to, rows, at) => {
          to.filled[0] = inVcpu(to, rows, at);
          to.filled[1] = rows[at + B]!;
        },
      }),
    ),
    ...haltEvents(),
    ...lineEvents(),
    ...accessEvents(),
    ...irqEvents(),
    ...schedEvents(),
  ];
}

/** The end of a HLT, and the window that is polled. */
function haltEvents(): LinuxPoint[] {
  return [
    always('kvm_vcpu_wakeup', {
      system: 'kvm',
      name: 'kvm_vcpu_wakeup',
      fields: ['__u64 ns', 'bool waited', 'bool valid'],
      print:
        '"%s time %lld ns, polling %s", REC->waited ? "wait" : "poll", REC->ns, REC->valid ? "valid" : "invalid"',
      text: phrase`${oneOf(['poll', 'wait'], (v) => v[1] !== 0)} time ${decimal(0)} ns, polling ${oneOf(['invalid', 'valid'], (v) => v[2] !== 0)}`,
      fill: (to, rows, at) => {
        inVcpu(to, rows, at);
        for (let i = 0; i < 3; i++) to.filled[i] = rows[at + B + i]!;
      },
    }),
    always('kvm_halt_poll_ns', {
      system: 'kvm',
      name: 'kvm_halt_poll_ns',
      fields: ['bool grow', 'unsigned int vcpu_id', 'unsigned int new', 'unsigned int old'],
      print:
        '"vcpu %u: halt_poll_ns %u (%s %u)", REC->vcpu_id, REC->new, REC->grow ? "grow" : "shrink", REC->old',
      text: phrase`vcpu ${decimal(1)}: halt_poll_ns ${decimal(2)} (${oneOf(['shrink', 'grow'], (v) => v[0] !== 0)} ${decimal(3)})`,
      fill: (to, rows, at) => {
        to.filled[1] = inVcpu(to, rows, at);
        to.filled[0] = rows[at + B]!;
        to.filled[2] = rows[at + C]!;
        to.filled[3] = rows[at + D]!;
      },
    }),
  ];
}

// of an entry of an IOAPIC or of a message, in the value at a place

const BYTES = Array.from({ length: 256 }, (_, n) => String(n));
const TRIGGERS = ['edge', 'level'];
const SHORTHANDS = ['dst', 'self', 'all', 'all-but-self'];
const IRQCHIPS = ['PIC master', 'PIC slave', 'IOAPIC'];

function vector(i: number): Operand {
  return oneOf(BYTES, (v) => v[i]! & 0xff);
}

function delivery(i: number): Operand {
  return oneOf(DELIVERY_MODES, (v) => (v[i]! >> 8) & 7);
}

function destination(i: number, logical: number): Operand {
  return oneOf(['physical', 'logical'], (v) => (v[i]! & logical) !== 0);
}

function trigger(i: number): Operand {
  return oneOf(TRIGGERS, (v) => (v[i]! & (1 << 15)) !== 0);
}

function entryDestination(high: number): Operand {
  return hexOf((v) => v[high]! >>> 24);
}

function entryMasked(low: number): Operand {
  return oneOf(['', '|masked'], (v) => (v[low]! & (1 << 16)) !== 0);
}

/** Both halves of an entry, of one number that has its destination above the lower half. */
function setEntry(values: Float64Array, entry: number): void {
  values[0] = entry >>> 0;
  values[1] = Math.floor(entry / 2 ** 32) << 24;
}

function coalesced(i: number): Operand {
  return oneOf(['', ' (coalesced)'], (v) => v[i] !== 0);
}

/** Lines and messages of a machine's devices. */
function lineEvents(): LinuxPoint[] {
  return [
    always('kvm_set_irq', {
      system: 'kvm',
      name: 'kvm_set_irq',
      fields: ['unsigned int gsi', 'int level', 'int irq_source_id'],
      print: '"gsi %u level %d source %d", REC->gsi, REC->level, REC->irq_source_id',
      text: phrase`gsi ${decimal(0)} level ${decimal(1)} source ${decimal(2)}`,
      fill: ({ filled: values }, rows, at) => {
        for (let i = 0; i < 3; i++) values[i] = rows[at + B + i]!;
      },
    }),
    always('kvm_ioapic_set_irq', {
      system: 'kvm',
      name: 'kvm_ioapic_set_irq',
      fields: ['wide e', 'int pin', 'bool coalesced'],
      print: `"pin %u dst %x vec %u (%s|%s|%s%s)%s", REC->pin, (u8)(REC->e >> 56), (u8)REC->e, __print_symbolic((REC->e >> 8 & 0x7), ${DELIVERY}), (REC->e & (1<<11)) ? "logical" : "physical", (REC->e & (1<<15)) ? "level" : "edge", (REC->e & (1<<16)) ? "|masked" : "", REC->coalesced ? " (coalesced)" : ""`,
      text: phrase`pin ${decimal(2)} dst ${entryDestination(1)} vec ${vector(0)} (${delivery(0)}|${destination(0, 1 << 11)}|${trigger(0)}${entryMasked(0)})${coalesced(3)}`,
      fill: ({ filled: values }, rows, at) => {
        setEntry(values, rows[at + C]!);
        values[2] = rows[at + B]!;
        values[3] = rows[at + D]!;
      },
    }),
    always('kvm_pic_set_irq', {
      system: 'kvm',
      name: 'kvm_pic_set_irq',
      fields: ['__u8 chip', '__u8 pin', '__u8 elcr', '__u8 imr', 'bool coalesced'],
      print:
        '"chip %u pin %u (%s%s)%s", REC->chip, REC->pin, (REC->elcr & (1 << REC->pin)) ? "level":"edge", (REC->imr & (1 << REC->pin)) ? "|masked":"", REC->coalesced ? " (coalesced)" : ""',
      text: phrase`chip ${decimal(0)} pin ${decimal(1)} (${oneOf(TRIGGERS, (v) => (v[2]! & (1 << v[1]!)) !== 0)}${oneOf(['', '|masked'], (v) => (v[3]! & (1 << v[1]!)) !== 0)})${coalesced(4)}`,
      fill: ({ filled: values }, rows, at) => {
        const pin = rows[at + B]!;
        const masks = rows[at + C]!;
        values[0] = pin >> 3;
        values[1] = pin & 7;
        values[2] = masks & 0xff;
        values[3] = masks >> 8;
        values[4] = rows[at + D]!;
      },
    }),
    always('kvm_ack_irq', {
      system: 'kvm',
      name: 'kvm_ack_irq',
      fields: ['unsigned int irqchip', 'unsigned int pin'],
      print: `"irqchip %s pin %u", __print_symbolic(REC->irqchip, ${listed(IRQCHIPS, '')}), REC->pin`,
      text: phrase`irqchip ${oneOf(IRQCHIPS, (v) => v[0]!)} pin ${decimal(1)}`,
      fill: ({ filled: values }, rows, at) => {
        values[0] = rows[at + B]!;
        values[1] = rows[at + C]!;
      },
    }),
    always('kvm_ioapic_delayed_eoi_inj', {
      system: 'kvm',
      name: 'kvm_ioapic_delayed_eoi_inj',
      fields: ['wide e'],
      print: `"dst %x vec %u (%s|%s|%s%s)", (u8)(REC->e >> 56), (u8)REC->e, __print_symbolic((REC->e >> 8 & 0x7), ${DELIVERY}), (REC->e & (1<<11)) ? "logical" : "physical", (REC->e & (1<<15)) ? "level" : "edge", (REC->e & (1<<16)) ? "|masked" : ""`,
      text: phrase`dst ${entryDestination(1)} vec ${vector(0)} (${delivery(0)}|${destination(0, 1 << 11)}|${trigger(0)}${entryMasked(0)})`,
      fill: ({ filled: values }, rows, at) => setEntry(values, rows[at + C]!),
    }),
    always('kvm_apicv_inhibit_changed', {
      system: 'kvm',
      name: 'kvm_apicv_inhibit_changed',
      fields: ['int reason', 'bool set', 'unsigned long inhibits'],
      print: '"%s reason=%u, inhibits=0x%lx", REC->set ? "set" : "cleared", REC->reason, REC->inhibits',
      text: phrase`${oneOf(['cleared', 'set'], (v) => v[1] !== 0)} reason=${decimal(0)}, inhibits=0x${hex(2)}`,
      fill: ({ filled: values }, rows, at) => {
        for (let i = 0; i < 3; i++) values[i] = rows[at + B + i]!;
      },
    }),
    always('kvm_msi_set_irq', {
      system: 'kvm',
      name: 'kvm_msi_set_irq',
      fields: ['__u64 address', '__u64 data'],
      print: `"dst %llx vec %u (%s|%s|%s%s)", (u8)(REC->address >> 12) | ((REC->address >> 32) & 0xffffff00), (u8)REC->data, __print_symbolic((REC->data >> 8 & 0x7), ${DELIVERY}), (REC->address & (1<<2)) ? "logical" : "physical", (REC->data & (1<<15)) ? "level" : "edge", (REC->address & (1<<3)) ? "|rh" : ""`,
      text: phrase`dst ${hexOf((v) => (v[0]! >>> 12) & 0xff)} vec ${vector(1)} (${delivery(1)}|${destination(0, 1 << 2)}|${trigger(1)}${oneOf(['', '|rh'], (v) => (v[0]! & (1 << 3)) !== 0)})`,
      fill: ({ filled: values }, rows, at) => {
        values[0] = rows[at + B]! >>> 0;
        values[1] = rows[at + C]! >>> 0;
      },
    }),
  ];
}

// interrupts that the host's own kernel handles

/** A vector of the kernel's own, by what its handler is called, as irq_vectors names it. */
const VECTORS: Readonly<Record<string, string>> = {
  timer: 'local_timer',
  resched: 'reschedule',
  callfunc: 'call_function',
  callfuncsingle: 'call_function_single',
  irqwork: 'irq_work',
};

const HANDLERS = Object.keys(VECTORS);

function vectorEvents(end: 'entry' | 'exit'): LinuxEvent[] {
  return Object.values(VECTORS).map((name) => ({
    system: 'irq_vectors',
    name: `${name}_${end}`,
    fields: ['int vector'],
    print: '"vector=%d", REC->vector',
    text: phrase`vector=${decimal(0)}`,
    fill: ({ filled: values }, rows, at) => {
      values[0] = -rows[at + B]!;
    },
  }));
}

/** Of interrupts the first, of vectors one of the others. */
function whichIrqEvent(of: Filling, rows: Float64Array, at: number): number {
  if (rows[at + A] !== 0) return -1;
  const irq = rows[at + B]!;
  if (irq >= 0) return 0;
  const handler = HANDLERS.indexOf(of.action(0, irq).text);
  return handler < 0 ? -1 : handler + 1;
}

function irqEvents(): LinuxPoint[] {
  const entry: LinuxEvent = {
    system: 'irq',
    name: 'irq_handler_entry',
    fields: ['int irq', 'string name'],
    print: '"irq=%d name=%s", REC->irq, __get_str(name)',
    text: phrase`irq=${decimal(0)} name=${string(0)}`,
    fill: (to, rows, at) => {
      const irq = rows[at + B]!;
      to.filled[0] = irq;
      to.strings[0] = to.action(0, irq);
    },
  };
  const exit: LinuxEvent = {
    system: 'irq',
    name: 'irq_handler_exit',
    fields: ['int irq', 'int ret'],
    print: '"irq=%d ret=%s", REC->irq, REC->ret ? "handled" : "unhandled"',
    text: phrase`irq=${decimal(0)} ret=${oneOf(['unhandled', 'handled'], (v) => v[1] !== 0)}`,
    fill: ({ filled: values }, rows, at) => {
      values[0] = rows[at + B]!;
      values[1] = 1;
    },
  };
  return [
    { of: 'irq_handler_entry', events: [entry, ...vectorEvents('entry')], which: whichIrqEvent },
    { of: 'irq_handler_exit', events: [exit, ...vectorEvents('exit')], which: whichIrqEvent },
  ];
}

// the host's scheduler

/** Threads of the host; those of its machines' kernels are none of its. */
function ofHost(_: Filling, rows: Float64Array, at: number): number {
  return rows[at + A] === 0 ? 0 : -1;
}

function schedEvents(): LinuxPoint[] {
  const state =
    'REC->prev_state & 0x3 ? __print_flags(REC->prev_state & 0x3, "|", { 0x1, "S" }, { 0x2, "D" }) : "R"';
  const sched_switch: LinuxEvent = {
    system: 'sched',
    name: 'sched_switch',
    fields: [
      'char prev_comm',
      'pid_t prev_pid',
      'int prev_prio',
      'long prev_state',
      'char next_comm',
      'pid_t next_pid',
      'int next_prio',
    ],
    print: `"prev_comm=%s prev_pid=%d prev_prio=%d prev_state=%s ==> next_comm=%s next_pid=%d next_prio=%d", REC->prev_comm, REC->prev_pid, REC->prev_prio, ${state}, REC->next_comm, REC->next_pid, REC->next_prio`,
    text: phrase`prev_comm=${string(0)} prev_pid=${decimal(0)} prev_prio=${decimal(1)} prev_state=${oneOf(['R', 'S'], (v) => v[2] !== 0)} ==> next_comm=${string(1)} next_pid=${decimal(3)} next_prio=${decimal(4)}`,
    fill: ({ host, comms, idleComms, filled: values, strings }, rows, at) => {
      const prev = rows[at + B]!;
      const next = rows[at + C]!;
      const idle = idleComms[rows[at + ROW.cpu]!]!;
      strings[0] = comms[prev] ?? idle;
      values[0] = host.tasks[prev]?.pid ?? 0;
      values[1] = PRIO;
      values[2] = rows[at + D] === 0 ? 1 : 0;
      strings[1] = comms[next] ?? idle;
      values[3] = host.tasks[next]?.pid ?? 0;
      values[4] = PRIO;
    },
  };
  const sched_wakeup: LinuxEvent = {
    system: 'sched',
    name: 'sched_wakeup',
    fields: ['char comm', 'pid_t pid', 'int prio', 'int target_cpu'],
    print: '"comm=%s pid=%d prio=%d target_cpu=%03d", REC->comm, REC->pid, REC->prio, REC->target_cpu',
    text: phrase`comm=${string(0)} pid=${decimal(0)} prio=${decimal(1)} target_cpu=${padded(2, 3)}`,
    fill: ({ host, comms, filled: values, strings }, rows, at) => {
      const task = rows[at + B]!;
      strings[0] = comms[task]!;
      values[0] = host.tasks[task]!.pid;
      values[1] = PRIO;
      values[2] = rows[at + C]!;
    },
  };
  return [
    { of: 'thread_switch', events: [sched_switch], which: ofHost },
    { of: 'thread_wakeup', events: [sched_wakeup], which: ofHost },
  ];
}
