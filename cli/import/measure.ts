/** import: a recorded trace beside the run that it drives, row by row. */
import { setImmediate } from 'node:timers/promises';
import {
  EXIT_CLASSES,
  type ExitClass,
  REPLAY_BEGIN,
  type RecordedGuest,
  type RecordedSource,
  ReplayTally,
  replayMachine,
  type Tally,
  type TraceCapture,
  TraceExporter,
  traceHost,
  vectorKey,
} from '../../engine/exchange.ts';
import { type DomainSnapshot, type Machine, takeSnapshot } from '../../engine/index.ts';
import { vectorText } from '../../tui/subject.ts';

/** simulated time after which signals get their turn */
const SLICE = 20e6;
/** what is raised last has come by then */
const REST = 1e6;

/** A number there and here. */
export interface Numbers {
  readonly name: string;
  readonly recorded: number;
  readonly simulated: number;
}

/** In each second too. */
export interface Row extends Numbers {
  readonly recordedEach: readonly number[];
  readonly simulatedEach: readonly number[];
}

export interface ExitRow extends Row {
  readonly name: ExitClass;
  /** of the recorded ones, those that the simulated guest was made to do */
  readonly driven: number;
}

interface InjectionRow extends Row {
  readonly recordedVectors: readonly number[];
  readonly simulatedVectors: readonly number[];
}

/** A source: how often it raised there, and how often the simulated guest handled it. */
export interface SourceRow extends Numbers {
  readonly kind: RecordedSource['kind'];
}

export interface GuestReport {
  /** there and here */
  readonly name: string;
  readonly as: string;
  readonly vcpus: number;
  readonly sources: readonly SourceRow[];
  readonly exits: readonly ExitRow[];
  readonly injections: readonly InjectionRow[];
}

export interface ImportReport {
  readonly capture: TraceCapture;
  readonly system: string;
  readonly seed: number;
  readonly guests: readonly GuestReport[];
  readonly irqs: readonly SourceRow[];
}

export async function measureImport(capture: TraceCapture, seed: number): Promise<ImportReport> {
  const machine = replayMachine(capture, seed);
  const end = REPLAY_BEGIN + capture.length + REST;
  const tally = new ReplayTally(traceHost(machine), REPLAY_BEGIN, end);
  const exporter = new TraceExporter(machine.shop.trace, machine.clock, tally);
  for (let now = 0; now < end; ) {
    now = Math.min(now + SLICE, end);
    machine.runUntil(now);
    exporter.advance(now);
    await setImmediate();
  }
  exporter.end(end);
  return reportOf(capture, machine, tally);
}

function reportOf(capture: TraceCapture, machine: Machine, tally: ReplayTally): ImportReport {
  const { domains } = takeSnapshot(machine);
  return {
    capture,
    system: machine.platform.system,
    seed: machine.seed,
    guests: capture.guests.map((guest, n) => {
      const domain = domains[n + 1]!;
      const { exits, injections } = tally.guests[n + 1]!;
      return {
        name: guest.name,
        as: domain.name,
        vcpus: guest.vcpus,
        sources: guest.sources.map((source) => sourceRow(source, domain)),
        exits: exitRows(guest, exits),
        injections: injectionRows(guest, domain, injections),
      };
    }),
    irqs: capture.irqs.map((source) => sourceRow(source, domains[0]!)),
  };
}

/** Interrupts that a domain's kernel has counted of a source. */
function sourceRow({ name, kind, vcpu, raises }: RecordedSource, domain: DomainSnapshot): SourceRow {
  return { name, kind, recorded: raises, simulated: handled(domain, kind, name, vcpu) };
}

function handled(
  { interrupts }: DomainSnapshot,
  kind: RecordedSource['kind'],
  name: string,
  vcpu: number,
): number {
  const onCpu = (label: string) => interrupts.arch.find((r) => r.label === label)?.counts[vcpu] ?? 0;
  const sum = (action: string) =>
    interrupts.rows
      .filter((r) => r.actions.includes(action))
      .reduce((n, r) => n + r.counts.reduce((a, b) => a + b, 0), 0);
  if (kind === 'ipi') return onCpu('CAL');
  // a guest of Xen's has a row for the timer of each virtual CPU
  if (kind === 'timer') return sum(`timer${vcpu}`) || onCpu('LOC');
  return sum(name);
}

