/**
 * The binary trace of Xen on x86 as xentrace writes it (xen/include/public/trace.h of 4.17): records of 32-bit words, each
 * CPU's in windows that a record about the change of CPU begins.
 */
import {
  CYCLES_FLAG,
  DOMID_IDLE,
  EXTRA_SHIFT,
  HYPERVISOR_EVTCHN_OP,
  RUNSTATE_NEW_SHIFT,
  RUNSTATE_OLD_SHIFT,
  TRC,
} from '../../abi/xen-trace.ts';
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
        if (reason === REASON_HLT) cpu.put(TRC.HVM_HLT, 0);
        else if (reason === REASON_EXCEPTION_NMI && ((info >>> 8) & 7) === TYPE_NMI) cpu.put(TRC.HVM_NMI);
      },
      vmentry: (cpu) => cpu.put(TRC.HVM_VMENTRY),
      vmx_do_extint: (cpu, rows, at) => cpu.put(TRC.HVM_INTR, rows[at + A + 1]!),
      vmx_inject_extint: (cpu, rows, at) => cpu.put(TRC.HVM_INJ_VIRQ, rows[at + A + 1]!, 0),
      vmx_propagate_intr: (cpu, rows, at) => cpu.put(TRC.HVM_INJ_EXC, rows[at + A + 1]!, 0),
      hvm_inject_hw_exception: (cpu, rows, at) => cpu.put(TRC.HVM_INJ_EXC, rows[at + A + 1]!, 0),
      evtchn_send: (cpu) => {
        const hvm = vcpus[cpu.current]?.hvm ?? false;
        cpu.put(hvm ? TRC.HVM_VMMCALL : TRC.PV_HYPERCALL_V2, HYPERVISOR_EVTCHN_OP);
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

  put(event: number, ...words: readonly number[]): void {
    const { records } = this;
    const at = records.room(12 + 4 * words.length, false);
    records.setU32(at, event + CYCLES_FLAG + words.length * 2 ** EXTRA_SHIFT);
    records.setU64(at + 4, cycles(this.now));
    for (let i = 0; i < words.length; i++) records.setU32(at + 12 + 4 * i, words[i]!);
  }
}
