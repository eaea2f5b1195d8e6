/**
 * What KVM's tracepoints tell of its guests. Lines and messages are recorded as they are raised; what a local APIC accepts
 * without either, and without an IPI, its own timer has raised.
 */
import type { Ns } from '../core/clock.ts';
import { GuestRecorder, type RecordedGuest, STEP, type TraceCapture } from './capture.ts';
import { EXIT_CLASSES, type ExitClass } from './exits.ts';
import { LOCAL_APIC, UNKNOWN } from './kvm-events.ts';
import { ofFile } from './problem.ts';

const MOST_VCPUS = 256;
const MOST_GUESTS = 500;
/** GSIs from there on are messages (KVM_IOAPIC_NUM_PINS) */
const PINS = 24;
/** those below are exceptions */
const FIRST_VECTOR = 16;
/** where firmware and kernels write to wait a moment; nothing is there */
const DELAY_PORT = 0x80;

/** What an accepted vector was raised by, as the same CPU has just said. */
type Cause = 'line' | 'message' | 'ipi' | undefined;

/** What follows a raise on its CPU. */
const OF_A_RAISE: ReadonlySet<string> = new Set([
  'kvm_apic_accept_irq',
  'kvm_apicv_accept_irq',
  'kvm_ioapic_set_irq',
  'kvm_pic_set_irq',
]);

interface Thread {
  readonly guest: KvmGuest;
  readonly vcpu: number;
  /** it has left for this; undefined: it is in the guest */
  left: ExitClass | undefined;
  leftAt: Ns;
  /** the exit was one for registers of a device or of the local APIC */
  emulated: boolean;
  /** what it has ended since it left, and when that had been injected */
  readonly ended: [name: string, since: Ns][];
}

class KvmGuest {
  readonly recorder: GuestRecorder;
  /** the least pid of its virtual CPUs */
  first: number;
  readonly threads = new Map<number, Thread>();
  /** by vcpu and vector: when it was injected */
  readonly injected = new Map<number, Ns>();
  /** by vcpu and vector: its local APIC has it, and it has not been injected yet */
  readonly accepted = new Set<number>();
  /** by vector: the line or message that it came by last */
  readonly names = new Map<number, string>();
  byMsr = 0;
  byMemory = 0;

  constructor(name: string, first: number) {
    this.recorder = new GuestRecorder(name);
    this.first = first;
  }
}

export class KvmReader {
  private readonly guests: KvmGuest[] = [];
  private readonly threads = new Map<number, Thread>();
  private readonly causes: Cause[] = [];
  private svm = false;
  private apicv = false;
  private stray = 0;
  /** instructions that were emulated are recorded */
  private emulations = false;

  constructor(private readonly file: string) {}

  /**
   * Threads of virtual CPUs, by pid: all are told before the first event. A process has one for each virtual CPU, and makes
   * them one after the other.
   */
  know(vcpuOfPid: ReadonlyMap<number, number>, nameOf: (pid: number) => string): void {
    for (const pid of [...vcpuOfPid.keys()].sort((a, b) => a - b)) {
      const vcpu = vcpuOfPid.get(pid)!;
      if (vcpu >= MOST_VCPUS)
        throw ofFile(this.file, `virtual CPU ${vcpu}: below ${MOST_VCPUS} would be right`);
      let guest = this.guests.at(-1);
      if (!guest || [...guest.threads.values()].some((t) => t.vcpu === vcpu)) {
        if (this.guests.length === MOST_GUESTS) {
          throw ofFile(this.file, `more than ${MOST_GUESTS} machines; fewer would be right`);
        }
        guest = new KvmGuest(`${nameOf(pid)}-${pid}`, pid);
        this.guests.push(guest);
      }
      const thread: Thread = { guest, vcpu, left: undefined, leftAt: 0, emulated: false, ended: [] };
      guest.threads.set(pid, thread);
      this.threads.set(pid, thread);
      guest.recorder.know(vcpu);
    }
  }

  /** Whose event this is: of the process that made it; if only one machine is there, of that. */
  private guestOf(pid: number, comm: string): KvmGuest | undefined {
    if (this.guests.length === 1) return this.guests[0];
    const thread = this.threads.get(pid);
    if (thread) return thread.guest;
    // kthreads that work for a process are called after it: kvm-pit/1234, vhost-1234
    const owner = /(?:kvm-pit\/|vhost-|kvm-nx-lpage-re-)(\d+)/.exec(comm);
    const of = owner ? Number(owner[1]) : pid;
    const next = this.guests.find((g) => g.first > of);
    if (next && /^(qemu|vhost-|kvm-|CPU |IO )/.test(comm)) return next;
    this.stray++;
    return undefined;
  }

