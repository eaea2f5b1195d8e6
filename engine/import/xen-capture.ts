/**
 * What xentrace's records tell of guests on VMX or SVM: whose record it is, what they left for, what was injected, and who
 * had raised it.
 *
 * Xen has no record of a raise. A virtual CPU that waits is woken, and what Xen was doing there tells by whom: by another
 * virtual CPU's EVTCHNOP_send, or a timer that it had set itself by VCPUOP_set_singleshot_timer; the rest is from outside.
 */
import { HYPERVISOR_EVTCHN_OP, HYPERVISOR_VCPU_OP } from '../abi/hypercall-numbers.ts';
import { DOMID_IDLE, TRC } from '../abi/xen-trace.ts';
import type { Ns } from '../core/clock.ts';
import { GuestRecorder, SourceRecorder, STEP, type TraceCapture } from './capture.ts';
import { checkLength } from './columns.ts';
import { isSvmCode, isSvmNm, NM_VECTOR, svmClass, vmxClass } from './exits.ts';
import { ofFile } from './problem.ts';
import { readXentrace, type XenRecords } from './xentrace.ts';

/** what xenalyze takes it for; the file does not say */
export const DEFAULT_CPU_HZ = 2_400_000_000;
/** HYPERVISOR_CALLBACK_VECTOR of Linux: the guest is told of event channels by it */
const UPCALL_VECTOR = 0xf3;
/** Where records of the scheduler are missing, who runs is not known; a number that no domain has. */
const NOBODY = -1;
/** FIRST_RESERVED: numbers from there on are Xen's own */
const FIRST_RESERVED = 0x7ff0;

/** What is remembered of a virtual CPU. */
interface Who {
  readonly guest: Guest;
  readonly vcpu: number;
  /** it has left and not yet entered */
  hypercall: number;
  /** its timer may come */
  armed: boolean;
  /** what it has been woken by, until that is injected */
  woken: 'ipi' | 'timer' | 'event' | undefined;
  wokenAt: Ns;
  sender: Who | undefined;
  exitAt: Ns;
  /** its last EVTCHNOP_send, as a step of its script; -1: none that could be an IPI */
  sent: number;
}

class Guest {
  readonly recorder: GuestRecorder;
  readonly vcpus: Who[] = [];

  constructor(readonly domain: number) {
    this.recorder = new GuestRecorder(`dom${domain}`);
  }

  who(vcpu: number): Who {
    while (this.vcpus.length <= vcpu) {
      const n = this.vcpus.length;
      this.recorder.know(n);
      this.vcpus.push({
        guest: this,
        vcpu: n,
        hypercall: -1,
        armed: false,
        woken: undefined,
        wokenAt: 0,
        sender: undefined,
        exitAt: 0,
        sent: -1,
      });
    }
    return this.vcpus[vcpu]!;
  }
}

/** Virtual CPUs that a domain, and domains that a host can have here. */
const MOST_VCPUS = 256;
const MOST_GUESTS = 500;

/** @param cpuHz the rate of its time stamp counter */
export function xenCapture(file: string, bytes: Uint8Array, cpuHz = DEFAULT_CPU_HZ): TraceCapture {
  return new XenReader(file, readXentrace(file, bytes), cpuHz).capture();
}

class XenReader {
  private readonly guests = new Map<number, Guest>();
  private readonly irqs = new Map<number, SourceRecorder>();
  /** by CPU: domain and virtual CPU that it runs */
  private readonly current: { domain: number; vcpu: number }[];
  private dom0Vcpus = 1;
  private readonly svm: boolean;
  private readonly from: number;
  private readonly length: Ns;

  constructor(
    private readonly file: string,
    private readonly data: XenRecords,
    private readonly cpuHz: number,
  ) {
    const { rows, cpus } = data;
    const span = rows.span();
    if (!span) throw ofFile(file, 'no record in it is of a guest, a scheduler or an interrupt');
    this.from = span.from;
    this.length = Math.round(((span.to - span.from) / cpuHz) * 1e9);
    checkLength(file, this.length);
    this.current = Array.from({ length: cpus }, () => ({ domain: NOBODY, vcpu: 0 }));
    let svm = false;
    rows.inOrder((_, values, at) => {
      const event = values[at + 1]!;
      if ((event === TRC.HVM_VMEXIT || event === TRC.HVM_VMEXIT64) && isSvmCode(values[at + 2]!)) svm = true;
    });
    this.svm = svm;
  }

