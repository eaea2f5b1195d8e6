/**
 * What a trace of a real host says of its guests: what came from outside and when, what the guests did of their own accord,
 * and what followed, exits and injections. The first two drive a simulated machine, the last is what that is compared with.
 */
import type { Ns } from '../core/clock.ts';
import type { ExitClass } from './exits.ts';

/**
 * `line`, a GSI; `message`, an MSI, or a vector nobody knows the source of; `event`, an event channel of a guest that is
 * told of such; `timer`, of the virtual CPU itself; `ipi`, of another virtual CPU; `irq`, a physical interrupt
 */
export type SourceKind = 'line' | 'message' | 'event' | 'timer' | 'ipi' | 'irq';

/** Something that raises interrupts. */
export interface RecordedSource {
  readonly kind: SourceKind;
  /** `gsi-10`, `msi-0x45.1`, `timer.0` */
  readonly name: string;
  /** for which virtual CPU; of a line, the one that took it last */
  readonly vcpu: number;
  /** GSI, vector or number of the physical interrupt */
  readonly number: number;
  /** of a line: held until its device is served */
  readonly level: boolean;
  /** when it raised; of a line, when that changed */
  readonly times: readonly Ns[];
  /** of a line: what it changed to */
  readonly levels: readonly boolean[];
  /** how often it raised */
  readonly raises: number;
  /** vectors that it came by */
  readonly vectors: readonly number[];
  /** from an injection to its EOI, on average; 0: not known */
  readonly handler: Ns;
}

/** What a virtual CPU does by itself. */
export const STEP = { run: 0, halt: 1, ipi: 2, fpu: 3, cpuid: 4, page: 5, port: 6 } as const;

/** Steps in the order of their times. */
export interface Script {
  readonly at: readonly Ns[];
  readonly what: readonly number[];
  /** of an IPI the virtual CPU it is for; -1: the step is not done */
  readonly arg: readonly number[];
}

/** Counts in each second. */
export class Tally<K> {
  readonly bySecond = new Map<K, number[]>();

  add(key: K, at: Ns): void {
    const second = Math.max(0, Math.floor(at / 1e9));
    let counts = this.bySecond.get(key);
    if (!counts) {
      counts = [];
      this.bySecond.set(key, counts);
    }
    while (counts.length <= second) counts.push(0);
    counts[second]!++;
  }

  total(key: K): number {
    return (this.bySecond.get(key) ?? []).reduce((a, b) => a + b, 0);
  }

  get all(): number {
    return [...this.bySecond.keys()].reduce((n, key) => n + this.total(key), 0);
  }
}

export interface RecordedGuest {
  /** as the trace calls it, `dom2`, or by its process */
  readonly name: string;
  readonly vcpus: number;
  readonly sources: readonly RecordedSource[];
  /** by virtual CPU */
  readonly scripts: readonly Script[];
  readonly exits: Tally<ExitClass>;
  readonly injections: Tally<number>;
  /** steps that are driven, by class of the exit that they make */
  readonly driven: ReadonlyMap<ExitClass, number>;
  /** it reached its local APIC by MSRs, not by memory */
  readonly x2apic: boolean;
}

export interface TraceCapture {
  readonly file: string;
  readonly format: 'xentrace' | 'ftrace text' | 'trace.dat';
  readonly system: 'xen' | 'kvm';
  readonly isa: 'VMX' | 'SVM';
  /** physical CPUs */
  readonly cpus: number;
  readonly records: number;
  /** from the first record to the last */
  readonly length: Ns;
  readonly guests: readonly RecordedGuest[];
  /** physical interrupts of the host, of Xen */
  readonly irqs: readonly RecordedSource[];
  /** virtual CPUs of dom0 */
  readonly dom0Vcpus: number;
  /** APIC registers and interrupt delivery were virtualized */
  readonly apicv: boolean;
  /** what whoever reads numbers of it should know */
  readonly notes: readonly string[];
}

/** A source while it is read. */
export class SourceRecorder implements RecordedSource {
  readonly times: Ns[] = [];
  readonly levels: boolean[] = [];
  readonly vectors: number[] = [];
  raises = 0;
  vcpu: number;
  level = false;
  private spent = 0;
  private ended = 0;

