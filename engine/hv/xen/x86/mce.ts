/**
 * Machine checks of the host (xen/arch/x86/cpu/mcheck: mce.c, mce_intel.c, non-fatal.c), on processors that tell all of
 * them: an uncorrected error is a #MC on every CPU. They meet in its handler, where the first to read the bank has the
 * error, and again in the MACHINE_CHECK softirq, where one that has none deals with it: the page is taken away, its owner
 * and dom0 are told. Corrected errors interrupt one CPU by CMCI, or are found by a timer that has all banks polled.
 *
 * All errors are of memory, in banks that the CPUs share: one each of uncorrected errors, of corrected ones with CMCI,
 * whose owner is the first CPU, and of corrected ones without. An uncorrected one comes when the one before has been dealt
 * with: a #MC while another is in progress, which shuts processors down, is not modelled, nor are errors of that effect.
 */
import type { Telemetry } from '../../../abi/mca.ts';
import { VIRQ_MCA } from '../../../abi/xen.ts';
import type { Books, DestinationId, SlotId, SourceId } from '../../../core/books.ts';
import { type Clock, ms, type Ns } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import { timing } from '../../../timing.ts';
import type { Pcpu } from '../../pcpu.ts';
import { softirqNumber, type XenProfile } from '../softirq.ts';
import type { XenTimer, XenTimers } from '../timer.ts';
import { Mctelem } from './mctelem.ts';
import { FREE_PAGE } from './vmce.ts';

/** Kinds of errors, by the bank they are logged in. */
export const MCA_ERRORS = ['uncorrected', 'corrected', 'polled'] as const;
export type McaError = (typeof MCA_ERRORS)[number];

const PERIOD: Ns = ms(8_000);
const PERIOD_MIN: Ns = ms(2_000);
const PERIOD_MAX: Ns = ms(16_000);
/** corrected errors in a bank at which CMCI is raised (cmci_threshold, CMCI_THRESHOLD) */
const CMCI_THRESHOLD = 2;

export interface MceHost {
  readonly clock: Clock;
  readonly books: Books;
  readonly trace: Trace;
  readonly profile: XenProfile;
  readonly cpus: readonly Pcpu[];
  readonly timers: XenTimers;
  readonly wiring: { readonly here: Pcpu | null };
  /** LVT CMCI of a CPU's local APIC */
  raiseCmci(cpu: Pcpu): void;
  /** on_each_cpu: has `called` called on that CPU */
  callFunction(cpu: Pcpu): void;
  globalVirq(virq: number): void;
  /** dom0 has bound VIRQ_MCA (dom0_vmce_enabled) */
  readonly dom0Listens: boolean;
  readonly vmce: {
    /** A page of this domain is lost; the raise that is carried on is the error's (mc_memerr_dhandler, mce_action). */
    pageLost(domain: number): void;
    /** 3.4: dom0 is told, by the CPU that deals with the error (mce_softirq, step 3). */
    tellDom0(cpu: Pcpu): void;
  };
}

/** An error in a bank: how many times, and whose page. */
interface Bank {
  count: number;
  domain: number;
}

/** An error that a CPU has read and left to the softirq (mctelem_defer). */
type Deferred = readonly [cpu: number, entry: number, domain: number, source: number, journey: number];
/** An error that is still to come. */
type Later = readonly [domain: number, source: number, journey: number];

/** Where the CPUs are with an uncorrected error. */
const IDLE = 0;
const TRAP = 1;
const SOFTIRQ = 2;

export class MachineChecks implements Part {
  readonly id = 'xen.mce';
  /** what dom0 has still to fetch */
  readonly telemetry = new Mctelem();
  private readonly banks: Record<McaError, Bank>;
  private deferred: Deferred[] = [];
  /** CPUs in the #MC's handler, and in the softirq, in the order they came */
  private inTrap: number[] = [];
  private inSoftirq: number[] = [];
  private phase = IDLE;
  private later: Later | undefined;
  /** polls that found something since the last (adjust), and the time between two */
  private adjust = 0;
  private period = PERIOD;
  /** per CPU: it has been called to poll, and has not come yet */
  private readonly due: boolean[];
  private readonly softirqNr: number;
  private readonly timer: XenTimer;
  private readonly source: SourceId;
  /** per CPU, then CMCI's and the poller's */
  private readonly slots: SlotId;
  private readonly destinations: readonly DestinationId[];
  private readonly tp: { readonly [point: string]: Tracepoint };

  constructor(private readonly host: MceHost) {
    const { books, cpus, trace, timers, profile } = host;
    const bank = (): Bank => ({ count: 0, domain: FREE_PAGE });
    this.banks = { uncorrected: bank(), corrected: bank(), polled: bank() };
    this.due = cpus.map(() => false);
    this.softirqNr = softirqNumber(profile, 'MACHINE_CHECK');
    this.timer = timers.timer((on) => this.work(on));
    this.source = books.sourceOf('machine-check');
    this.slots = books.addSlots(cpus.length + 2);
    const names = [...cpus.map((_, n) => `CPU${n} #MC`), 'CPU0 CMCI', 'mce_checkregs'];
    this.destinations = names.map((name) => books.destinationOf(name));
    this.tp = {
      error: trace.point('mca_error', 'bank', 'dom', 'count'),
      trap: trace.point('do_machine_check', 'errors'),
      softirq: trace.point('mce_softirq', 'role'),
      cmci: trace.point('cmci_interrupt'),
      poll: trace.point('mce_checkregs'),
    };
  }

