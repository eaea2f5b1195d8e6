/**
 * The event channels of one domain: its ports and their allocation, who is told when one becomes pending.
 *
 * After struct evtchn and the event channel members of struct domain and struct vcpu (xen/sched.h), and the
 * per-domain helpers of xen/common/event_channel.c. Locks are not modelled: a call is one instant.
 */

import {
  EBUSY,
  ECS_FREE,
  ECS_RESERVED,
  EINVAL,
  ENOSPC,
  type GuestMemory,
  NR_VIRQS,
  type SharedInfo,
  type VcpuInfo,
} from '../../abi/xen.ts';
import type { Plain } from '../../core/state.ts';
import { Evtchn2l } from './evtchn-2l.ts';
import { EvtchnFifo, type SavedFifo } from './evtchn-fifo.ts';
import type { EvtchnRules } from './evtchn-profile.ts';
import type { EvtchnDomainInit, EvtchnOutput } from './evtchn-types.ts';

/** struct evtchn. The members of its union are kept apart; those that a state lacks are 0. */
export class Evtchn {
  /** ECS_* */
  state = ECS_FREE;
  notifyVcpu = 0;
  /** 1: Xen itself consumes the port */
  xenConsumer = 0;
  /** domain that an unbound port waits for, or of the other end */
  remoteDom = 0;
  remotePort = 0;
  virq = 0;
  pirq = 0;
  /** neighbours in the list of the notify vCPU's pirq ports */
  prevPort = 0;
  nextPort = 0;
  /** FIFO: the priority that counts from the next linking on */
  priority = 0;
  /** FIFO: the queue it was linked to last */
  lastVcpu = 0;
  lastPriority = 0;
  /** FIFO: raised before its event word existed. Xen never clears it */
  latched = false;

  constructor(readonly port: number) {}
}

/** evtchn_usable: may a guest use the port? */
export function evtchnUsable(chn: Evtchn): boolean {
  return chn.xenConsumer === 0 && chn.state > ECS_RESERVED;
}

/** What event channels need of a vCPU. */
export class EvtchnVcpu {
  /** port by VIRQ; 0 none. Those of global VIRQs are in vCPU 0's */
  readonly virqToEvtchn = new Int32Array(NR_VIRQS);
  /** first of the pirq ports that notify this vCPU; 0 none */
  pirqEvtchnHead = 0;
  /** it waits in SCHEDOP_poll */
  blocked = false;
  /** its bit of the domain's poll_mask */
  polling = false;
  /** the one port it polls, -1 for none or several, 0 when it does not poll */
  pollEvtchn = 0;

  constructor(
    readonly id: number,
    readonly info: VcpuInfo,
  ) {}
}

/** struct evtchn_port_ops: what an ABI does with a port. */
export interface EvtchnPortOps {
  readonly abi: '2-level' | 'fifo';
  /** ports the ABI can have */
  readonly maxEvtchns: number;
  readonly hasPriorities: boolean;
  /** the port was bound */
  init(chn: Evtchn): void;
  setPending(v: EvtchnVcpu, chn: Evtchn): void;
  /** true if it was pending */
  clearPending(chn: Evtchn): boolean;
  unmask(chn: Evtchn): void;
  isPending(chn: Evtchn): boolean;
  isMasked(chn: Evtchn): boolean;
  /** closed, but the guest has yet to let go of it */
  isBusy(chn: Evtchn): boolean;
  /** 0 or a negative errno */
  setPriority(chn: Evtchn, priority: number): number;
  /** the s column of the dump */
  printState(chn: Evtchn): string;
}

export class EvtchnDomain {
  readonly id: number;
  readonly privileged: boolean;
  readonly shared: SharedInfo;
  readonly memory: GuestMemory;
  readonly vcpus: readonly EvtchnVcpu[];
  /** the ports that exist, by number (valid_evtchns) */
  readonly ports: Evtchn[] = [];
  /** ports in use, Xen's own too, without port 0 */
  activeEvtchns = 0;
  /** ports consumed by Xen */
  xenEvtchns = 0;
  /** where an interrupted reset goes on; 0: none is under way */
  nextEvtchn = 0;
  isDying = false;
  readonly pirqToEvtchn: Int32Array;
  portOps: EvtchnPortOps;
  /** queues and event array after the switch to FIFO */
  fifo: EvtchnFifo | undefined;
  private readonly twoLevel: Evtchn2l;
  /** vCPUs that poll */
  private pollers = 0;