  capture(): TraceCapture {
    const { data, file, length } = this;
    data.rows.inOrder((time, values, at) => {
      const ns = Math.round(((time - this.from) / this.cpuHz) * 1e9);
      this.record(ns, values[at]!, values[at + 1]!, values[at + 2]!, values[at + 3]!, values, at + 2);
    });
    const guests = [...this.guests.values()]
      .sort((a, b) => a.domain - b.domain)
      .map((g) => g.recorder)
      .filter((g) => g.exits.all > 0 || g.injections.all > 0);
    if (guests.length === 0 && this.irqs.size === 0) {
      throw ofFile(
        file,
        'no exit of a guest and no interrupt of the host is in it; xentrace -e all would be right',
      );
    }
    return {
      file,
      format: 'xentrace',
      system: 'xen',
      isa: this.svm ? 'SVM' : 'VMX',
      cpus: data.cpus,
      records: data.records,
      length,
      guests,
      irqs: [...this.irqs.values()].sort((a, b) => a.number - b.number),
      dom0Vcpus: this.dom0Vcpus,
      apicv: guests.some((g) => g.exits.bySecond.has('virtual APIC')),
      notes: this.notes(guests.length),
    };
  }

  private notes(guests: number): string[] {
    const { lost, scheduled } = this.data;
    const notes = [`its clock is taken for ${this.cpuHz / 1e9} GHz`];
    if (lost > 0) notes.push(`${lost} records were lost while it was taken`);
    if (guests === 0) notes.push('no guest leaves by VM exits: only the interrupts of the host are raised');
    else if (!scheduled) {
      notes.push(
        'no records of the scheduler: virtual CPU 0 is the one that takes the interrupts of the 8259s, all others are ' +
          'one',
      );
    }
    return notes;
  }

  private guest(domain: number): Guest {
    let guest = this.guests.get(domain);
    if (!guest) {
      if (this.guests.size >= MOST_GUESTS) {
        throw ofFile(this.file, `more than ${MOST_GUESTS} domains; fewer would be right`);
      }
      guest = new Guest(domain);
      this.guests.set(domain, guest);
    }
    return guest;
  }

  /** Who runs on a CPU; undefined: nobody that is known. */
  private on(cpu: number): Who | undefined {
    const { domain, vcpu } = this.current[cpu]!;
    if (domain === NOBODY || domain >= FIRST_RESERVED) return undefined;
    return this.guest(domain).who(vcpu);
  }

  private runs(cpu: number, domain: number, vcpu: number): void {
    if (domain > DOMID_IDLE || (domain < FIRST_RESERVED && vcpu >= MOST_VCPUS)) {
      throw ofFile(
        this.file,
        `a record is of d${domain}v${vcpu}: below ${MOST_VCPUS} virtual CPUs would be right`,
      );
    }
    this.current[cpu] = { domain, vcpu };
    if (domain === 0 && vcpu >= this.dom0Vcpus) this.dom0Vcpus = vcpu + 1;
  }

  private record(
    at: Ns,
    cpu: number,
    event: number,
    a: number,
    b: number,
    values: Float64Array,
    words: number,
  ): void {
    switch (event) {
      case TRC.SCHED_RUNSTATE_CHANGE:
      case TRC.SCHED_CONTINUE_RUNNING:
        this.runs(cpu, a >>> 16, a & 0xffff);
        return;
      case TRC.SCHED_SWITCH:
        this.runs(cpu, values[words + 2]!, values[words + 3]!);
        return;
      case TRC.HVM_EMUL_LAPIC_PIC_INTR:
        // the first word: it takes the 8259s' interrupts
        if (!this.data.scheduled) this.runs(cpu, 1, a === 1 ? 0 : 1);
        return;
      case TRC.SCHED_WAKE:
        this.wake(at, cpu, a, b);
        return;
      case TRC.HW_IRQ_HANDLED:
        this.irq(at, a);
        return;
    }
    const who = this.on(cpu);
    if (!who) return;
    switch (event) {
      case TRC.HVM_VMEXIT:
      case TRC.HVM_VMEXIT64:
        this.exit(at, who, a);
        return;
      case TRC.HVM_VMENTRY:
        who.hypercall = -1;
        who.guest.recorder.wakes(who.vcpu, at);
        return;
      case TRC.HVM_TRAP:
        // which exception it is, on VMX
        if (a === NM_VECTOR) who.guest.recorder.does(who.vcpu, at, STEP.fpu, 'exception');
        return;
      case TRC.HVM_VMMCALL:
        this.vmmcall(at, who, a);
        return;
      case TRC.HVM_INJ_VIRQ:
        this.injection(at, who, a & 0xff);
    }
  }

