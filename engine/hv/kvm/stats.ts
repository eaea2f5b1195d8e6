/**
 * KVM's counters as debugfs names them (kvm_vcpu_stats_desc and kvm_vm_stats_desc of arch/x86/kvm/x86.c;
 * debugfs_entries of 2.6.36). One row of numbers for each virtual CPU; those of the machine as a whole are not
 * counted apart, they are sums here.
 */
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';

const MODERN = [
  'blocking',
  'directed_yield_attempted',
  'directed_yield_successful',
  'exits',
  'fpu_reload',
  'guest_mode',
  'halt_attempted_poll',
  'halt_exits',
  'halt_poll_fail_ns',
  'halt_poll_invalid',
  'halt_poll_success_ns',
  'halt_successful_poll',
  'halt_wait_ns',
  'halt_wakeup',
  'host_state_reload',
  'hypercalls',
  'insn_emulation',
  'insn_emulation_fail',
  'invlpg',
  'io_exits',
  'irq_exits',
  'irq_injections',
  'irq_window_exits',
  'l1d_flush',
  'mmio_exits',
  'nested_run',
  'nmi_injections',
  'nmi_window_exits',
  'notify_window_exits',
  'pf_emulate',
  'pf_fast',
  'pf_fixed',
  'pf_guest',
  'pf_mmio_spte_created',
  'pf_spurious',
  'pf_taken',
  'preemption_other',
  'preemption_reported',
  'req_event',
  'request_irq_exits',
  'signal_exits',
  'tlb_flush',
] as const;

export type StatName = (typeof MODERN)[number];

/** of 2.6.36, in its order */
const OLD: readonly StatName[] = [
  'pf_fixed',
  'pf_guest',
  'tlb_flush',
  'invlpg',
  'exits',
  'io_exits',
  'mmio_exits',
  'signal_exits',
  'irq_window_exits',
  'nmi_window_exits',
  'halt_exits',
  'halt_wakeup',
  'hypercalls',
  'request_irq_exits',
  'irq_exits',
  'host_state_reload',
  'fpu_reload',
  'insn_emulation',
  'insn_emulation_fail',
  'irq_injections',
  'nmi_injections',
];

/** of those, what debugfs calls otherwise */
const OLD_NAMES: Readonly<Partial<Record<StatName, string>>> = {
  irq_window_exits: 'irq_window',
  nmi_window_exits: 'nmi_window',
  request_irq_exits: 'request_irq',
};

/** Places in a row. */
export const Stat = Object.fromEntries(MODERN.map((name, i) => [name, i])) as {
  readonly [K in StatName]: number;
};

export class KvmStats implements Part {
  readonly id = 'kvm.stats';
  private readonly rows: Float64Array[];
  private readonly files: readonly (readonly [stat: StatName, name: string])[];

  constructor(version: '2.6.36' | '6.1', vcpus: number) {
    this.files =
      version === '6.1'
        ? MODERN.map((stat) => [stat, stat])
        : OLD.map((stat) => [stat, OLD_NAMES[stat] ?? stat]);
    this.rows = Array.from({ length: vcpus }, () => new Float64Array(MODERN.length));
  }

  count(vcpu: number, stat: number, by = 1): void {
    this.rows[vcpu]![stat]! += by;
  }

  set(vcpu: number, stat: number, value: number): void {
    this.rows[vcpu]![stat] = value;
  }

  /** The counters of some virtual CPUs together, by name. */
  sums(vcpus: readonly number[]): (readonly [name: string, value: number])[] {
    return this.files.map(([stat, name]) => [
      name,
      vcpus.reduce((n, v) => n + this.rows[v]![Stat[stat]]!, 0),
    ]);
  }

  save(): Plain {
    return this.rows.map(saveArray);
  }

  restore(state: Plain): void {
    (state as number[][]).forEach((row, i) => {
      restoreArray(this.rows[i]!, row);
    });
  }
}
