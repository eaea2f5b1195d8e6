/** Runs a machine to a moment, with what is done to it on the way, without keeping signals and readers waiting. */
import { setImmediate } from 'node:timers/promises';
import type { Command, Machine, Place } from '../engine/index.ts';
import type { Recorded, Scribe } from '../tui/journal.ts';
import { RunError, UsageError } from './usage.ts';
import type { Fire } from './values.ts';

/** Milliseconds of real time after which the world outside gets its turn. */
const SLICE_MS = 40;

interface Planned {
  readonly at: number;
  /** how many events have run by then; undefined: all that are due */
  readonly events?: number;
  readonly command: Command;
}

export interface PlayerOptions {
  /** a run that is repeated */
  readonly recorded?: Recorded | undefined;
  /** writes down what is done */
  readonly scribe?: Scribe | undefined;
}

export class Player {
  /** still to do, earliest first; those of one moment in the order of the command line */
  private readonly plan: Planned[];
  /** simulated nanoseconds that take about a slice; does not change what happens, only how often we look up */
  private slice = 1e6;

  constructor(
    readonly machine: Machine,
    fires: readonly Fire[] = [],
    private readonly options: PlayerOptions = {},
  ) {
    const fired = fires.map(({ at, device, times }) => ({ at, command: fire(device, times) }));
    this.plan = [...(options.recorded?.commands ?? []), ...fired.sort((a, b) => a.at - b.at)];
  }

  /** @throws UsageError if a device is to be fired after the end of the run */
  checkEnd(end: number): void {
    const late = this.plan.find((p) => p.at > end);
    if (late?.command.do !== 'fire') return;
    throw new UsageError(`--fire ${late.command.device}@${late.at / 1e9}: the run ends at ${end / 1e9} s`);
  }

  /** Runs every event due up to `until`; what is fired at a moment comes after its events. */
  async advance(until: number): Promise<void> {
    for (let next = this.plan[0]; next && next.at <= until; next = this.plan[0]) {
      const { at, events, command } = next;
      if (events === undefined) await this.run(at);
      else await this.reach({ events, at });
      this.perform(command);
      this.plan.shift();
    }
    await this.run(until);
  }

  /** To where the recorded run ended. */
  async finish({ events, at }: Place): Promise<void> {
    for (let next = this.plan[0]; next; next = this.plan[0]) {
      await this.reach({ events: next.events ?? 0, at: next.at });
      this.perform(next.command);
      this.plan.shift();
    }
    await this.reach({ events, at });
  }

  private perform(command: Command): void {
    const { machine, options } = this;
    const { place } = machine;
    if (machine.do(command).refused === undefined) options.scribe?.did({ ...place, command });
    else if (options.recorded) throw new RunError(ASTRAY);
  }

  /** Exactly there, though other events may be due at the same time. */
  private async reach({ events, at }: Place): Promise<void> {
    const { machine } = this;
    const { clock } = machine;
    if (at - 1 > clock.now) await this.run(at - 1);
    while (clock.events < events && clock.next <= at) machine.step();
    if (clock.events === events && clock.now < at) machine.runUntil(at);
    if (clock.events !== events || clock.now !== at) throw new RunError(ASTRAY);
  }

  private async run(until: number): Promise<void> {
    const { machine } = this;
    for (;;) {
      const target = Math.min(until, machine.clock.now + Math.max(1, Math.round(this.slice)));
      const start = performance.now();
      machine.runUntil(target);
      const took = performance.now() - start;
      this.slice *= took < SLICE_MS / 4 ? 2 : took > SLICE_MS ? 0.5 : 1;
      if (target === until) return;
      await setImmediate();
    }
  }
}

const ASTRAY = '--replay: the run takes another course than the one that was recorded';

function fire(device: string, times: number): Command {
  return { do: 'fire', device, times };
}
