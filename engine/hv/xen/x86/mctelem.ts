/**
 * Records of machine checks on their way to dom0 (xen/arch/x86/cpu/mcheck/mctelem.c): an entry is reserved when an error is
 * read, committed for dom0 or dismissed, and free again when dom0 has acknowledged it. When there is none, an error goes
 * unrecorded.
 */
import type { Telemetry } from '../../../abi/mca.ts';
import type { Part, Plain } from '../../../core/state.ts';

/** MC_URGENT_NENT, MC_NONURGENT_NENT: what is urgent may have any, the rest those behind the first. */
const URGENT_ENTRIES = 10;
const ENTRIES = URGENT_ENTRIES + 20;

type State = 'free' | 'reserved' | 'committed';

export class Mctelem implements Part {
  readonly id = 'mctelem';
  private readonly states: State[] = Array.from({ length: ENTRIES }, () => 'free');
  private readonly classes: Telemetry[] = Array.from({ length: ENTRIES }, () => 'urgent');
  /** those committed, the oldest first */
  private order: number[] = [];

  /** mctelem_reserve: the entry; -1: all are in use. */
  reserve(which: Telemetry): number {
    const entry = this.states.indexOf('free', which === 'urgent' ? 0 : URGENT_ENTRIES);
    if (entry < 0) return -1;
    this.states[entry] = 'reserved';
    this.classes[entry] = which;
    return entry;
  }

  /** mctelem_commit: dom0 is to fetch it. */
  commit(entry: number): void {
    this.states[entry] = 'committed';
    this.order.push(entry);
  }

  /** mctelem_dismiss */
  dismiss(entry: number): void {
    this.states[entry] = 'free';
  }

  /** mctelem_consume_oldest_begin and mctelem_ack; false: none is committed. */
  fetch(which: Telemetry): boolean {
    const at = this.order.findIndex((entry) => this.classes[entry] === which);
    if (at < 0) return false;
    this.states[this.order[at]!] = 'free';
    this.order.splice(at, 1);
    return true;
  }

  /** Entries that dom0 has still to fetch. */
  committed(which: Telemetry): number {
    return this.order.filter((entry) => this.classes[entry] === which).length;
  }

  save(): Plain {
    return { states: [...this.states], classes: [...this.classes], order: [...this.order] };
  }

  restore(state: Plain): void {
    const s = state as unknown as { states: State[]; classes: Telemetry[]; order: number[] };
    this.states.splice(0, Infinity, ...s.states);
    this.classes.splice(0, Infinity, ...s.classes);
    this.order = [...s.order];
  }
}
