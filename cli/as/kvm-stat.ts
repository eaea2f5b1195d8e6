/**
 * kvm_stat of Linux 6.1 (tools/kvm/kvm_stat/kvm_stat), with debugfs alone and all that has been counted before it was
 * started: `kvm_stat -d -i -1`, and its log, `kvm_stat -d -i -l`.
 */
import { kvmCounters, type Snapshot } from '../../engine/index.ts';
import { isoTime } from './format.ts';

/** What it leaves out. */
const EXEMPT = new Set(['halt_poll_fail_ns', 'halt_poll_success_ns', 'halt_wait_ns']);

/** lines of the log between two heads */
const BANNER_EVERY = 20;

interface Counter {
  readonly name: string;
  readonly value: number;
  /** since the last look */
  readonly delta: number;
}

class Counters {
  private before = new Map<string, number>();

  /** @param machine undefined: all of them */
  constructor(private readonly machine: string | undefined) {}

  /** By name; Stats.get. */
  get({ domains }: Snapshot): Counter[] {
    const sums = new Map<string, number>();
    for (const domain of domains) {
      if (this.machine !== undefined && this.machine !== domain.name) continue;
      for (const [name, value] of kvmCounters(domain)) {
        if (!EXEMPT.has(name)) sums.set(name, (sums.get(name) ?? 0) + value);
      }
    }
    const { before } = this;
    this.before = sums;
    return [...sums.keys()].sort().map((name) => {
      const value = sums.get(name)!;
      return { name, value, delta: value - (before.get(name) ?? 0) };
    });
  }
}

export class KvmStat {
  private readonly counters: Counters;
  private first = true;

  constructor(machine: string | undefined) {
    this.counters = new Counters(machine);
  }

  look(now: Snapshot): string {
    const counters = this.counters.get(now);
    const { first } = this;
    this.first = false;
    if (first) return '';
    return counters
      .map(({ name, value, delta }) => `${name.padEnd(42)}${number(value)}${number(delta)}\n`)
      .join('');
  }
}

export class KvmStatLog {
  private readonly counters: Counters;
  private lines = -1;

  constructor(machine: string | undefined) {
    this.counters = new Counters(machine);
  }

  look(now: Snapshot): string {
    const counters = this.counters.get(now);
    const line = this.lines++;
    if (line < 0) return '';
    const banner = line % BANNER_EVERY === 0 ? `${counters.map(({ name }) => `${name} `).join('')}\n` : '';
    return `${banner}${isoTime(now.time)}${counters.map(({ delta }) => ` ${String(delta).padStart(9)}`).join('')}\n`;
  }
}

function number(value: number): string {
  return String(value).padStart(10);
}