  event(at: Ns, cpu: number, pid: number, comm: string, name: string, values: readonly number[]): void {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = values;
    // what a local APIC accepts has been raised by what its CPU did just before
    if (!OF_A_RAISE.has(name)) this.causes[cpu] = undefined;
    switch (name) {
      case 'kvm_entry':
        this.entry(at, pid);
        return;
      case 'kvm_exit':
        this.exit(at, pid, b, c === 1, d === 1, e);
        return;
      case 'kvm_inj_virq':
        this.inject(at, pid, a, b);
        return;
      case 'kvm_apic_accept_irq':
      case 'kvm_apicv_accept_irq':
        if (d === 1) this.accept(at, cpu, this.guestOf(pid, comm), a, b, c === 1);
        return;
      case 'kvm_eoi':
        this.eoi(at, pid, b);
        return;
      case 'kvm_set_irq':
        this.setIrq(at, cpu, this.guestOf(pid, comm), a, b !== 0);
        return;
      case 'kvm_msi_set_irq':
        if (d === 1) this.message(at, cpu, this.guestOf(pid, comm), a, b, c === 1);
        return;
      case 'kvm_ioapic_set_irq':
        this.pin(this.guestOf(pid, comm), a, b, c, d === 1, e === 1);
        return;
      case 'kvm_apic_ipi':
        this.ipi(at, cpu, this.threads.get(pid), a, b, c === 1, d === 1 ? e : UNKNOWN);
        return;
      case 'kvm_pio':
        this.port(at, this.threads.get(pid), a === 1, b);
        return;
      default:
        this.emulates(this.threads.get(pid), name === 'kvm_apic');
    }
  }

  private entry(at: Ns, pid: number): void {
    const thread = this.threads.get(pid);
    if (!thread) return;
    const { guest, vcpu, left, leftAt, emulated, ended } = thread;
    // what was neither emulated nor anything's registers was a page that was not there
    if (left === 'memory' && !emulated) guest.recorder.does(vcpu, leftAt, STEP.page, 'memory');
    thread.left = undefined;
    // a level comes again by then at the earliest: with the hypervisor's time for the EOI
    for (const [name, since] of ended.splice(0))
      guest.recorder.source('line', name, 0, 0).handled(at - since);
    guest.recorder.wakes(vcpu, at);
  }

  private exit(at: Ns, pid: number, index: number, svm: boolean, nm: boolean, registers: number): void {
    const thread = this.threads.get(pid);
    if (!thread) return;
    const { guest, vcpu } = thread;
    const { recorder } = guest;
    const of = EXIT_CLASSES[index]!;
    this.svm ||= svm;
    this.apicv ||= of === 'virtual APIC';
    thread.left = of;
    thread.leftAt = at;
    thread.emulated = registers > 0;
    if (registers === LOCAL_APIC) guest.byMemory++;
    recorder.exit(vcpu, at, of);
    if (nm) recorder.does(vcpu, at, STEP.fpu, of);
    else if (of === 'CPUID') recorder.does(vcpu, at, STEP.cpuid, of);
    else if (of === 'MSR') guest.byMsr++;
  }

  private inject(at: Ns, pid: number, vector: number, again: number): void {
    const thread = this.threads.get(pid);
    if (!thread) return;
    const { guest, vcpu } = thread;
    const { recorder, accepted } = guest;
    recorder.injected(vector, at);
    if (again !== 0) return;
    const key = vcpu * 256 + vector;
    guest.injected.set(key, at);
    if (accepted.delete(key) || vector < FIRST_VECTOR) return;
    // events that would tell by whom were not recorded
    const source = recorder.source('message', `vec-0x${vector.toString(16)}.${vcpu}`, vector, vcpu);
    recorder.wakes(vcpu, at);
    source.raise(at);
    source.came(vector);
  }

  /** Into the IRR of a local APIC. */
  private accept(
    at: Ns,
    cpu: number,
    guest: KvmGuest | undefined,
    apicid: number,
    vector: number,
    level: boolean,
  ): void {
    if (!guest || apicid >= guest.recorder.vcpus) return;
    guest.recorder.wakes(apicid, at);
    guest.accepted.add(apicid * 256 + vector);
    const cause = this.causes[cpu];
    // an IPI may be for many
    if (cause !== 'ipi') this.causes[cpu] = undefined;
    // a level that is still there after its EOI has no cause of its own
    if (cause !== undefined || level) return;
    const source = guest.recorder.source('timer', `timer.${apicid}`, vector, apicid);
    source.raise(at);
    source.came(vector);
  }

