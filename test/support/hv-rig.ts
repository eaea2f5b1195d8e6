/** A Xen host whose guests do what a test tells them: compute, sleep, take upcalls. */
import { GuestMemory, SharedInfo } from '../../engine/abi/xen.ts';
import type { Ns } from '../../engine/core/clock.ts';
import type { Pcpu } from '../../engine/hv/pcpu.ts';
import type { XenProfile } from '../../engine/hv/xen/softirq.ts';
import type { IrqOptions } from '../../engine/hv/xen/x86/do-irq.ts';
import { PvHypercalls } from '../../engine/hv/xen/x86/pv.ts';
import type { PvVcpu } from '../../engine/hv/xen/x86/pv-vcpu.ts';
import { Xen } from '../../engine/hv/xen/x86/xen.ts';
import type { GuestEntry } from '../../engine/hw/x86/cpu.ts';
import { Workshop } from '../../engine/machine/machine.ts';

export interface RigDomain {
  /** physical CPUs that each of its virtual CPUs may run on */
  readonly vcpus: readonly (readonly number[])[];
  readonly weight?: number;
}

export interface RigOptions {
  readonly profile?: XenProfile;
  readonly cpus?: number;
  readonly domains?: readonly RigDomain[];
  readonly irqOptions?: Partial<IrqOptions>;
  /** pins of the IOAPICs */
  readonly gsis?: number;
  readonly clocksource?: 'pit' | undefined;
}

/** Time of an upcall's handler. */
export const UPCALL: Ns = 1_000;

/** The kernel of one virtual CPU. */
export class RigGuest implements GuestEntry {
  /** what it does when it has nothing else: goes on with `run`, `block` or `poll` of its virtual CPU */
  next: () => void = () => this.v.block();
  /** what it does within an upcall, at its end */
  handler: () => void = () => {};
  /** what happened, with the time: `upcall`, `handler`, `done` */
  readonly log: { what: string; at: Ns; cpu: number }[] = [];
  private interrupted: Ns | undefined;

  constructor(
    readonly v: PvVcpu,
    private readonly shared: SharedInfo,
    readonly calls: PvHypercalls,
  ) {}

  private note(what: string): void {
    this.log.push({ what, at: this.v.now, cpu: this.v.processor });
  }

  upcall(remaining: Ns): void {
    this.note('upcall');
    this.interrupted = remaining;
    this.v.run(UPCALL);
  }

  machineCheck(remaining: Ns, upcalls: boolean): void {
    this.note('machine check');
    this.v.machineCheckReturn();
    if (upcalls) this.shared.vcpus[this.v.vcpu]!.upcallMask = 0;
    this.v.run(remaining);
  }

  nmi(remaining: Ns): void {
    this.note('nmi');
    this.v.nmiReturn();
    this.v.run(remaining);
  }

  done(): void {
    const { interrupted } = this;
    if (interrupted === undefined) {
      this.note('done');
      this.next();
      return;
    }
    this.interrupted = undefined;
    this.note('handler');
    const info = this.shared.vcpus[this.v.vcpu]!;
    info.upcallPending = 0;
    info.pendingSel.words.fill(0);
    this.shared.evtchnPending.words.fill(0);
    this.handler();
    info.upcallMask = 0;
    this.v.run(interrupted);
  }

  /** Computes in stretches of this length, for ever. */
  compute(stretch: Ns): void {
    this.next = () => this.v.run(stretch);
  }

  times(what: string): Ns[] {
    return this.log.filter((l) => l.what === what).map((l) => l.at);
  }
}

export class HvRig {
  readonly shop = new Workshop(1);
  readonly xen: Xen;
  readonly shared: readonly SharedInfo[];
  private readonly guests: RigGuest[][] = [];

  constructor({
    profile = '4.17',
    cpus = 2,
    domains = [{ vcpus: [[0, 1]] }],
    irqOptions = {},
    gsis = 24,
    clocksource,
  }: RigOptions = {}) {
    const { shop } = this;
    this.xen = new Xen(shop, {
      profile,
      cpus,
      domains: domains.map((d, id) => ({ ...d, id })),
      gsis,
      irqs: gsis + 40,
      irqOptions,
      clocksource,
    });
    this.shared = domains.map((d, id) => shop.parts.add(new SharedInfo(id, d.vcpus.length)));
    for (const id of domains.keys()) this.addDomain(id);
  }

