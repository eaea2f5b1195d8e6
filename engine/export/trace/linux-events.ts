/**
 * Tracepoints of a KVM host's kernel as Linux 6.1 has them (arch/x86/kvm/trace.h, include/trace/events/kvm.h, irq.h, sched.h,
 * arch/x86/include/asm/trace/irq_vectors.h), from records of ours. What the simulator does not know, as RIP, is 0.
 */
import { DELIVERY_MODES, ISA_VMX } from '../../abi/trace-dat.ts';
import { ROW } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import type { EventSpec } from './schema.ts';

/** What the event of a record is filled with. */
export interface Filling {
  readonly host: TraceHost;
  readonly values: Float64Array;
  readonly strings: string[];
  /** drivers of an interrupt */
  action(domain: number, irq: number): string;
  /** whose context it is written in */
  pid: number;
}

export interface LinuxEvent extends EventSpec {
  /** the record's tracepoint */
  readonly of: string;
  /** only some records of that are such events */
  readonly when?: (of: Filling, rows: Float64Array, at: number) => boolean;
  readonly fill: (to: Filling, rows: Float64Array, at: number) => void;
}

const A = ROW.args;
const B = A + 1;
const C = A + 2;
const D = A + 3;

const PRIO = 120;
const IDLE_COMM = 'swapper/';

function hex(n: number, digits = 1): string {
  return n.toString(16).padStart(digits, '0');
}

/** Another event of KVM in the context of a virtual CPU's thread. */
function inVcpu(to: Filling, rows: Float64Array, at: number): number {
  const { task, vcpu } = to.host.vcpus[rows[at + A]!]!;
  to.pid = to.host.tasks[task]!.pid;
  return vcpu;
}

export function symbols(pairs: readonly (readonly [number, string])[]): string {
  return pairs.map(([n, name]) => `{ ${n}, "${name}" }`).join(', ');
}

const DELIVERY = symbols(DELIVERY_MODES.map((name, n) => [n, name] as const));

/** Their fields, and how they are filled. */
export function kvmEvents({ exits }: TraceHost): LinuxEvent[] {
  const exitName = new Map(exits);
  return [
    {
      of: 'kvm_entry',
      system: 'kvm',
      name: 'kvm_entry',
      fields: ['unsigned int vcpu_id', 'unsigned long rip'],
      print: '"vcpu %u, rip 0x%lx", REC->vcpu_id, REC->rip',
      text: (v) => `vcpu ${v[0]}, rip 0x0`,
      fill: (to, rows, at) => {
        to.values[0] = inVcpu(to, rows, at);
        to.values[1] = 0;
      },
    },
    {
      of: 'kvm_exit',
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
      text: (v) =>
        `vcpu ${v[7]} reason ${exitName.get(v[0]!) ?? `0x${hex(v[0]!)}`} rip 0x0 info1 0x${hex(v[3]!, 16)} ` +
        `info2 0x0000000000000000 intr_info 0x${hex(v[5]!, 8)} error_code 0x00000000`,
      fill: (to, rows, at) => {
        const v = to.values;
        v[0] = rows[at + B]!;
        v[1] = 0;
        v[2] = ISA_VMX;
        v[3] = rows[at + D]! >>> 0;
        v[4] = 0;
        v[5] = rows[at + C]! >>> 0;
        v[6] = 0;
        v[7] = inVcpu(to, rows, at);
      },
    },
    {
      of: 'kvm_inj_virq',
      system: 'kvm',
      name: 'kvm_inj_virq',
      fields: ['unsigned int vector', 'bool soft', 'bool reinjected'],
      print:
        '"%s 0x%x%s", REC->soft ? "Soft/INTn" : "IRQ", REC->vector, REC->reinjected ? " [reinjected]" : ""',
      text: (v) => `IRQ 0x${hex(v[0]!)}${v[2] ? ' [reinjected]' : ''}`,
      fill: (to, rows, at) => {
        inVcpu(to, rows, at);
        to.values[0] = rows[at + B]!;
        to.values[1] = 0;
        to.values[2] = rows[at + C]!;
      },
    },
    {
      of: 'kvm_apic_accept_irq',
      system: 'kvm',
      name: 'kvm_apic_accept_irq',
      fields: ['__u32 apicid', '__u16 dm', '__u16 tm', '__u8 vec'],
      print: `"apicid %x vec %u (%s|%s)", REC->apicid, REC->vec, __print_symbolic((REC->dm >> 8 & 0x7), ${DELIVERY}), REC->tm ? "level" : "edge"`,
      text: (v) => `apicid ${hex(v[0]!)} vec ${v[3]} (Fixed|edge)`,
      fill: ({ host, values }, rows, at) => {
        values[0] = host.vcpus[rows[at + A]!]!.vcpu;
        values[1] = 0;
        values[2] = 0;
        values[3] = rows[at + B]!;
      },
    },
    {
      of: 'kvm_eoi',
      system: 'kvm',
      name: 'kvm_eoi',
      fields: ['__u32 apicid', 'int vector'],
      print: '"apicid %x vector %d", REC->apicid, REC->vector',
      text: (v) => `apicid ${hex(v[0]!)} vector ${v[1]}`,
      fill: (to, rows, at) => {
        to.values[0] = inVcpu(to, rows, at);
        to.values[1] = rows[at + B]!;
      },
    },
    ...haltEvents(),
    ...lineEvents(),
    ...irqEvents(),
    ...schedEvents(),
  ];
}

