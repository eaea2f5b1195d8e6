/** NAPI: network interfaces that are polled from the NET_RX softirq while they have work (net/core/dev.c). */
import type { Ns } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { LinuxCpu } from './entry.ts';
import type { Work } from './irq-core.ts';

export const NET_RX_SOFTIRQ = 3;
/** packets of one poll (NAPI_POLL_WEIGHT) */
const WEIGHT = 64;

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

export class NapiList implements Part {
  readonly id: string;
  private readonly all: Napi[] = [];
  /** per CPU: indices to poll, in order */
  private lists: number[][];

  constructor(kernel: string, cpus: number) {
    this.id = `${kernel}.napi`;
    this.lists = Array.from({ length: cpus }, () => []);
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

  /** net_rx_action. */
  readonly softirq: Work = {
    cost: (cpu) => {
      const list = this.lists[cpu.cpu]!;
      return list.reduce((ns, i) => {
        const { device } = this.all[i]!;
        return ns + device.cost(Math.min(WEIGHT, device.waiting()));
      }, 0);
    },
    run: (cpu) => {
      const list = this.lists[cpu.cpu]!;
      this.lists[cpu.cpu] = [];
      for (const i of list) {
        const napi = this.all[i]!;
        const done = napi.device.poll(cpu, WEIGHT);
        if (done < WEIGHT) {
          napi.scheduled = false;
          if (napi.device.complete(cpu)) this.schedule(cpu, napi);
        } else {
          this.lists[cpu.cpu]!.push(i);
          cpu.raiseSoftirq(NET_RX_SOFTIRQ);
        }
      }
    },
  };

  save(): Plain {
    return { lists: this.lists, scheduled: this.all.map((n) => n.scheduled) };
  }

  restore(state: Plain): void {
    const s = state as { lists: number[][]; scheduled: boolean[] };
    this.lists = s.lists.map((l) => [...l]);
    s.scheduled.forEach((on, i) => {
      this.all[i]!.scheduled = on;
    });
  }
}
