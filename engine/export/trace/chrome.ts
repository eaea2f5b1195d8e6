/**
 * The JSON of Chrome's tracing, which Perfetto and chrome://tracing open (Trace Event Format): who has each physical CPU,
 * each virtual CPU's handlers and exits as slices that nest, an arrow from what caused a handler, rates as counters.
 */
import type { Ns } from '../../core/clock.ts';
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { Label } from './bytes.ts';
import { Text } from './text.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

/** between two values of a counter */
const COUNTED: Ns = 100_000_000;
/** arrows that may be under way at a time, a power of two */
const ARROWS = 4096;

const FIRST = new Label('{');
const NEXT = new Label(',\n{');
const CLOSE = new Label('}');
const ARROW_BEGINS = new Label('"ph":"s","cat":"journey","name":"interrupt","id":');
const ARROW_ENDS = new Label('"ph":"f","bp":"e","cat":"journey","name":"interrupt","id":');

const CPUS = 0;
const processOf = (domain: number) => domain + 1;
const handlersOf = (vcpu: number) => 2 * vcpu + 1;
const exitsOf = (vcpu: number) => 2 * vcpu + 2;

/** Where an interrupt's way begins on a CPU. */
const CAUSES: ReadonlySet<string> = new Set([
  'evtchn_send',
  'do_IRQ',
  'kvm_set_irq',
  'kvm_msi_set_irq',
  'generic_handle_irq',
]);
/** Exits, with the place of the reason, and entries. */
const EXITS: Readonly<Record<string, number>> = { kvm_exit: 1, vmexit: 1, guest_exit: 1 };
const ENTRIES: ReadonlySet<string> = new Set(['kvm_entry', 'vmentry', 'eret']);

type Put = (rows: Float64Array, at: number) => void;

export class ChromeWriter implements TraceWriter {
  private readonly out = new Text();
  /** how slices begin: of tasks, of reasons, of domains' handlers by interrupt, as far as those are known */
  private readonly taskSlices: readonly Label[];
  private readonly exitSlices: Label[] = [];
  private readonly handlerSlices: readonly Map<number, Label>[];
  private readonly puts: (Put | undefined)[];
  private readonly tracks: Track[] = [];
  /** of handlers by domain and virtual CPU, of exits by index of virtual CPU */
  private readonly handlerTracks: readonly Track[][];
  private readonly exitTracks: (Track | undefined)[] = [];
  private readonly cpus: Track[];
  /** by journey: who has caused it on a CPU, until its handler runs */
  private readonly arrows = new Float64Array(ARROWS);
  private readonly exitNames: ReadonlyMap<number, string>;
  /** by domain: exits by reason and handlers since the last value of the counters */
  private readonly exits: Map<number, number>[];
  private readonly handlers: number[];
  private counted: Ns = -1;
  private last: Ns = 0;
  private first = true;
  /** tasks that had their CPU before the first record */
  private readonly pending: [cpu: number, task: number][] = [];

  constructor(
    private readonly host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const { scenario, seed, system, domains, cpus, points, running } = host;
    this.out.text(
      `{"displayTimeUnit":"ns","otherData":${JSON.stringify({ scenario, seed: String(seed), system })},"traceEvents":[\n`,
    );
    this.exitNames = new Map(host.exits);
    this.taskSlices = host.tasks.map(({ comm }) => slice('sched', comm));
    this.handlerSlices = domains.map(() => new Map());
    this.handlerTracks = domains.map(() => []);
    this.exits = domains.map(() => new Map());
    this.handlers = domains.map(() => 0);
    this.name('process_name', CPUS, 0, 'physical CPUs');
    domains.forEach((name, id) => {
      this.name('process_name', processOf(id), 0, name);
    });
    this.cpus = Array.from({ length: cpus }, (_, cpu) => this.track(CPUS, cpu + 1, `CPU${cpu}`));
    for (const { domain, vcpu, hvm } of host.vcpus) {
      this.handlerTracks[domain]![vcpu] = this.track(processOf(domain), handlersOf(vcpu), `vCPU ${vcpu}`);
      const exits = hvm ? this.track(processOf(domain), exitsOf(vcpu), `vCPU ${vcpu} exits`) : undefined;
      this.exitTracks.push(exits);
    }
    if (host.kind !== 'xen-x86' && host.kind !== 'xen-arm') {
      this.cpus.forEach((_, cpu) => {
        this.handlerTracks[0]![cpu] = this.track(processOf(0), handlersOf(cpu), `CPU ${cpu}`);
      });
    }
    running.forEach((task, cpu) => {
      this.pending.push([cpu, task]);
    });
    this.puts = points.map(({ name }) => this.putOf(name));
  }