/** The end of a HLT, and the window that is polled. */
function haltEvents(): LinuxEvent[] {
  return [
    {
      of: 'kvm_vcpu_wakeup',
      system: 'kvm',
      name: 'kvm_vcpu_wakeup',
      fields: ['__u64 ns', 'bool waited', 'bool valid'],
      print:
        '"%s time %lld ns, polling %s", REC->waited ? "wait" : "poll", REC->ns, REC->valid ? "valid" : "invalid"',
      text: (v) => `${v[1] ? 'wait' : 'poll'} time ${v[0]} ns, polling ${v[2] ? 'valid' : 'invalid'}`,
      fill: (to, rows, at) => {
        inVcpu(to, rows, at);
        for (let i = 0; i < 3; i++) to.values[i] = rows[at + B + i]!;
      },
    },
    {
      of: 'kvm_halt_poll_ns',
      system: 'kvm',
      name: 'kvm_halt_poll_ns',
      fields: ['bool grow', 'unsigned int vcpu_id', 'unsigned int new', 'unsigned int old'],
      print:
        '"vcpu %u: halt_poll_ns %u (%s %u)", REC->vcpu_id, REC->new, REC->grow ? "grow" : "shrink", REC->old',
      text: (v) => `vcpu ${v[1]}: halt_poll_ns ${v[2]} (${v[0] ? 'grow' : 'shrink'} ${v[3]})`,
      fill: (to, rows, at) => {
        to.values[1] = inVcpu(to, rows, at);
        to.values[0] = rows[at + B]!;
        to.values[2] = rows[at + C]!;
        to.values[3] = rows[at + D]!;
      },
    },
  ];
}