  private eoi(at: Ns, pid: number, vector: number): void {
    const thread = this.threads.get(pid);
    if (!thread) return;
    const { guest, vcpu, ended } = thread;
    const key = vcpu * 256 + vector;
    const since = guest.injected.get(key);
    const name = guest.names.get(vector);
    guest.injected.delete(key);
    if (since === undefined || name === undefined) return;
    const source = guest.recorder.source('line', name, 0, 0);
    if (source.level) ended.push([name, since]);
    else source.handled(at - since);
  }

  private setIrq(at: Ns, cpu: number, guest: KvmGuest | undefined, gsi: number, high: boolean): void {
    if (high) this.causes[cpu] = 'line';
    if (gsi >= PINS || !guest) return;
    guest.recorder.source('line', `gsi-${gsi}`, gsi, 0).set(high, at);
  }

  /** Where a line leads. */
  private pin(
    guest: KvmGuest | undefined,
    pin: number,
    dst: number,
    vector: number,
    level: boolean,
    masked: boolean,
  ): void {
    if (!guest || pin >= PINS || masked) return;
    const source = guest.recorder.source('line', `gsi-${pin}`, pin, 0);
    source.level = level;
    source.came(vector);
    if (dst < guest.recorder.vcpus) source.vcpu = dst;
    guest.names.set(vector, source.name);
  }

  private message(
    at: Ns,
    cpu: number,
    guest: KvmGuest | undefined,
    dst: number,
    vector: number,
    logical: boolean,
  ): void {
    this.causes[cpu] = 'message';
    if (!guest) return;
    const vcpu = targetOf(dst, logical, guest.recorder.vcpus);
    const name = `msi-0x${vector.toString(16)}.${vcpu}`;
    const source = guest.recorder.source('message', name, vector, vcpu);
    source.raise(at);
    source.came(vector);
    guest.names.set(vector, name);
  }

  private ipi(
    at: Ns,
    cpu: number,
    thread: Thread | undefined,
    dst: number,
    vector: number,
    logical: boolean,
    shorthand: number,
  ): void {
    this.causes[cpu] = 'ipi';
    if (!thread || shorthand === UNKNOWN) return;
    const { guest, vcpu } = thread;
    thread.emulated = true;
    const { recorder } = guest;
    const all = Array.from({ length: recorder.vcpus }, (_, n) => n);
    const SELF = 1;
    const ALL = 2;
    const OTHERS = 3;
    const to =
      shorthand === SELF
        ? [vcpu]
        : shorthand === ALL
          ? all
          : shorthand === OTHERS
            ? all.filter((n) => n !== vcpu)
            : [targetOf(dst, logical, recorder.vcpus)];
    for (const target of to) {
      recorder.does(vcpu, at, STEP.ipi, thread.left ?? 'MSR', target);
      const source = recorder.source('ipi', `ipi.${vcpu}-${target}`, vector, target);
      source.raise(at);
      source.came(vector);
    }
  }

  private port(at: Ns, thread: Thread | undefined, write: boolean, port: number): void {
    if (!thread) return;
    thread.emulated = true;
    if (write && port === DELAY_PORT) thread.guest.recorder.does(thread.vcpu, at, STEP.port, 'port I/O');
  }

  private emulates(thread: Thread | undefined, apic: boolean): void {
    this.emulations = true;
    if (!thread) return;
    thread.emulated = true;
    if (apic && thread.left === 'memory') thread.guest.byMemory++;
  }

  /** @param all what is said of the trace as a whole */
  capture(
    all: Pick<TraceCapture, 'file' | 'format' | 'cpus' | 'records' | 'length' | 'notes'>,
  ): TraceCapture {
    const guests = this.guests.map((g): RecordedGuest => {
      g.recorder.x2apic = g.byMsr >= g.byMemory;
      // npf may be for anything then
      if (this.svm && !this.emulations) g.recorder.drop(STEP.page, 'memory');
      return g.recorder;
    });
    if (guests.length === 0) {
      throw ofFile(this.file, 'no virtual CPU enters its guest in it; kvm_entry and kvm_exit would be right');
    }
    const notes = [...all.notes];
    if (this.stray > 0) notes.push(`${this.stray} events of no machine that is known are left out`);
    return {
      ...all,
      system: 'kvm',
      isa: this.svm ? 'SVM' : 'VMX',
      guests,
      irqs: [],
      dom0Vcpus: 1,
      apicv: this.apicv,
      notes,
    };
  }
}

/** The virtual CPU that a message is for: by its APIC ID, or the first of a set. */
function targetOf(dst: number, logical: boolean, vcpus: number): number {
  if (!logical) return dst < vcpus ? dst : 0;
  const low = dst & 0xffff;
  const first = low === 0 ? 0 : 31 - Math.clz32(low & -low);
  return first < vcpus ? first : 0;
}