  /** init_nonfatal_mce_checker */
  start(): void {
    this.timer.set(this.host.cpus[0]!, this.host.clock.now + PERIOD);
  }

  // the hardware

  /** An error is logged. The answer is its journey. @param domain whose page it is in; FREE_PAGE: nobody's */
  raise(kind: McaError, domain: number): number {
    const { books, cpus } = this.host;
    const journey = books.begin(this.source);
    if (kind === 'uncorrected' && this.phase !== IDLE) this.wait(domain);
    else {
      this.log(kind, domain);
      if (kind === 'uncorrected') this.broadcast();
      else if (kind === 'polled') this.pend(cpus.length + 1);
      else {
        this.pend(cpus.length);
        if (this.banks.corrected.count === CMCI_THRESHOLD) this.host.raiseCmci(cpus[0]!);
      }
    }
    return journey;
  }

  /** One error waits; those on top of it are one with it (MCi_STATUS.OVER). */
  private wait(domain: number): void {
    const { books } = this.host;
    if (!this.later) this.later = [domain, books.source, books.journey];
    else for (const { cpu } of this.host.cpus) books.coalesce(this.destinations[cpu]!);
  }

  /** The bank keeps the first error, and counts. */
  private log(kind: McaError, domain: number): void {
    const bank = this.banks[kind];
    bank.count++;
    if (bank.count === 1) bank.domain = domain;
    this.emit(this.tp.error!, MCA_ERRORS.indexOf(kind), domain, bank.count);
  }

  private pend(which: number): void {
    this.host.books.pend(this.slots + which, this.destinations[which]!);
  }

  private broadcast(): void {
    this.phase = TRAP;
    for (const { cpu } of this.host.cpus) this.pend(cpu);
    for (const cpu of this.host.cpus) cpu.machineCheck();
  }

  // #MC

  /** The journey of the machine check that this CPU is about to handle. */
  journeyOn(cpu: Pcpu): number {
    return this.host.books.journeyIn(this.slots + cpu.cpu);
  }

  /** mcheck_cmn_handler, on 3.4 intel_machine_check; all meet at its end (mce_trap_bar). */
  machineCheck(cpu: Pcpu): void {
    const { books, cpus } = this.host;
    const slot = this.slots + cpu.cpu;
    books.resume(slot);
    books.deliver(slot);
    const error = this.banks.uncorrected;
    this.emit(this.tp.trap!, error.count);
    cpu.charge(timing.mcaLogout);
    if (error.count > 0) {
      error.count = 0;
      const entry = this.telemetry.reserve('urgent');
      if (entry >= 0) this.deferred.push([cpu.cpu, entry, error.domain, books.source, books.journey]);
    }
    this.inTrap.push(cpu.cpu);
    if (this.inTrap.length < cpus.length) {
      cpu.hold();
      return;
    }
    this.inTrap = [];
    this.phase = SOFTIRQ;
    // MCIP is cleared, and each raises its softirq
    for (const other of cpus) {
      other.raiseSoftirq(this.softirqNr);
      if (other !== cpu) other.release(cpu.time);
    }
  }

  // MACHINE_CHECK_SOFTIRQ

  /** mce_softirq: everybody comes (mce_inside_bar), one works. */
  softirq(cpu: Pcpu): void {
    this.inSoftirq.push(cpu.cpu);
    const { cpus } = this.host;
    if (this.inSoftirq.length < cpus.length) {
      cpu.hold();
      return;
    }
    const worker = this.severityCpu();
    if (worker === cpu.cpu) this.handleErrors(cpu);
    else {
      cpu.hold();
      cpus[worker]!.release(cpu.time);
    }
  }

  /** The last to come of those that have no error themselves, or else the last of all (mce_severity_bar). */
  private severityCpu(): number {
    const free = this.inSoftirq.filter((cpu) => this.deferred.every(([owner]) => owner !== cpu));
    return (free.length > 0 ? free : this.inSoftirq).at(-1)!;
  }

  /** It goes on: it is the one to deal with the errors, or has seen that this is done. */
  released(cpu: Pcpu): void {
    if (this.inSoftirq.length === this.host.cpus.length) this.handleErrors(cpu);
  }

  private handleErrors(cpu: Pcpu): void {
    const { books, profile, cpus, vmce } = this.host;
    const deferred = [...this.deferred].sort(([a], [b]) => a - b);
    this.deferred = [];
    for (const [, entry, domain, source, journey] of deferred) {
      books.source = source;
      books.journey = journey;
      this.emit(this.tp.softirq!, domain);
      cpu.charge(profile === '3.4' ? timing.mceAction : timing.offlinePage);
      vmce.pageLost(domain);
      this.telemetry.commit(entry);
    }
    if (this.host.dom0Listens) this.host.globalVirq(VIRQ_MCA);
    if (profile === '3.4') vmce.tellDom0(cpu);
    this.inSoftirq = [];
    for (const other of cpus) if (other !== cpu) other.release(cpu.time);
    this.phase = IDLE;
    this.next();
  }

