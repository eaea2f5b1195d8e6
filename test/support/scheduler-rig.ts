/** A scheduler without a hypervisor: CPUs and virtual CPUs as bare as it needs them, and time by hand. */
import type { Ns } from '../../engine/core/clock.ts';
import type { Pcpu } from '../../engine/hv/pcpu.ts';
import { DEFAULT_WEIGHT, type Scheduler, type SchedulerHost } from '../../engine/hv/scheduler.ts';
import type { Vcpu } from '../../engine/hv/vcpu.ts';

export interface RigVcpu {
  readonly domain: number;
  /** CPUs it may run on */
  readonly on: readonly number[];
}

export class SchedulerRig<S extends Scheduler> implements SchedulerHost {
  now: Ns = 0;
  readonly cpus: readonly Pcpu[];
  readonly vcpus: readonly Vcpu[];
  readonly scheduler: S;
  /** CPUs that were told to look, in order */
  tickled: number[] = [];
  /** per CPU: length of the turn decided last; undefined: idle */
  readonly turns: (Ns | undefined)[] = [];
  /** virtual CPUs that were moved, in order */
  readonly moves: number[] = [];
  readonly weights = new Map<number, number>();

  constructor(cpus: number, vcpus: readonly RigVcpu[], make: (host: SchedulerHost) => S) {
    this.cpus = Array.from({ length: cpus }, (_, cpu) => this.cpu(cpu));
    this.vcpus = vcpus.map(({ domain, on }, index) => {
      const v = {
        index,
        domain,
        name: `v${index}`,
        state: 'blocked',
        blocked: true,
        paused: 0,
        since: 0,
        cpu: this.cpus[on[0]!]!,
        mayRunOn: (cpu: Pcpu) => on.includes(cpu.cpu),
      };
      return v as unknown as Vcpu;
    });
    this.scheduler = make(this);
  }

  private cpu(cpu: number): Pcpu {
    const it = {
      cpu,
      current: null as Vcpu | null,
      switchTo: (next: Vcpu | null) => {
        const prev = it.current;
        if (prev) Object.assign(prev, { state: prev.blocked ? 'blocked' : 'runnable' });
        it.current = next;
        if (!next) return;
        Object.assign(next, { state: 'running', since: this.now });
        next.cpu = it as unknown as Pcpu;
      },
    };
    return it as unknown as Pcpu;
  }

  weightOf(domain: number): number {
    return this.weights.get(domain) ?? DEFAULT_WEIGHT;
  }

  tickle(cpu: Pcpu): void {
    this.tickled.push(cpu.cpu);
  }

  setSlice(cpu: Pcpu, until: Ns | undefined): void {
    this.turns[cpu.cpu] = until === undefined ? undefined : until - this.now;
  }

  moved(v: Vcpu): void {
    this.moves.push(v.index);
  }

  // what a test says

  wake(...indices: number[]): void {
    for (const index of indices) {
      const v = this.vcpus[index]!;
      v.blocked = false;
      Object.assign(v, { state: 'runnable' });
      this.scheduler.wake(v);
    }
  }

  block(index: number): void {
    this.vcpus[index]!.blocked = true;
  }

  /** The CPU looks; the answer is who runs there now, -1 for the idle loop. */
  look(cpu: number): number {
    this.scheduler.schedule(this.cpus[cpu]!);
    return this.running(cpu);
  }

  running(cpu: number): number {
    return this.cpus[cpu]!.current?.index ?? -1;
  }

  /** Credits and the like are set as they are restored. */
  patch(changes: { readonly [key: string]: unknown }): void {
    const state = this.scheduler.save() as { [key: string]: never };
    this.scheduler.restore({ ...state, ...(changes as { [key: string]: never }) });
  }
}
