/** Counts exits and injections of a machine that a recorded trace drives, second by second, as the recording has them. */
import type { Ns } from '../../core/clock.ts';
import { ROW, ROW_WIDTH, type TakeRows } from '../../core/trace.ts';
import { Tally } from '../../import/capture.ts';
import { type ExitClass, vmxClass } from '../../import/exits.ts';
import type { TraceHost } from '../../snapshot.ts';
import type { TraceFollower } from './exporter.ts';

/** Tracepoints whose first argument is a virtual CPU, and whose second is a reason or a vector. */
const EXITS: ReadonlySet<string> = new Set(['kvm_exit', 'vmexit']);
const INJECTIONS: ReadonlySet<string> = new Set(['kvm_inj_virq', 'vmx_inject_extint']);

/** Of one domain. */
export class GuestTally {
  readonly exits = new Tally<ExitClass>();
  /** by number of the virtual CPU and vector */
  readonly injections = new Tally<string>();
}

export function vectorKey(vcpu: number, vector: number): string {
  return `${vcpu}:${vector}`;
}

export class ReplayTally implements TraceFollower {
  /** by domain */
  readonly guests: readonly GuestTally[];
  readonly records: TakeRows;

  /** What is before `begin` does not count, nor what is from `end` on. */
  constructor(host: TraceHost, begin: Ns, end: Ns) {
    this.guests = host.domains.map(() => new GuestTally());
    const kinds = host.points.map(({ name }) =>
      EXITS.has(name) ? 'exit' : INJECTIONS.has(name) ? 'inject' : '',
    );
    const count = (rows: Float64Array, at: number) => {
      const kind = kinds[rows[at + ROW.point]!];
      const time = rows[at + ROW.time]!;
      if (!kind || time < begin || time >= end) return;
      const { domain, vcpu } = host.vcpus[rows[at + ROW.args]!]!;
      const guest = this.guests[domain]!;
      const number = rows[at + ROW.args + 1]!;
      if (kind === 'exit') guest.exits.add(vmxClass(number), time - begin);
      else guest.injections.add(vectorKey(vcpu, number), time - begin);
    };
    this.records = (rows, from, until) => {
      for (let at = from; at < until; at += ROW_WIDTH) count(rows, at);
    };
  }

  release(): void {}
  flush(): void {}
  end(): void {}
}