  private addDomain(id: number): void {
    const { xen } = this;
    const vcpus = xen.vcpus.filter((v) => v.domain === id) as PvVcpu[];
    const shared = this.shared[id]!;
    const memory = this.shop.parts.add(new GuestMemory(id));
    const privileged = id === 0;
    const domain = xen.addDomain(
      { id, vcpus, shared, memory, privileged, nrPirqs: this.xen.irqs.gsis + 40, maxPort: 1023 },
      { pirqToIrq: (pirq) => Math.max(0, xen.irqOf(id, pirq)) },
    );
    const hardware = { msix: (device: number) => device === MSIX, level: (gsi: number) => gsi >= 16 };
    this.guests.push(
      vcpus.map((v) => {
        const guest = new RigGuest(v, shared, new PvHypercalls(xen, domain, v, hardware));
        v.entry = guest;
        return guest;
      }),
    );
  }

  get clock() {
    return this.shop.clock;
  }

  get cpus(): readonly Pcpu[] {
    return this.xen.cpus;
  }

  get lapics(): Xen['lapics'] {
    return this.xen.lapics;
  }

  guest(domain = 0, vcpu = 0): RigGuest {
    return this.guests[domain]![vcpu]!;
  }

  start(): this {
    this.xen.start();
    return this;
  }

  run(ns: Ns): void {
    this.clock.runUntil(this.clock.now + ns);
  }

  /** Something happens at a time, between two events or among those of that time. */
  at(when: Ns, what: () => void): void {
    this.clock.runUntil(when);
    what();
  }

  /** Vectors that each CPU's Xen has handled so far, as `0xfc`. */
  countInterrupts(): Map<string, number> {
    const counts = new Map<string, number>();
    const { xen } = this;
    const original = xen.interrupt.bind(xen);
    xen.interrupt = (cpu, vector) => {
      const key = `${cpu.cpu}:${vector.toString(16)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      original(cpu, vector);
    };
    return counts;
  }

  /** On-CPU time of a virtual CPU up to now. */
  ran(domain: number, vcpu = 0): Ns {
    const { v } = this.guest(domain, vcpu);
    return v.runstate.times(this.clock.now).running;
  }

  /** A pirq of domain 0 bound to an event channel; the answer is the physical interrupt. */
  bindPirq(device: number, gsi = -1, vcpu = 0): number {
    const { calls } = this.guest();
    const pirq = calls.mapPirq(device, gsi);
    const port = calls.bindPirq(pirq);
    this.shared[0]!.evtchnMask.clear(port);
    if (vcpu !== 0) calls.bindVcpu(port, vcpu);
    return this.xen.irqOf(0, pirq);
  }

  /** A line bound by a domain that shares it or not; the answer is the port, or a negative errno. */
  bindLine(domain: number, gsi: number, willShare: boolean): number {
    const { calls } = this.guest(domain);
    const port = calls.bindPirq(calls.mapPirq(-1, gsi), willShare);
    if (port >= 0) this.shared[domain]!.evtchnMask.clear(port);
    return port;
  }

  source(name: string): number {
    return this.shop.books.sourceOf(name);
  }
}

/** A device whose messages are MSI-X, and can be masked; those of any other cannot. */
export const MSIX = 1;
export const MSI = 2;

/** A domain with a virtual CPU that may run on these. */
export const on = (...cpus: number[]): RigDomain => ({ vcpus: [cpus] });

export type ShareOf = [domains: readonly RigDomain[], computing: number, cpus?: number, work?: Ns];

/** The first domains compute for ever, the others sleep until woken and then take a turn of `work`. */
export function sharedRig(
  profile: XenProfile,
  ...[domains, computing, cpus = 2, work = 20_000]: ShareOf
): HvRig {
  const rig = new HvRig({ profile, cpus, domains });
  domains.forEach((_, id) => {
    const guest = rig.guest(id);
    if (id < computing) {
      guest.compute(100_000);
      return;
    }
    let awake = true;
    guest.next = () => {
      awake = !awake;
      if (awake) guest.v.run(work);
      else guest.v.block();
    };
  });
  return rig.start();
}

/** When the domain runs again after it is woken now. */
export function wakeToRun(rig: HvRig, domain: number): number {
  const from = rig.clock.now;
  const { v } = rig.guest(domain);
  rig.xen.wake(domain, 0);
  while (v.state !== 'running') rig.clock.step();
  return rig.clock.now - from;
}