  readonly record: TakeRow = (rows, at) => {
    const time = rows[at]!;
    this.last = time;
    if (this.counted < 0) this.begin(time);
    else if (time >= this.counted + COUNTED) this.count(time);
    this.puts[rows[at + ROW.point]!]?.(rows, at);
  };

  private begin(time: Ns): void {
    this.counted = time;
    for (const [cpu, task] of this.pending) this.runs(this.cpus[cpu], task, time);
  }

  private putOf(name: string): Put | undefined {
    const put = this.sliceOf(name);
    if (!CAUSES.has(name)) return put;
    return (rows, at) => {
      this.arrowFrom(rows, at);
      put?.(rows, at);
    };
  }

  private sliceOf(name: string): Put | undefined {
    const A = ROW.args;
    const { host } = this;
    const reason = EXITS[name];
    if (reason !== undefined) return (rows, at) => this.exit(rows, at, rows[at + A + reason]!);
    if (ENTRIES.has(name)) {
      return (rows, at) => {
        const track = this.exitTracks[rows[at + A]!];
        if (track?.open) this.close(track, rows[at]!);
      };
    }
    const switches = host.kind === 'kvm' ? 'thread_switch' : 'sched_switch';
    if (name === switches) {
      const next = A + (host.kind === 'kvm' ? 2 : 1);
      return (rows, at) => {
        if (host.kind === 'kvm' && rows[at + A] !== 0) return;
        this.runs(this.cpus[rows[at + ROW.cpu]!], rows[at + next]!, rows[at]!);
      };
    }
    if (host.kind === 'imported') return undefined;
    if (name === 'irq_handler_entry') return (rows, at) => this.handler(rows, at);
    if (name === 'irq_handler_exit') {
      return (rows, at) => {
        const track = this.handlerTracks[rows[at + A]!]?.[rows[at + A + 2]!];
        if (track?.open) this.close(track, rows[at]!);
      };
    }
    return undefined;
  }

  private handler(rows: Float64Array, at: number): void {
    const [domain, irq, vcpu] = [rows[at + ROW.args]!, rows[at + ROW.args + 1]!, rows[at + ROW.args + 2]!];
    const track = this.handlerTracks[domain]?.[vcpu];
    if (!track) return;
    this.handlers[domain]!++;
    this.open(track, this.handlerSlice(domain, irq), rows[at]!);
    const journey = rows[at + ROW.journey]!;
    if (journey === 0 || this.arrows[journey % ARROWS] !== journey) return;
    this.arrows[journey % ARROWS] = 0;
    this.arrow(ARROW_ENDS, track, journey, rows[at]!);
  }

  /** With the names of its drivers, which come while a kernel boots. */
  private handlerSlice(domain: number, irq: number): Label {
    const known = this.handlerSlices[domain]!.get(irq);
    if (known) return known;
    const number = irq < 0 ? `vector 0x${(-irq).toString(16)}` : `IRQ ${irq}`;
    const action = this.host.action(domain, irq);
    const begin = slice('irq', `${number} ${action}`.trimEnd());
    if (action !== '') this.handlerSlices[domain]!.set(irq, begin);
    return begin;
  }

  private exit(rows: Float64Array, at: number, reason: number): void {
    const track = this.exitTracks[rows[at + ROW.args]!];
    if (!track) return;
    const { domain } = this.host.vcpus[rows[at + ROW.args]!]!;
    const exits = this.exits[domain]!;
    exits.set(reason, (exits.get(reason) ?? 0) + 1);
    if (track.open > 0) this.close(track, rows[at]!);
    this.exitSlices[reason] ??= slice('exit', this.exitNames.get(reason) ?? `0x${reason.toString(16)}`);
    this.open(track, this.exitSlices[reason], rows[at]!);
  }