  constructor(
    readonly kind: SourceKind,
    readonly name: string,
    readonly number: number,
    vcpu: number,
  ) {
    this.vcpu = vcpu;
  }

  raise(at: Ns): void {
    this.times.push(at);
    this.raises++;
  }

  /** A line; what it is already changes nothing. */
  set(high: boolean, at: Ns): void {
    this.times.push(at);
    this.levels.push(high);
    if (high) this.raises++;
  }

  came(vector: number): void {
    if (!this.vectors.includes(vector)) this.vectors.push(vector);
  }

  handled(time: Ns): void {
    this.spent += time;
    this.ended++;
  }

  get handler(): Ns {
    return this.ended === 0 ? 0 : Math.round(this.spent / this.ended);
  }
}

/** Steps while they are read. */
class ScriptRecorder implements Script {
  readonly at: Ns[] = [];
  readonly what: number[] = [];
  readonly arg: number[] = [];
  /** undefined: nothing has been heard of it */
  running: boolean | undefined;

  add(at: Ns, what: number, arg = 0): number {
    this.at.push(Math.max(at, this.at.at(-1) ?? 0));
    this.what.push(what);
    this.arg.push(arg);
    return this.what.length - 1;
  }
}

/** What is heard of a guest, in the order of time. */
export class GuestRecorder implements RecordedGuest {
  readonly exits = new Tally<ExitClass>();
  readonly injections = new Tally<number>();
  readonly driven = new Map<ExitClass, number>();
  readonly scripts: ScriptRecorder[] = [];
  x2apic = true;
  private readonly byName = new Map<string, SourceRecorder>();

  constructor(readonly name: string) {}

  get vcpus(): number {
    return this.scripts.length;
  }

  get sources(): readonly SourceRecorder[] {
    return [...this.byName.values()].filter((s) => s.raises > 0);
  }

  source(kind: SourceKind, name: string, number: number, vcpu: number): SourceRecorder {
    let source = this.byName.get(name);
    if (!source) {
      source = new SourceRecorder(kind, name, number, vcpu);
      this.byName.set(name, source);
    }
    return source;
  }

  private script(vcpu: number): ScriptRecorder {
    while (this.scripts.length <= vcpu) this.scripts.push(new ScriptRecorder());
    return this.scripts[vcpu]!;
  }

  /** It exists. */
  know(vcpu: number): void {
    this.script(vcpu);
  }

  /** Something is raised for it: if it waits in HLT, that is over. */
  wakes(vcpu: number, at: Ns): void {
    const script = this.script(vcpu);
    if (script.running) return;
    script.running = true;
    script.add(at, STEP.run);
  }

  /** It has left, so it had been running; from the beginning if nothing had been heard of it. */
  exit(vcpu: number, at: Ns, of: ExitClass): void {
    this.exits.add(of, at);
    const script = this.script(vcpu);
    if (script.running === undefined) script.add(0, STEP.run);
    script.running ??= true;
    if (of !== 'HLT') return;
    script.running = false;
    script.add(at, STEP.halt);
    this.drove(of);
  }

  /** A step that makes an exit of a class. @returns its number, for `aim` */
  does(vcpu: number, at: Ns, what: number, of: ExitClass, arg = 0): number {
    if (arg >= 0) this.drove(of);
    return this.script(vcpu).add(at, what, arg);
  }

  /** What was an IPI for an unknown one is for this one. */
  aim(vcpu: number, step: number, to: number, of: ExitClass): void {
    this.script(vcpu).arg[step] = to;
    this.drove(of);
  }

  /** Steps of a kind that are not certain are not driven. */
  drop(what: number, of: ExitClass): void {
    for (const script of this.scripts) {
      script.what.forEach((step, n) => {
        if (step !== what || script.arg[n]! < 0) return;
        script.arg[n] = -1;
        this.drove(of, -1);
      });
    }
  }

  private drove(of: ExitClass, times = 1): void {
    this.driven.set(of, (this.driven.get(of) ?? 0) + times);
  }

  injected(vector: number, at: Ns): void {
    this.injections.add(vector, at);
  }
}