/** Lines and messages of a machine's devices. */
function lineEvents(): LinuxEvent[] {
  return [
    {
      of: 'kvm_set_irq',
      system: 'kvm',
      name: 'kvm_set_irq',
      fields: ['unsigned int gsi', 'int level', 'int irq_source_id'],
      print: '"gsi %u level %d source %d", REC->gsi, REC->level, REC->irq_source_id',
      text: (v) => `gsi ${v[0]} level ${v[1]} source ${v[2]}`,
      fill: ({ values }, rows, at) => {
        for (let i = 0; i < 3; i++) values[i] = rows[at + B + i]!;
      },
    },
    {
      of: 'kvm_ioapic_set_irq',
      system: 'kvm',
      name: 'kvm_ioapic_set_irq',
      fields: ['wide e', 'int pin', 'bool coalesced'],
      print: `"pin %u dst %x vec %u (%s|%s|%s%s)%s", REC->pin, (u8)(REC->e >> 56), (u8)REC->e, __print_symbolic((REC->e >> 8 & 0x7), ${DELIVERY}), (REC->e & (1<<11)) ? "logical" : "physical", (REC->e & (1<<15)) ? "level" : "edge", (REC->e & (1<<16)) ? "|masked" : "", REC->coalesced ? " (coalesced)" : ""`,
      text: ([low = 0, high = 0, pin]) =>
        `pin ${pin} dst ${hex(high >>> 24)} vec ${low & 0xff} (${DELIVERY_MODES[(low >> 8) & 7]}|` +
        `${low & (1 << 11) ? 'logical' : 'physical'}|${low & (1 << 15) ? 'level' : 'edge'}` +
        `${low & (1 << 16) ? '|masked' : ''})`,
      fill: ({ values }, rows, at) => {
        values[0] = rows[at + C]!;
        values[1] = rows[at + D]!;
        values[2] = rows[at + B]!;
        values[3] = 0;
      },
    },
    {
      of: 'kvm_pic_set_irq',
      system: 'kvm',
      name: 'kvm_pic_set_irq',
      fields: ['__u8 chip', '__u8 pin', '__u8 elcr', '__u8 imr', 'bool coalesced'],
      print:
        '"chip %u pin %u (%s%s)%s", REC->chip, REC->pin, (REC->elcr & (1 << REC->pin)) ? "level" : "edge", (REC->imr & (1 << REC->pin)) ? "|masked" : "", REC->coalesced ? " (coalesced)" : ""',
      text: (v) =>
        `chip ${v[0]} pin ${v[1]} (${v[2]! & (1 << v[1]!) ? 'level' : 'edge'}${v[3]! & (1 << v[1]!) ? '|masked' : ''})`,
      fill: ({ values }, rows, at) => {
        const pin = rows[at + B]!;
        values[0] = pin >> 3;
        values[1] = pin & 7;
        values[2] = rows[at + D]! << (pin & 7);
        values[3] = rows[at + C]! << (pin & 7);
        values[4] = 0;
      },
    },
    {
      of: 'kvm_msi_set_irq',
      system: 'kvm',
      name: 'kvm_msi_set_irq',
      fields: ['u64 address', 'u64 data'],
      print: `"dst %llx vec %u (%s|%s|%s%s)", (u8)(REC->address >> 12) | ((REC->address >> 32) & 0xffffff00), (u8)REC->data, __print_symbolic((REC->data >> 8 & 0x7), ${DELIVERY}), (REC->address & (1<<2)) ? "logical" : "physical", (REC->data & (1<<15)) ? "level" : "edge", (REC->address & (1<<3)) ? "|rh" : ""`,
      text: ([address = 0, data = 0]) =>
        `dst ${hex((address >>> 12) & 0xff)} vec ${data & 0xff} (${DELIVERY_MODES[(data >> 8) & 7]}|` +
        `${address & 4 ? 'logical' : 'physical'}|${data & (1 << 15) ? 'level' : 'edge'}${address & 8 ? '|rh' : ''})`,
      fill: ({ values }, rows, at) => {
        values[0] = rows[at + B]! >>> 0;
        values[1] = rows[at + C]! >>> 0;
      },
    },
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

function ofHost(_: Filling, rows: Float64Array, at: number): boolean {
  return rows[at + A] === 0 && rows[at + B]! >= 0;
}

function irqEvents(): LinuxEvent[] {
  const vectors = Object.entries(VECTORS).flatMap(([handler, name]) =>
    (['entry', 'exit'] as const).map(
      (end): LinuxEvent => ({
        of: `irq_handler_${end}`,
        system: 'irq_vectors',
        name: `${name}_${end}`,
        fields: ['int vector'],
        print: '"vector=%d", REC->vector',
        text: (v) => `vector=${v[0]}`,
        when: (of, rows, at) => {
          const irq = rows[at + B]!;
          return rows[at + A] === 0 && irq < 0 && of.action(0, irq) === handler;
        },
        fill: ({ values }, rows, at) => {
          values[0] = -rows[at + B]!;
        },
      }),
    ),
  );
  return [
    {
      of: 'irq_handler_entry',
      system: 'irq',
      name: 'irq_handler_entry',
      fields: ['int irq', 'string name'],
      print: '"irq=%d name=%s", REC->irq, __get_str(name)',
      text: (v, s) => `irq=${v[0]} name=${s[0]}`,
      when: ofHost,
      fill: (to, rows, at) => {
        const irq = rows[at + B]!;
        to.values[0] = irq;
        to.strings[0] = to.action(0, irq);
      },
    },
    {
      of: 'irq_handler_exit',
      system: 'irq',
      name: 'irq_handler_exit',
      fields: ['int irq', 'int ret'],
      print: '"irq=%d ret=%s", REC->irq, REC->ret ? "handled" : "unhandled"',
      text: (v) => `irq=${v[0]} ret=${v[1] ? 'handled' : 'unhandled'}`,
      when: ofHost,
      fill: ({ values }, rows, at) => {
        values[0] = rows[at + B]!;
        values[1] = 1;
      },
    },
    ...vectors,
  ];
}

// the host's scheduler

function schedEvents(): LinuxEvent[] {
  const state =
    'REC->prev_state & 0x3 ? __print_flags(REC->prev_state & 0x3, "|", { 0x1, "S" }, { 0x2, "D" }) : "R"';
  return [
    {
      of: 'thread_switch',
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
      text: (v, s) =>
        `prev_comm=${s[0]} prev_pid=${v[0]} prev_prio=${v[1]} prev_state=${v[2] ? 'S' : 'R'} ==> ` +
        `next_comm=${s[1]} next_pid=${v[3]} next_prio=${v[4]}`,
      when: (_, rows, at) => rows[at + A] === 0,
      fill: ({ host, values, strings }, rows, at) => {
        const prev = host.tasks[rows[at + B]!];
        const next = host.tasks[rows[at + C]!];
        const idle = `${IDLE_COMM}${rows[at + ROW.cpu]}`;
        strings[0] = prev?.comm ?? idle;
        values[0] = prev?.pid ?? 0;
        values[1] = PRIO;
        values[2] = rows[at + D] === 0 ? 1 : 0;
        strings[1] = next?.comm ?? idle;
        values[3] = next?.pid ?? 0;
        values[4] = PRIO;
      },
    },
    {
      of: 'thread_wakeup',
      system: 'sched',
      name: 'sched_wakeup',
      fields: ['char comm', 'pid_t pid', 'int prio', 'int target_cpu'],
      print: '"comm=%s pid=%d prio=%d target_cpu=%03d", REC->comm, REC->pid, REC->prio, REC->target_cpu',
      text: (v, s) => `comm=${s[0]} pid=${v[0]} prio=${v[1]} target_cpu=${String(v[2]).padStart(3, '0')}`,
      when: (_, rows, at) => rows[at + A] === 0,
      fill: ({ host, values, strings }, rows, at) => {
        const { comm, pid } = host.tasks[rows[at + B]!]!;
        strings[0] = comm;
        values[0] = pid;
        values[1] = PRIO;
        values[2] = rows[at + C]!;
      },
    },
  ];
}