  private irq(at: Ns, irq: number): void {
    let source = this.irqs.get(irq);
    if (!source) {
      if (this.irqs.size >= 1024)
        throw ofFile(this.file, 'more than 1024 interrupts of the host; fewer would be right');
      source = new SourceRecorder('irq', `irq-${irq}`, irq, 0);
      this.irqs.set(irq, source);
    }
    source.raise(at);
  }

  private exit(at: Ns, who: Who, reason: number): void {
    const of = this.svm ? svmClass(reason) : vmxClass(reason & 0xffff);
    const { recorder } = who.guest;
    recorder.exit(who.vcpu, at, of);
    who.hypercall = -1;
    who.exitAt = at;
    if (this.svm && isSvmNm(reason)) recorder.does(who.vcpu, at, STEP.fpu, of);
    else if (of === 'CPUID') recorder.does(who.vcpu, at, STEP.cpuid, of);
  }

  private vmmcall(at: Ns, who: Who, number: number): void {
    who.hypercall = number;
    if (number === HYPERVISOR_VCPU_OP) who.armed = true;
    if (number === HYPERVISOR_EVTCHN_OP) {
      who.sent = who.guest.recorder.does(who.vcpu, at, STEP.ipi, 'hypercall', -1);
    }
  }

  /** A virtual CPU that waited can run: by whom is seen from what this CPU was doing. */
  private wake(at: Ns, cpu: number, domain: number, vcpu: number): void {
    const guest = this.guests.get(domain);
    if (!guest || domain === 0 || vcpu >= guest.vcpus.length) return;
    const who = guest.vcpus[vcpu]!;
    const by = this.on(cpu);
    who.guest.recorder.wakes(vcpu, at);
    who.wokenAt = at;
    if (by && by.guest === guest && by !== who && by.hypercall === HYPERVISOR_EVTCHN_OP) {
      who.woken = 'ipi';
      who.sender = by;
      return;
    }
    who.woken = who.armed && by?.guest.domain !== 0 ? 'timer' : 'event';
  }

  private injection(at: Ns, who: Who, vector: number): void {
    const { recorder } = who.guest;
    recorder.injected(vector, at);
    recorder.wakes(who.vcpu, at);
    const when = who.woken === undefined ? who.exitAt : who.wokenAt;
    const kind = vector === UPCALL_VECTOR ? (who.woken ?? this.whileRunning(who)) : 'message';
    const { vcpu } = who;
    who.woken = undefined;
    if (kind === 'message') {
      const source = recorder.source('message', `vec-0x${vector.toString(16)}.${vcpu}`, vector, vcpu);
      source.raise(when);
      source.came(vector);
      return;
    }
    if (kind === 'ipi') {
      const from = who.sender!;
      recorder.aim(from.vcpu, from.sent, vcpu, 'hypercall');
      from.sent = -1;
    }
    if (kind === 'timer') who.armed = false;
    const name = kind === 'ipi' ? `ipi.${who.sender!.vcpu}-${vcpu}` : `${kind}.${vcpu}`;
    const source = recorder.source(kind, name, vector, vcpu);
    source.raise(when);
    source.came(vector);
  }

  /** It had not waited: an EVTCHNOP_send of another one that woke nobody, else its timer, else from outside. */
  private whileRunning(who: Who): 'ipi' | 'timer' | 'event' {
    const from = who.guest.vcpus.find((other) => other !== who && other.sent >= 0);
    if (from) {
      who.sender = from;
      return 'ipi';
    }
    return who.armed ? 'timer' : 'event';
  }
}