  /** The error that has waited. */
  private next(): void {
    const { later, host } = this;
    if (!later) return;
    const [domain, source, journey] = later;
    this.later = undefined;
    host.books.source = source;
    host.books.journey = journey;
    this.log('uncorrected', domain);
    this.broadcast();
  }

  // corrected errors

  /** cmci_interrupt, on 3.4 smp_cmci_interrupt. */
  cmciInterrupt(cpu: Pcpu): void {
    this.corrected(cpu, 'corrected', this.host.cpus.length, this.tp.cmci!);
  }

  /** mce_work_fn, in the TIMER softirq: all CPUs poll their banks, more often while there is something. */
  private work(on: Pcpu): void {
    for (const cpu of this.host.cpus) {
      this.due[cpu.cpu] = true;
      if (cpu === on) this.called(on);
      else this.host.callFunction(cpu);
    }
    this.period = this.adjust > 0 ? Math.floor(this.period / (this.adjust + 1)) : this.period * 2;
    this.period = Math.max(PERIOD_MIN, Math.min(PERIOD_MAX, this.period));
    this.timer.set(on, this.host.clock.now + this.period);
    this.adjust = 0;
  }

  /** mce_checkregs, if this CPU was called for it. */
  called(cpu: Pcpu): void {
    if (!this.due[cpu.cpu]) return;
    this.due[cpu.cpu] = false;
    if (this.corrected(cpu, 'polled', this.host.cpus.length + 1, this.tp.poll!)) this.adjust++;
  }

  /** mcheck_mca_logout of a bank with corrected errors: dom0 is to fetch them, or Xen prints them itself. */
  private corrected(cpu: Pcpu, kind: McaError, which: number, point: Tracepoint): boolean {
    const { books } = this.host;
    const bank = this.banks[kind];
    const slot = this.slots + which;
    if (bank.count > 0) {
      books.resume(slot);
      this.emit(point, 0);
    }
    cpu.charge(timing.mcaPoll);
    if (bank.count === 0) return false;
    bank.count = 0;
    const entry = this.telemetry.reserve('nonurgent');
    if (entry < 0) {
      books.discard(slot, 'no telemetry entry');
      return false;
    }
    books.deliver(slot);
    if (this.host.dom0Listens) {
      this.telemetry.commit(entry);
      this.host.globalVirq(VIRQ_MCA);
    } else {
      this.telemetry.dismiss(entry);
      cpu.charge(timing.printk);
    }
    return true;
  }

  /** XEN_MC_fetch of dom0, with its acknowledgement; false: there is none. */
  fetch(which: Telemetry): boolean {
    return this.telemetry.fetch(which);
  }

  private emit(point: Tracepoint, a: number, b = 0, c = 0): void {
    const { trace, clock, books, wiring } = this.host;
    const { here } = wiring;
    trace.emit(point, here ? here.time : clock.now, books.journey, here?.cpu ?? -1, a, b, c);
  }

  // to look at

  /** Whether each slot of the books should hold something. */
  waiting(): { readonly what: string; readonly waits: boolean; readonly slot: SlotId }[] {
    const { cpus } = this.host;
    const { corrected, polled } = this.banks;
    const untaken = ({ cpu }: Pcpu) => this.phase === TRAP && !this.inTrap.includes(cpu);
    const waits = [...cpus.map(untaken), corrected.count > 0, polled.count > 0];
    return waits.map((n, i) => ({ what: `machine check ${i}`, waits: n, slot: this.slots + i }));
  }

  save(): Plain {
    const { uncorrected, corrected, polled } = this.banks;
    return {
      telemetry: this.telemetry.save(),
      banks: [uncorrected, corrected, polled].map(({ count, domain }) => [count, domain]),
      deferred: [...this.deferred],
      waiting: [[...this.inTrap], [...this.inSoftirq]],
      later: this.later ? [...this.later] : [],
      rest: [this.phase, this.adjust, this.period],
      due: [...this.due],
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      telemetry: Plain;
      banks: [number, number][];
      deferred: Deferred[];
      waiting: [number[], number[]];
      later: Later | [];
      rest: [number, number, number];
      due: boolean[];
    };
    this.telemetry.restore(s.telemetry);
    MCA_ERRORS.forEach((kind, i) => {
      [this.banks[kind].count, this.banks[kind].domain] = s.banks[i]!;
    });
    this.deferred = [...s.deferred];
    [this.inTrap, this.inSoftirq] = s.waiting.map((cpus) => [...cpus]) as [number[], number[]];
    this.later = s.later.length > 0 ? (s.later as Later) : undefined;
    [this.phase, this.adjust, this.period] = s.rest;
    this.due.splice(0, Infinity, ...s.due);
  }
}
