/**
 * Tracepoints of a KVM host's kernel as Linux 6.1 has them (arch/x86/kvm/trace.h, include/trace/events/kvm.h, irq.h, sched.h,
 * arch/x86/include/asm/trace/irq_vectors.h), from records of ours. What the simulator does not know, as RIP, is 0.
 */
import { ISA_VMX } from '../../abi/trace-dat.ts';
import { ROW } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { accessEvents } from './kvm-access-events.ts';
import { lineEvents, messageEvents } from './kvm-irq-events.ts';
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
  symbols,
} from './linux-point.ts';
import { decimal, hex, named, oneOf, padded, phrase, string } from './phrase.ts';

const PRIO = 120;

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
    ...messageEvents(),
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
    fill: ({ pids, comms, idleComms, filled: values, strings }, rows, at) => {
      const prev = rows[at + B]!;
      const next = rows[at + C]!;
      const idle = idleComms[rows[at + ROW.cpu]!]!;
      strings[0] = comms[prev] ?? idle;
      values[0] = pids[prev] ?? 0;
      values[1] = PRIO;
      values[2] = rows[at + D] === 0 ? 1 : 0;
      strings[1] = comms[next] ?? idle;
      values[3] = pids[next] ?? 0;
      values[4] = PRIO;
    },
  };
  const sched_wakeup: LinuxEvent = {
    system: 'sched',
    name: 'sched_wakeup',
    fields: ['char comm', 'pid_t pid', 'int prio', 'int target_cpu'],
    print: '"comm=%s pid=%d prio=%d target_cpu=%03d", REC->comm, REC->pid, REC->prio, REC->target_cpu',
    text: phrase`comm=${string(0)} pid=${decimal(0)} prio=${decimal(1)} target_cpu=${padded(2, 3)}`,
    fill: ({ pids, comms, filled: values, strings }, rows, at) => {
      const task = rows[at + B]!;
      strings[0] = comms[task]!;
      values[0] = pids[task]!;
      values[1] = PRIO;
      values[2] = rows[at + C]!;
    },
  };
  return [
    { of: 'thread_switch', events: [sched_switch], which: ofHost },
    { of: 'thread_wakeup', events: [sched_wakeup], which: ofHost },
  ];
}