function exitRows({ exits, driven }: RecordedGuest, simulated: Tally<ExitClass>): ExitRow[] {
  return EXIT_CLASSES.filter((c) => exits.bySecond.has(c) || simulated.bySecond.has(c)).map((name) => ({
    name,
    recorded: exits.total(name),
    simulated: simulated.total(name),
    driven: driven.get(name) ?? 0,
    recordedEach: exits.bySecond.get(name) ?? [],
    simulatedEach: simulated.bySecond.get(name) ?? [],
  }));
}

/**
 * A guest's kernel chooses its vectors: what came by one there and by another here is one row if it has the same source.
 * Vectors that several sources share, as the upcall of Xen, are one row too.
 */
function injectionRows(
  { injections, sources, vcpus }: RecordedGuest,
  domain: DomainSnapshot,
  simulated: Tally<string>,
): InjectionRow[] {
  const rows = new Map<string, Mutable>();
  const row = (name: string) => {
    let found = rows.get(name);
    if (!found) {
      found = { name, there: new Set(), here: new Set(), recordedEach: [], simulatedEach: [] };
      rows.set(name, found);
    }
    return found;
  };
  for (const [vector, counts] of injections.bySecond) {
    const to = row(nameThere(sources, vector));
    to.there.add(vector);
    addUp(to.recordedEach, counts);
  }
  const names = domain.x86?.vectors ?? [];
  for (let vcpu = 0; vcpu < vcpus; vcpu++) {
    for (let vector = 0; vector < 256; vector++) {
      const counts = simulated.bySecond.get(vectorKey(vcpu, vector));
      if (!counts) continue;
      const to = row(nameHere(sources, names[vcpu]?.[vector], vector));
      to.here.add(vector);
      addUp(to.simulatedEach, counts);
    }
  }
  const total = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
  return [...rows.values()]
    .map(({ name, there, here, recordedEach, simulatedEach }) => ({
      name,
      recorded: total(recordedEach),
      simulated: total(simulatedEach),
      recordedVectors: [...there].sort((a, b) => a - b),
      simulatedVectors: [...here].sort((a, b) => a - b),
      recordedEach,
      simulatedEach,
    }))
    .sort((a, b) => b.recorded - a.recorded || b.simulated - a.simulated);
}

interface Mutable {
  readonly name: string;
  readonly there: Set<number>;
  readonly here: Set<number>;
  readonly recordedEach: number[];
  readonly simulatedEach: number[];
}

function addUp(to: number[], counts: readonly number[]): void {
  counts.forEach((count, second) => {
    to[second] = (to[second] ?? 0) + count;
  });
  for (let i = 0; i < to.length; i++) to[i] ??= 0;
}

const UPCALL = 'upcall';
const UPCALL_VECTOR = 0xf3;
const TIMER = 'timer';
const IPI = 'IPI';

/** What came by a vector there. */
function nameThere(sources: readonly RecordedSource[], vector: number): string {
  if (vector === UPCALL_VECTOR) return UPCALL;
  const of = sources.filter((s) => s.vectors.includes(vector));
  const kinds = new Set(of.map((s) => s.kind));
  if (kinds.has('timer')) return TIMER;
  if (kinds.has('ipi')) return IPI;
  return of[0] ? base(of[0]) : vectorText(vector);
}

/** What comes by a vector here, by the handlers behind it. */
function nameHere(sources: readonly RecordedSource[], handlers: string | undefined, vector: number): string {
  if (vector === UPCALL_VECTOR) return UPCALL;
  const known = handlers?.split(', ') ?? [];
  const source = sources.find((s) => known.includes(s.name));
  if (source) return base(source);
  const [first = ''] = known;
  if (/^(timer|local timer)/.test(first)) return TIMER;
  if (/^(callfunc|resched)/.test(first)) return IPI;
  return first === '' ? `${vectorText(vector)} of this kernel` : first;
}

/** One message may be for several virtual CPUs in turn. */
function base({ kind, name }: RecordedSource): string {
  return kind === 'message' ? name.replace(/\.\d+$/, '') : name;
}