  constructor(
    readonly init: EvtchnDomainInit,
    readonly output: EvtchnOutput,
    readonly rules: EvtchnRules,
  ) {
    this.id = init.id;
    this.privileged = init.privileged;
    this.shared = init.shared;
    this.memory = init.memory;
    this.vcpus = Array.from({ length: init.vcpus }, (_, i) => new EvtchnVcpu(i, init.shared.vcpus[i]!));
    this.pirqToEvtchn = new Int32Array(init.nrPirqs);
    this.twoLevel = new Evtchn2l(this);
    this.portOps = this.twoLevel;
    this.addBucket();
    this.ports[0]!.state = ECS_RESERVED;
  }

  // Ports come and go.

  private addBucket(): void {
    for (let i = 0; i < this.rules.portsPerBucket; i++) this.ports.push(new Evtchn(this.ports.length));
  }

  /** evtchn_allocate_port: takes a port, with all buckets up to it; 0 or a negative errno. */
  allocatePort(port: number): number {
    if ((this.rules.portLimit && port > this.init.maxPort) || port >= this.portOps.maxEvtchns) return -ENOSPC;
    const chn = this.ports[port];
    if (chn) {
      if (chn.state !== ECS_FREE || (this.rules.busyPorts && this.portOps.isBusy(chn))) return -EBUSY;
    } else {
      while (port >= this.ports.length) this.addBucket();
    }
    this.activeEvtchns++;
    return 0;
  }

  /** get_free_port: the lowest; or a negative errno. */
  getFreePort(): number {
    if (this.isDying) return -EINVAL;
    for (let port = 1; ; port++) {
      const r = this.allocatePort(port);
      if (r === 0) return port;
      if (r !== -EBUSY) return r;
    }
  }

  /** evtchn_get_port: the one asked for, or the lowest free one. */
  getPort(at = 0): number {
    if (at === 0) return this.getFreePort();
    const r = this.allocatePort(at);
    return r === 0 ? at : r;
  }

  /** check_free_port: what was allocated and then not used goes back. */
  giveBack(port: number): void {
    if (this.ports[port]!.state === ECS_FREE) this.activeEvtchns--;
  }

  /** evtchn_free */
  free(chn: Evtchn): void {
    if (this.usable(chn) && this.portOps.clearPending(chn))
      this.output.discarded(this.id, chn.port, 'closed');
    if (chn.xenConsumer !== 0) this.xenEvtchns--;
    this.activeEvtchns--;
    chn.state = ECS_FREE;
    chn.notifyVcpu = 0;
    chn.xenConsumer = 0;
    this.setPeer(chn, 0, 0);
    chn.virq = 0;
    chn.pirq = 0;
  }

  setPeer(chn: Evtchn, remoteDom: number, remotePort: number): void {
    chn.remoteDom = remoteDom;
    chn.remotePort = remotePort;
  }

  // A port becomes pending.

  usable(chn: Evtchn): boolean {
    return !this.rules.usableOnly || evtchnUsable(chn);
  }

  /** evtchn_port_set_pending */
  setPending(vcpu: number, chn: Evtchn): void {
    if (this.usable(chn)) this.portOps.setPending(this.vcpus[vcpu]!, chn);
    else this.output.pended(this.id, chn.port, 'dropped');
  }

  isPending(chn: Evtchn): boolean {
    return this.usable(chn) && this.portOps.isPending(chn);
  }

  /** Raised, and kept until there is an event word to mark it in? */
  isKept(chn: Evtchn): boolean {
    return chn.state !== ECS_FREE && chn.latched && this.fifo !== undefined && !this.fifo.eventPage(chn.port);
  }

  /** Ports that are closed while their event words are still in a queue. */
  closedBusy(): number[] {
    const { fifo } = this;
    if (!fifo) return [];
    return this.ports.filter((chn) => chn.state === ECS_FREE && fifo.isBusy(chn)).map((chn) => chn.port);
  }

  isMasked(chn: Evtchn): boolean {
    return !this.usable(chn) || this.portOps.isMasked(chn);
  }

  /** vcpu_mark_events_pending, and the vcpu_unblock that its kick brings. */
  markEventsPending(v: EvtchnVcpu): void {
    if (v.info.upcallPending !== 0) return;
    v.info.upcallPending = 1;
    this.output.kick(this.id, v.id);
    this.unblock(v);
  }

