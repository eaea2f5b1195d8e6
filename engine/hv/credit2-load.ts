/**
 * Load averages of credit2: of the run queue, the virtual CPUs that run or wait; of each virtual CPU, the share of the
 * time in which it does (update_runq_load and update_svc_load, xen/common/sched/credit2.c of 4.17).
 *
 * Each is an average over the last second (2^30 ns), moved at every change by the part of it that has gone by since
 * the one before. Fixed point: 2^18 is one virtual CPU all the time.
 */
import type { Ns } from '../core/clock.ts';
import type { Plain } from '../core/state.ts';

/** LOADAVG_GRANULARITY_SHIFT: a step of its time is 2^10 ns */
const GRANULARITY = 2 ** 10;
/** load_window_shift: steps in the window */
const WINDOW = 2 ** 20;
/** load_precision_shift: load 1 */
const ONE = 2 ** 18;

export class Credit2Load {
  /** virtual CPUs that run or wait */
  private load = 0;
  private average = 0;
  private last = 0;
  /** per virtual CPU; half a load at first */
  private readonly averages: number[];
  private readonly lasts: number[];

  constructor(vcpus: number) {
    this.averages = Array.from({ length: vcpus }, () => ONE / 2);
    this.lasts = Array.from({ length: vcpus }, () => 0);
  }

  /**
   * update_load: what has been until now is averaged in, then the load changes.
   * @param index the virtual CPU that begins (1) or ceases (-1) to want a CPU, or runs on (0); -1: none
   */
  update(now: Ns, index: number, change: -1 | 0 | 1): void {
    const step = Math.floor(now / GRANULARITY);
    this.average = averaged(this.average, this.load, step - this.last);
    this.load += change;
    this.last = step;
    if (index < 0) return;
    const before = change === 1 ? 0 : 1;
    this.averages[index] = averaged(this.averages[index]!, before, step - this.lasts[index]!);
    this.lasts[index] = step;
  }

  /** instload */
  get now(): number {
    return this.load;
  }

  /** aveload */
  get ofQueue(): number {
    return this.average;
  }

  of(index: number): number {
    return this.averages[index]!;
  }

  save(): Plain {
    return [this.load, this.average, this.last, [...this.averages], [...this.lasts]];
  }

  restore(state: Plain): void {
    const [load, average, last, averages, lasts] = state as [number, number, number, number[], number[]];
    this.load = load;
    this.average = average;
    this.last = last;
    averages.forEach((_, i) => {
      this.averages[i] = averages[i]!;
      this.lasts[i] = lasts[i]!;
    });
  }
}

/** As a percentage of one virtual CPU. */
export function loadPercent(average: number): number {
  return Math.floor((average * 100) / ONE);
}

/** The load was `load` for so many steps. */
function averaged(average: number, load: number, steps: number): number {
  if (steps > WINDOW) return load * ONE;
  return average + Math.floor((steps * load * ONE) / WINDOW) - Math.floor((steps * average) / WINDOW);
}
