/**
 * The binary trace of Xen on x86 as xentrace writes it (xen/include/public/trace.h of 4.17): records of 32-bit words, each
 * CPU's in windows that a record about the change of CPU begins.
 */
import { HYPERVISOR_SCHED_OP, HYPERVISOR_VCPU_OP } from '../../abi/hypercall-numbers.ts';
import {
  CYCLES_FLAG,
  DOMID_IDLE,
  EXTRA_SHIFT,
  hypercallArg,
  RUNSTATE_NEW_SHIFT,
  RUNSTATE_OLD_SHIFT,
  TRC,
} from '../../abi/xen-trace.ts';
import { upperHalf } from '../../core/bits.ts';
import type { Ns } from '../../core/clock.ts';
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { Bytes } from './bytes.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

/** the TSC of the simulated host runs at 2.1 GHz */
const MHZ_BY_1000 = 2.1;
const REASON_EXCEPTION_NMI = 0;
const REASON_HLT = 12;
const TYPE_NMI = 2;
/** of accesses that are emulated: to memory, 1, and reads, 2 */
const IO_EVENTS = [TRC.HVM_IOPORT_WRITE, TRC.HVM_IOMEM_WRITE, TRC.HVM_IOPORT_READ, TRC.HVM_IOMEM_READ];

type Put = (cpu: CpuWindow, rows: Float64Array, at: number) => void;

export class XentraceWriter implements TraceWriter {
  private readonly cpus: CpuWindow[];
  private readonly puts: (Put | undefined)[];
  private readonly out = new Bytes();

  constructor(
    private readonly host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const { running, points } = host;
    this.cpus = Array.from({ length: host.cpus }, (_, cpu) => new CpuWindow(cpu, running[cpu] ?? -1));
    const puts = this.table();
    this.puts = points.map(({ name }) => puts[name]);
  }

  readonly record: TakeRow = (rows, at) => {
    const cpu = this.cpus[rows[at + ROW.cpu]!];
    if (!cpu) return; // what no CPU does Xen sees nothing of
    const put = this.puts[rows[at + ROW.point]!];
    if (!put) return;
    cpu.now = rows[at]!;
    if (!cpu.told) this.tell(cpu);
    put(cpu, rows, at);
  };

  /** Who has the CPU when the trace begins. */
  private tell(cpu: CpuWindow): void {
    cpu.told = true;
    cpu.put(TRC.SCHED_CONTINUE_RUNNING, this.who(cpu, cpu.current));
  }

  /** Number and domain in one word; -1 is the idle domain's virtual CPU there. */
  private who(cpu: CpuWindow, vcpu: number): number {
    if (vcpu < 0) return ((DOMID_IDLE << 16) | cpu.cpu) >>> 0;
    const { domain, vcpu: number } = this.host.vcpus[vcpu]!;
    return ((domain << 16) | number) >>> 0;
  }