  /** evtchn_check_pollers: wakes who polls this port, or none in particular. */
  checkPollers(port: number): void {
    if (this.pollers === 0) return;
    for (const v of this.vcpus) {
      if (v.polling && (v.pollEvtchn <= 0 || v.pollEvtchn === port)) this.unblock(v);
    }
  }

  /** SCHEDOP_poll blocks the vCPU. @param port the only one it polls, or -1 */
  startPoll(v: EvtchnVcpu, port: number): void {
    v.blocked = true;
    v.polling = true;
    v.pollEvtchn = port;
    this.countPollers();
  }

  /** The vCPU does not poll, and is not blocked by it. */
  endPoll(v: EvtchnVcpu): void {
    v.blocked = false;
    v.polling = false;
    v.pollEvtchn = 0;
    this.countPollers();
  }

  /** vcpu_unblock */
  unblock(v: EvtchnVcpu): void {
    if (!v.blocked) return;
    this.endPoll(v);
    this.output.wake(this.id, v.id);
  }

  private countPollers(): void {
    this.pollers = this.vcpus.reduce((n, v) => n + (v.polling ? 1 : 0), 0);
  }

  // Which ABI.

  switchToFifo(fifo: EvtchnFifo): void {
    this.fifo = fifo;
    this.portOps = fifo;
  }

  /** evtchn_fifo_destroy and evtchn_2l_init: queues and array are forgotten, the guest's pages stay. */
  switchTo2l(): void {
    this.fifo = undefined;
    this.portOps = this.twoLevel;
  }

  save(): Plain {
    return {
      ports: this.ports.length,
      used: this.ports.filter(hasState).map((c) => CHANNEL_FIELDS.map((f) => Number(c[f]))),
      active: this.activeEvtchns,
      xen: this.xenEvtchns,
      next: this.nextEvtchn,
      dying: this.isDying,
      pirqs: Array.from(this.pirqToEvtchn),
      vcpus: this.vcpus.map((v) => [
        Array.from(v.virqToEvtchn),
        v.pirqEvtchnHead,
        v.blocked,
        v.polling,
        v.pollEvtchn,
      ]),
      fifo: this.fifo ? this.fifo.save() : null,
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as SavedDomain;
    this.ports.length = 0;
    while (this.ports.length < s.ports) this.addBucket();
    for (const fields of s.used) {
      const { latched, ...rest } = Object.fromEntries(CHANNEL_FIELDS.map((f, i) => [f, fields[i]!]));
      Object.assign(this.ports[fields[0]!]!, rest, { latched: latched === 1 });
    }
    this.activeEvtchns = s.active;
    this.xenEvtchns = s.xen;
    this.nextEvtchn = s.next;
    this.isDying = s.dying;
    this.pirqToEvtchn.set(s.pirqs);
    this.vcpus.forEach((v, i) => {
      const [virqs, head, blocked, polling, pollEvtchn] = s.vcpus[i]!;
      v.virqToEvtchn.set(virqs);
      Object.assign(v, { pirqEvtchnHead: head, blocked, polling, pollEvtchn });
    });
    this.countPollers();
    this.switchTo2l();
    if (s.fifo) {
      const fifo = new EvtchnFifo(this);
      fifo.restore(s.fifo);
      this.switchToFifo(fifo);
    }
  }
}

const CHANNEL_FIELDS = [
  'port',
  'state',
  'notifyVcpu',
  'xenConsumer',
  'remoteDom',
  'remotePort',
  'virq',
  'pirq',
  'prevPort',
  'nextPort',
  'priority',
  'lastVcpu',
  'lastPriority',
  'latched',
] as const;

interface SavedDomain {
  readonly ports: number;
  readonly used: readonly (readonly number[])[];
  readonly active: number;
  readonly xen: number;
  readonly next: number;
  readonly dying: boolean;
  readonly pirqs: readonly number[];
  readonly vcpus: readonly (readonly [number[], number, boolean, boolean, number])[];
  readonly fifo: SavedFifo | null;
}

/** Does the port differ from one that was never used? */
function hasState(chn: Evtchn): boolean {
  return CHANNEL_FIELDS.some((f) => f !== 'port' && Number(chn[f]) !== 0);
}
