/** What goes on by itself in a machine, and how often: rates that can be changed while it runs. */
import type { Part, Plain } from '../core/state.ts';

export interface SourceInit {
  /** unique in its scenario, e.g. `packets1` */
  readonly name: string;
  /** e.g. `packets for dom1` */
  readonly what: string;
  /** in a second, or percent of a CPU; Infinity: without a pause */
  readonly rate: number;
  readonly unit: 'a second' | 'percent';
  /** it has another rate from now on */
  readonly changed?: (before: number) => void;
}

export interface Source extends Omit<SourceInit, 'changed'> {
  readonly rate: number;
}

/** One workload, as data. */
export interface SourceSnapshot {
  readonly name: string;
  readonly what: string;
  readonly unit: Source['unit'];
  /** null: as fast as it can */
  readonly rate: number | null;
  /** as the scenario says */
  readonly first: number | null;
}

/** A rate at which nothing is ever late. */
const MOST = 10_000_000;
const ALL = 100;

class Workload implements Source {
  readonly name: string;
  readonly what: string;
  readonly unit: Source['unit'];
  rate: number;

  constructor(readonly init: SourceInit) {
    this.name = init.name;
    this.what = init.what;
    this.unit = init.unit;
    this.rate = init.rate;
  }
}

export class Sources implements Part {
  readonly id = 'sources';
  private readonly all: Workload[] = [];

  /** Who runs it reads its rate each time. */
  add(init: SourceInit): Source {
    const source = new Workload(init);
    this.all.push(source);
    return source;
  }

  has(name: string): boolean {
    return this.all.some((s) => s.name === name);
  }

  /** The answer is why it cannot be; undefined: it is so now. */
  set(name: string, to: { readonly perSecond?: number; readonly factor?: number }): string | undefined {
    const source = this.all.find((s) => s.name === name)!;
    const { unit, init, rate: before } = source;
    const wanted = to.perSecond ?? before * (to.factor ?? Number.NaN);
    const most = unit === 'percent' ? ALL : MOST;
    if (to.perSecond === undefined && before === Infinity)
      return `${name} makes no pause: say how many a second`;
    if (!(wanted >= 0 && wanted <= most)) return `${name}: 0 to ${most} ${unit}, not ${wanted}`;
    source.rate = wanted;
    if (wanted !== before) init.changed?.(before);
    return undefined;
  }

  inspect(): SourceSnapshot[] {
    return this.all.map(({ name, what, unit, rate, init }) => ({
      name,
      what,
      unit,
      rate: finite(rate),
      first: finite(init.rate),
    }));
  }

  save(): Plain {
    return this.all.map(({ rate }) => finite(rate));
  }

  restore(state: Plain): void {
    (state as (number | null)[]).forEach((rate, i) => {
      this.all[i]!.rate = rate ?? Infinity;
    });
  }
}

function finite(rate: number): number | null {
  return rate === Infinity ? null : rate;
}