  private runs(track: Track | undefined, task: number, time: Ns): void {
    if (!track) return;
    if (track.open > 0) this.close(track, time);
    const next = this.taskSlices[task];
    if (next) this.open(track, next, time);
  }

  private arrowFrom(rows: Float64Array, at: number): void {
    const journey = rows[at + ROW.journey]!;
    const track = this.cpus[rows[at + ROW.cpu]!];
    if (journey === 0 || !track?.open || this.arrows[journey % ARROWS] === journey) return;
    this.arrows[journey % ARROWS] = journey;
    this.arrow(ARROW_BEGINS, track, journey, rows[at]!);
  }

  // counters

  private count(time: Ns): void {
    const per = 1e9 / (time - this.counted);
    this.host.domains.forEach((_, domain) => {
      const rates = [...this.exits[domain]!].map(
        ([reason, n]) =>
          `${JSON.stringify(this.exitNames.get(reason) ?? String(reason))}:${Math.round(n * per)}`,
      );
      if (rates.length > 0) this.counter(domain, 'exits/s', rates.join(','), time);
      this.counter(domain, 'interrupts/s', `"handled":${Math.round(this.handlers[domain]! * per)}`, time);
      for (const reason of this.exits[domain]!.keys()) this.exits[domain]!.set(reason, 0);
      this.handlers[domain] = 0;
    });
    this.counted = time;
  }

  private counter(domain: number, name: string, args: string, time: Ns): void {
    this.event(
      `"ph":"C","name":"${name}","pid":${processOf(domain)},"ts":${(time / 1000).toFixed(3)},"args":{${args}}`,
    );
  }

  // slices

  private track(process: number, thread: number, name: string): Track {
    const place = `"pid":${process},"tid":${thread},"ts":`;
    const track = { open: 0, opens: new Label(`,${place}`), closes: new Label(`"ph":"E",${place}`) };
    this.tracks.push(track);
    this.name('thread_name', process, thread, name);
    this.event(
      `"ph":"M","name":"thread_sort_index","pid":${process},"tid":${thread},"args":{"sort_index":${thread}}`,
    );
    return track;
  }

  private name(what: string, process: number, thread: number, name: string): void {
    this.event(
      `"ph":"M","name":"${what}","pid":${process},"tid":${thread},"args":{"name":${JSON.stringify(name)}}`,
    );
  }

  private open(track: Track, begin: Label, time: Ns): void {
    track.open++;
    const { out } = this;
    this.next();
    out.put(begin);
    out.put(track.opens);
    out.thousandths(time);
    out.put(CLOSE);
  }

  private close(track: Track, time: Ns): void {
    track.open--;
    const { out } = this;
    this.next();
    out.put(track.closes);
    out.thousandths(time);
    out.put(CLOSE);
  }

  private arrow(which: Label, track: Track, journey: number, time: Ns): void {
    const { out } = this;
    this.next();
    out.put(which);
    out.decimal(journey);
    out.put(track.opens);
    out.thousandths(time);
    out.put(CLOSE);
  }

  /** One whose members are seldom written. */
  private event(members: string): void {
    this.next();
    this.out.text(members);
    this.out.put(CLOSE);
  }

  /** Another event begins. */
  private next(): void {
    this.out.spill(this.files);
    this.out.put(this.first ? FIRST : NEXT);
    this.first = false;
  }

  flush(): void {}

  end(now: Ns): void {
    const end = Math.max(now, this.last);
    if (this.counted >= 0 && end > this.counted) this.count(end);
    for (const track of this.tracks) while (track.open > 0) this.close(track, end);
    this.out.text('\n]}\n');
    this.out.handOver(this.files);
  }
}

interface Track {
  /** how a slice's place goes on behind its name, and how the end of one begins, both up to the time */
  readonly opens: Label;
  readonly closes: Label;
  /** slices that are open on it */
  open: number;
}

/** How a slice begins. */
function slice(category: string, name: string): Label {
  return new Label(`"ph":"B","cat":"${category}","name":${JSON.stringify(name)}`);
}