  /** By tracepoint. */
  private table(): Record<string, Put> {
    const { vcpus } = this.host;
    const A = ROW.args;
    const domainOf = (vcpu: number) => (vcpu < 0 ? DOMID_IDLE : vcpus[vcpu]!.domain);
    const numberOf = (vcpu: number, cpu: CpuWindow) => (vcpu < 0 ? cpu.cpu : vcpus[vcpu]!.vcpu);
    return {
      runstate_change: (cpu, rows, at) => {
        const [vcpu, old, state] = [rows[at + A]!, rows[at + A + 1]!, rows[at + A + 2]!];
        cpu.put(
          TRC.SCHED_RUNSTATE_CHANGE | (old << RUNSTATE_OLD_SHIFT) | (state << RUNSTATE_NEW_SHIFT),
          this.who(cpu, vcpu),
        );
      },
      sched_switch: (cpu, rows, at) => {
        const [prev, next] = [rows[at + A]!, rows[at + A + 1]!];
        cpu.put(TRC.SCHED_SWITCH, domainOf(prev), numberOf(prev, cpu), domainOf(next), numberOf(next, cpu));
        cpu.current = next;
      },
      vcpu_wake: (cpu, rows, at) => cpu.put(TRC.SCHED_WAKE, rows[at + A]!, rows[at + A + 1]!),
      vmexit: (cpu, rows, at) => {
        const [reason, info] = [rows[at + A + 1]!, rows[at + A + 2]!];
        cpu.put(TRC.HVM_VMEXIT64, reason, 0, 0);
        if (reason === REASON_HLT) cpu.handler(TRC.HVM_HLT, 0);
        else if (reason === REASON_EXCEPTION_NMI && ((info >>> 8) & 7) === TYPE_NMI) cpu.handler(TRC.HVM_NMI);
      },
      vmentry: (cpu) => cpu.put(TRC.HVM_VMENTRY),
      vmx_do_extint: (cpu, rows, at) => cpu.handler(TRC.HVM_INTR, rows[at + A + 1]!),
      vmx_inject_extint: (cpu, rows, at) => cpu.handler(TRC.HVM_INJ_VIRQ, rows[at + A + 1]!, 0),
      vmx_propagate_intr: (cpu, rows, at) => cpu.handler(TRC.HVM_INJ_EXC, rows[at + A + 1]!, 0),
      hvm_inject_hw_exception: (cpu, rows, at) => cpu.handler(TRC.HVM_INJ_EXC, rows[at + A + 1]!, 0),
      vmx_enable_intr_window: (cpu, rows, at) =>
        cpu.handler(TRC.HVM_INTR_WINDOW, rows[at + A + 1]!, rows[at + A + 3]!, rows[at + A + 2]!),
      hvmtrace_io_assist: (cpu, rows, at) =>
        cpu.handler(IO_EVENTS[rows[at + A + 1]!]!, rows[at + A + 2]!, rows[at + A + 3]!),
      hvm_msr_intercept: (cpu, rows, at) => {
        const [write, msr, value] = [rows[at + A + 1]!, rows[at + A + 2]!, rows[at + A + 3]!];
        cpu.handler(write ? TRC.HVM_MSR_WRITE : TRC.HVM_MSR_READ, msr, value, upperHalf(value));
      },
      vmx_handle_eoi_write: (cpu) => cpu.handler(TRC.HVM_VLAPIC),
      ept_handle_violation: (cpu, rows, at) => {
        const [address, qualification, type] = [rows[at + A + 1]!, rows[at + A + 2]!, rows[at + A + 3]!];
        // no frame is there
        cpu.handler(TRC.HVM_NPF, address, upperHalf(address), -1, -1, qualification, type);
      },
      hypercall: (cpu, rows, at) => {
        const [vcpu, op, command] = [rows[at + A]!, rows[at + A + 1]!, rows[at + A + 2]!];
        if (vcpus[vcpu]!.hvm) cpu.handler(TRC.HVM_VMMCALL, op);
        else if (op === HYPERVISOR_SCHED_OP) cpu.put(TRC.PV_HYPERCALL_V2, op | hypercallArg(0), command);
        else if (op === HYPERVISOR_VCPU_OP) {
          const which = op | hypercallArg(0) | hypercallArg(1);
          cpu.put(TRC.PV_HYPERCALL_V2, which, command, vcpus[vcpu]!.vcpu);
        } else cpu.put(TRC.PV_HYPERCALL_V2, op);
      },
      irq_handled: (cpu, rows, at) => {
        const [irq, began, over] = [rows[at + A]!, rows[at + A + 1]!, rows[at + A + 2]!];
        cpu.put(TRC.HW_IRQ_HANDLED, irq, cycles(began), cycles(over));
      },
      irq_unmapped_vector: (cpu, rows, at) => cpu.put(TRC.HW_IRQ_UNMAPPED_VECTOR, rows[at + A]!),
    };
  }

  flush(): void {
    const { out } = this;
    for (const { cpu, records } of this.cpus) {
      if (records.length === 0) continue;
      out.u32(TRC.TRACE_CPU_CHANGE | (2 << EXTRA_SHIFT));
      out.u32(cpu);
      out.u32(records.length);
      out.append(records.written());
      records.drop();
    }
    if (out.length === 0) return;
    this.files.append(out.written());
    out.drop();
  }

  end(): void {
    this.flush();
  }
}

function cycles(time: Ns): number {
  return Math.floor(time * MHZ_BY_1000);
}

/** What one CPU has recorded since the last window. */
class CpuWindow {
  readonly records = new Bytes();
  now: Ns = 0;
  told = false;

  constructor(
    readonly cpu: number,
    /** the virtual CPU that has it; -1: it idles */
    public current: number,
  ) {}

  /** What happens between an exit and the entry behind it has no time of its own. */
  handler(event: number, ...words: readonly number[]): void {
    const { records } = this;
    const at = records.room(4 + 4 * words.length, false);
    records.setU32(at, event + words.length * 2 ** EXTRA_SHIFT);
    for (let i = 0; i < words.length; i++) records.setU32(at + 4 + 4 * i, words[i]!);
  }

  put(event: number, ...words: readonly number[]): void {
    const { records } = this;
    const at = records.room(12 + 4 * words.length, false);
    records.setU32(at, event + CYCLES_FLAG + words.length * 2 ** EXTRA_SHIFT);
    records.setU64(at + 4, cycles(this.now));
    for (let i = 0; i < words.length; i++) records.setU32(at + 12 + 4 * i, words[i]!);
  }
}
