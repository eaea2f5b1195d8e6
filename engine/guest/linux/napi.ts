/**
 * NAPI: network interfaces that are polled from the NET_RX softirq while they have work (net/core/dev.c). One
 * softirq polls them in turn, up to 300 packets in all and for two ticks at most; what is left then waits for
 * the softirq's next round.
 */
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { LinuxCpu } from './entry.ts';
import type { Work } from './irq-core.ts';

export const NET_RX_SOFTIRQ = 3;
/** packets of one poll (NAPI_POLL_WEIGHT) */
const WEIGHT = 64;
/** packets of one softirq (netdev_budget), and ticks (netdev_budget_usecs) */
const BUDGET = 300;
const BUDGET_JIFFIES = 2;

export interface NapiDevice {
  /** time to handle `n` packets */
  cost(n: number): Ns;
  /** packets waiting */
  waiting(): number;
  /** Handles up to `budget` packets; the answer is how many. */
  poll(cpu: LinuxCpu, budget: number): number;
  /** napi_complete: interrupts again from now on; true if work has come meanwhile */
  complete(cpu: LinuxCpu): boolean;
}

export class Napi {
  scheduled = false;

  constructor(
    readonly index: number,
    readonly device: NapiDevice,
  ) {}
}

/** net_rx_action on one CPU. */
interface Action {
  /** to be polled, in order; the first one is being polled */
  list: number[];
  /** those that had a full poll, for the next softirq */
  repoll: number[];
  budget: number;
  /** jiffies */
  deadline: number;
  /** packets of the poll under way: those that waited when it began */
  planned: number;
}

export class NapiList implements Part {
  readonly id: string;
  private readonly all: Napi[] = [];
  /** per CPU: indices to poll, in order */
  private lists: number[][];
  /** per CPU: the softirq that is running */
  private actions: (Action | null)[];

  constructor(kernel: string, cpus: number) {
    this.id = `${kernel}.napi`;
    this.lists = Array.from({ length: cpus }, () => []);
    this.actions = this.lists.map(() => null);
  }

  add(device: NapiDevice): Napi {
    const napi = new Napi(this.all.length, device);
    this.all.push(napi);
    return napi;
  }

  /** napi_schedule; false if it was scheduled already. */
  schedule(cpu: LinuxCpu, napi: Napi): boolean {
    if (napi.scheduled) return false;
    napi.scheduled = true;
    this.lists[cpu.cpu]!.push(napi.index);
    cpu.raiseSoftirq(NET_RX_SOFTIRQ);
    return true;
  }

  /** net_rx_action: one poll after the other, each with its time; `goesOn` while there are more. */
  readonly softirq: Work = {
    cost: (cpu) => this.startPoll(cpu),
    run: (cpu) => this.endPoll(cpu),
  };

  /** Another poll follows within the same softirq. */
  goesOn(cpu: LinuxCpu): boolean {
    return this.actions[cpu.cpu] !== null;
  }

  private startPoll(cpu: LinuxCpu): Ns {
    const action = this.actions[cpu.cpu] ?? this.begin(cpu);
    const [first] = action.list;
    if (first === undefined) return 0;
    const { device } = this.all[first]!;
    action.planned = Math.min(WEIGHT, device.waiting());
    return device.cost(action.planned);
  }

  private begin(cpu: LinuxCpu): Action {
    const action: Action = {
      list: this.lists[cpu.cpu]!,
      repoll: [],
      budget: BUDGET,
      deadline: jiffies(cpu) + BUDGET_JIFFIES,
      planned: 0,
    };
    this.lists[cpu.cpu] = [];
    this.actions[cpu.cpu] = action;
    return action;
  }

  private endPoll(cpu: LinuxCpu): void {
    const action = this.actions[cpu.cpu]!;
    const index = action.list.shift();
    if (index !== undefined) action.budget -= this.poll(cpu, index, action);
    const squeezed = action.budget <= 0 || jiffies(cpu) >= action.deadline;
    if (action.list.length > 0 && !squeezed) return;
    this.actions[cpu.cpu] = null;
    const rest = [...action.list, ...this.lists[cpu.cpu]!, ...action.repoll];
    this.lists[cpu.cpu] = rest;
    if (rest.length > 0) cpu.raiseSoftirq(NET_RX_SOFTIRQ);
  }

  private poll(cpu: LinuxCpu, index: number, action: Action): number {
    const napi = this.all[index]!;
    const done = napi.device.poll(cpu, action.planned);
    if (done >= WEIGHT) action.repoll.push(index);
    else {
      napi.scheduled = false;
      if (napi.device.complete(cpu)) this.schedule(cpu, napi);
    }
    return done;
  }

  save(): Plain {
    return {
      lists: this.lists,
      actions: this.actions.map((a) => (a ? { ...a } : null)),
      scheduled: this.all.map((n) => n.scheduled),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as { lists: number[][]; actions: (Action | null)[]; scheduled: boolean[] };
    this.lists = s.lists.map((l) => [...l]);
    this.actions = s.actions.map((a) => (a ? { ...a, list: [...a.list], repoll: [...a.repoll] } : null));
    s.scheduled.forEach((on, i) => {
      this.all[i]!.scheduled = on;
    });
  }
}

function jiffies(cpu: LinuxCpu): number {
  return cpu.kernel.time.jiffies(cpu.now);
}
