/**
 * The JSON of Chrome's tracing, which Perfetto and chrome://tracing open (Trace Event Format): who has each physical CPU,
 * each virtual CPU's handlers and exits as slices that nest, an arrow from what caused a handler, rates as counters.
 */
import type { Ns } from '../../core/clock.ts';
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { encode } from './bytes.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

/** between two values of a counter */
const COUNTED: Ns = 100_000_000;
/** arrows that may be under way at a time, a power of two */
const ARROWS = 4096;

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
  private text: string;
  private readonly puts: (Put | undefined)[];
  private readonly tracks = new Map<number, Track>();
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
    this.text = `{"displayTimeUnit":"ns","otherData":${JSON.stringify({ scenario, seed: String(seed), system })},"traceEvents":[\n`;
    this.exitNames = new Map(host.exits);
    this.exits = domains.map(() => new Map());
    this.handlers = domains.map(() => 0);
    this.name('process_name', CPUS, 0, 'physical CPUs');
    domains.forEach((name, id) => {
      this.name('process_name', processOf(id), 0, name);
    });
    this.cpus = Array.from({ length: cpus }, (_, cpu) => this.track(CPUS, cpu + 1, `CPU${cpu}`));
    for (const { domain, vcpu, hvm } of host.vcpus) {
      this.track(processOf(domain), handlersOf(vcpu), `vCPU ${vcpu}`);
      if (hvm) this.track(processOf(domain), exitsOf(vcpu), `vCPU ${vcpu} exits`);
    }
    if (host.kind !== 'xen-x86' && host.kind !== 'xen-arm') {
      this.cpus.forEach((_, cpu) => {
        this.track(processOf(0), handlersOf(cpu), `CPU ${cpu}`);
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
        const track = this.exitTrack(rows[at + A]!);
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
        const track = this.handlerTrack(rows[at + A]!, rows[at + A + 2]!);
        if (track?.open) this.close(track, rows[at]!);
      };
    }
    return undefined;
  }

  private handlerTrack(domain: number, vcpu: number): Track | undefined {
    return this.tracks.get(keyOf(processOf(domain), handlersOf(vcpu)));
  }

  private exitTrack(index: number): Track | undefined {
    const v = this.host.vcpus[index];
    return v && this.tracks.get(keyOf(processOf(v.domain), exitsOf(v.vcpu)));
  }

  private handler(rows: Float64Array, at: number): void {
    const [domain, irq, vcpu] = [rows[at + ROW.args]!, rows[at + ROW.args + 1]!, rows[at + ROW.args + 2]!];
    const track = this.handlerTrack(domain, vcpu);
    if (!track) return;
    this.handlers[domain]!++;
    const number = irq < 0 ? `vector 0x${(-irq).toString(16)}` : `IRQ ${irq}`;
    this.open(track, `${number} ${this.host.action(domain, irq)}`.trimEnd(), 'irq', rows[at]!);
    const journey = rows[at + ROW.journey]!;
    if (journey === 0 || this.arrows[journey % ARROWS] !== journey) return;
    this.arrows[journey % ARROWS] = 0;
    this.event(
      `"ph":"f","bp":"e","cat":"journey","name":"interrupt","id":${journey},${track.place},"ts":${stamp(rows[at]!)}`,
    );
  }

  private exit(rows: Float64Array, at: number, reason: number): void {
    const track = this.exitTrack(rows[at + ROW.args]!);
    if (!track) return;
    const { domain } = this.host.vcpus[rows[at + ROW.args]!]!;
    const exits = this.exits[domain]!;
    exits.set(reason, (exits.get(reason) ?? 0) + 1);
    if (track.open > 0) this.close(track, rows[at]!);
    this.open(track, this.exitNames.get(reason) ?? `0x${reason.toString(16)}`, 'exit', rows[at]!);
  }

  private runs(track: Track | undefined, task: number, time: Ns): void {
    if (!track) return;
    if (track.open > 0) this.close(track, time);
    const next = this.host.tasks[task];
    if (next) this.open(track, next.comm, 'sched', time);
  }

  private arrowFrom(rows: Float64Array, at: number): void {
    const journey = rows[at + ROW.journey]!;
    const track = this.cpus[rows[at + ROW.cpu]!];
    if (journey === 0 || !track?.open || this.arrows[journey % ARROWS] === journey) return;
    this.arrows[journey % ARROWS] = journey;
    this.event(
      `"ph":"s","cat":"journey","name":"interrupt","id":${journey},${track.place},"ts":${stamp(rows[at]!)}`,
    );
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
    this.event(`"ph":"C","name":"${name}","pid":${processOf(domain)},"ts":${stamp(time)},"args":{${args}}`);
  }

  // slices

  private track(process: number, thread: number, name: string): Track {
    const track = { place: `"pid":${process},"tid":${thread}`, open: 0 };
    this.tracks.set(keyOf(process, thread), track);
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

  private open(track: Track, name: string, category: string, time: Ns): void {
    track.open++;
    this.event(
      `"ph":"B","cat":"${category}","name":${JSON.stringify(name)},${track.place},"ts":${stamp(time)}`,
    );
  }

  private close(track: Track, time: Ns): void {
    track.open--;
    this.event(`"ph":"E",${track.place},"ts":${stamp(time)}`);
  }

  private event(members: string): void {
    this.text += this.first ? `{${members}}` : `,\n{${members}}`;
    this.first = false;
  }

  flush(): void {
    if (this.text === '') return;
    this.files.append(encode(this.text));
    this.text = '';
  }

  end(now: Ns): void {
    const end = Math.max(now, this.last);
    if (this.counted >= 0 && end > this.counted) this.count(end);
    for (const track of this.tracks.values()) while (track.open > 0) this.close(track, end);
    this.text += '\n]}\n';
    this.flush();
  }
}

interface Track {
  /** its members `pid` and `tid` */
  readonly place: string;
  /** slices that are open on it */
  open: number;
}

function keyOf(process: number, thread: number): number {
  return process * 65_536 + thread;
}

/** Microseconds, to the nanosecond. */
function stamp(time: Ns): string {
  const us = Math.floor(time / 1000);
  return `${us}.${String(time - us * 1000).padStart(3, '0')}`;
}
