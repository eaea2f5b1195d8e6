/**
 * The interrupt hook: an experimenter's switch in Xen, no part of any release. While it is on, each vector that comes
 * to Xen is recorded with the virtual CPU that it finds, first thing behind the gate: before irq_enter, with interrupts
 * off. It writes one record and nothing else; what that adds to the time with interrupts off is summed for each CPU.
 */
import { DOMID_IDLE } from '../../../abi/xen.ts';
import type { Ns } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { timing } from '../../../timing.ts';
import type { Pcpu } from '../../pcpu.ts';

/**
 * Where a vector is seen: vmx_vmexit_handler's exceptions; do_IRQ; on 4.17 do_IRQ when it finds a function of the local
 * APIC's; on 3.4 the gates of those, which vmx_do_extint calls too.
 */
export const HOOK_POINTS = ['exception exit', 'do_IRQ', 'direct_apic_vector', 'smp'] as const;

export type HookPoint = (typeof HOOK_POINTS)[number];

/** One vector, as it has come. */
export interface HookRecord {
  readonly time: Ns;
  readonly cpu: number;
  /** the virtual CPU that it found; DOMID_IDLE and the CPU's number: none */
  readonly domain: number;
  readonly vcpu: number;
  readonly point: HookPoint;
  readonly vector: number;
  /** the raise that it stands for; 0: none */
  readonly journey: number;
}

/** records that are kept to be looked at */
const KEPT = 64;

/** Of one CPU, since the machine was made. */
export interface HookView {
  readonly records: number;
  /** time with interrupts off that the hook has added */
  readonly added: Ns;
}

export class InterruptHook implements Part {
  readonly id = 'xen.hook';
  on = false;
  /** told of each record as it is written; who listens is no part of the machine */
  heard: ((record: HookRecord) => void) | undefined;
  private readonly kept: HookRecord[] = [];
  private readonly records: number[];
  private readonly added: Ns[];
  private readonly tp: Tracepoint;

  constructor(
    private readonly trace: Trace,
    cpus: number,
  ) {
    this.records = Array.from({ length: cpus }, () => 0);
    this.added = Array.from({ length: cpus }, () => 0);
    this.tp = trace.point('hook', 'point', 'vector', 'dom', 'vcpu');
  }

  /** A vector has come to this CPU. @param journey the raise that it stands for; 0: none */
  record(cpu: Pcpu, point: HookPoint, vector: number, journey = 0): void {
    if (!this.on) return;
    const { current } = cpu;
    const [domain, vcpu] = current ? [current.domain, current.vcpu] : [DOMID_IDLE, cpu.cpu];
    const at = HOOK_POINTS.indexOf(point);
    const record = { time: cpu.time, cpu: cpu.cpu, domain, vcpu, point, vector, journey };
    this.trace.emit(this.tp, cpu.time, journey, cpu.cpu, at, vector, domain, vcpu);
    cpu.charge(timing.hookRecord);
    this.records[cpu.cpu]!++;
    this.added[cpu.cpu]! += timing.hookRecord;
    this.kept.push(record);
    if (this.kept.length > KEPT) this.kept.shift();
    this.heard?.(record);
  }

  /** The records written last, oldest first. */
  get last(): readonly HookRecord[] {
    return this.kept;
  }

  inspect(cpu: number): HookView {
    return { records: this.records[cpu]!, added: this.added[cpu]! };
  }

  save(): Plain {
    return {
      on: this.on,
      records: [...this.records],
      added: [...this.added],
      kept: this.kept.map((record) => ({ ...record })),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { on: boolean; records: number[]; added: number[]; kept: HookRecord[] };
    this.on = s.on;
    this.kept.splice(0, Infinity, ...s.kept);
    for (const cpu of this.records.keys()) {
      this.records[cpu] = s.records[cpu]!;
      this.added[cpu] = s.added[cpu]!;
    }
  }
}
