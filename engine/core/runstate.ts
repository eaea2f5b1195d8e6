/**
 * For how long somebody who is scheduled has been in each of his states (struct vcpu_runstate_info of Xen). Of a thread
 * `runnable` is what Linux calls its run_delay, and of a virtual CPU what its guest calls steal.
 */
import type { Ns } from './clock.ts';
import type { Plain } from './state.ts';

/** RUNSTATE_* */
export type RunstateName = 'running' | 'runnable' | 'blocked' | 'offline';

export type RunstateTimes = Readonly<Record<RunstateName, Ns>>;

export class Runstate {
  /** when the present state began (state_entry_time) */
  since: Ns = 0;
  /** times that it was woken */
  wakeUps = 0;
  private before: RunstateName;
  private spent: Record<RunstateName, Ns> = { running: 0, runnable: 0, blocked: 0, offline: 0 };

  constructor(public state: RunstateName) {
    this.before = state;
  }

  /** vcpu_runstate_change. One who decides may be ahead of another who did: nothing takes less than no time. */
  change(state: RunstateName, now: Ns): void {
    if (state === this.state) return;
    const at = now > this.since ? now : this.since;
    if (this.state === 'blocked') this.wakeUps++;
    this.spend(at - this.since);
    this.before = this.state;
    this.state = state;
    this.since = at;
  }

  /** In the present state. By name: a key that is looked up costs several times as much. */
  private spend(ns: Ns): void {
    const { spent } = this;
    switch (this.state) {
      case 'running':
        spent.running += ns;
        return;
      case 'runnable':
        spent.runnable += ns;
        return;
      case 'blocked':
        spent.blocked += ns;
        return;
      default:
        spent.offline += ns;
    }
  }

  /** Up to now; they add up to it. What was decided ahead of the clock is not there yet. */
  times(now: Ns): RunstateTimes {
    const out = { ...this.spent };
    const passed = now - this.since;
    if (passed >= 0) out[this.state] += passed;
    else out[this.before] = Math.max(0, out[this.before] + passed);
    return out;
  }

  save(): Plain {
    return [this.state, this.before, this.since, this.wakeUps, { ...this.spent }];
  }

  restore(saved: Plain): void {
    const [state, before, since, wakeUps, spent] = saved as [
      RunstateName,
      RunstateName,
      Ns,
      number,
      RunstateTimes,
    ];
    this.state = state;
    this.before = before;
    this.since = since;
    this.wakeUps = wakeUps;
    this.spent = { ...spent };
  }
}
