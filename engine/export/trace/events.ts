/**
 * Records as events: on a KVM host what Linux has tracepoints for is such an event, everything else is an event of the
 * system `virqtop` with the record's own words. Each is in the context of the task that has its CPU.
 */
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { Label } from './bytes.ts';
import { kvmEvents } from './linux-events.ts';
import { type Filling, type LinuxPoint, symbols } from './linux-point.ts';
import { decimal, named, Phrase } from './phrase.ts';
import { COMM, declare, type EventSpec, type EventType } from './schema.ts';

/** What no CPU does, as a device's message on its way, is in the context of this task, on a CPU behind the last. */
export const OUTSIDE = { pid: 1, comm: 'outside' } as const;

const NOBODY = new Label('');
const FIRST_ID = 300;

/** An event, as whoever takes it finds it: overwritten by the next. */
export interface CurrentEvent {
  /** of its record, which begins at `at` */
  readonly rows: Float64Array;
  readonly at: number;
  /** one more than the last physical CPU stands for what is outside */
  readonly cpu: number;
  readonly pid: number;
  /** from `base` on */
  readonly values: Float64Array;
  readonly base: number;
  readonly strings: readonly Label[];
}

/** What becomes of the records of a tracepoint. */
interface Point {
  readonly own: EventType;
  readonly linux: LinuxPoint | undefined;
  /** those of `linux` */
  readonly types: readonly EventType[];
  /** where the task is that has the CPU from now on; 0: no record of a switch */
  readonly next: number;
}

export class EventStream implements Filling, CurrentEvent {
  /** all there can be */
  readonly types: EventType[] = [];
  /** CPUs, with what is outside them */
  readonly cpus: number;
  /** of an event that is not its record */
  readonly filled = new Float64Array(8);
  readonly strings = [NOBODY, NOBODY];
  readonly pids: Int32Array;
  readonly vcpuPids: Int32Array;
  readonly vcpuNumbers: Int32Array;
  readonly comms: readonly Label[];
  readonly idleComms: readonly Label[];
  rows: Float64Array = this.filled;
  at = 0;
  values: Float64Array = this.filled;
  base = 0;
  cpu = 0;
  pid = 0;
  /** drivers by domain and interrupt, as far as they are known */
  private readonly actions: Map<number, Label>[];
  /** by CPU: the pid of who has it */
  private readonly current: number[];
  private readonly points: readonly Point[];

  constructor(
    readonly host: TraceHost,
    private readonly out: (type: EventType, event: CurrentEvent) => void,
  ) {
    this.cpus = host.cpus + 1;
    this.actions = host.domains.map(() => new Map());
    this.current = [...host.running.map((task) => host.tasks[task]?.pid ?? 0), OUTSIDE.pid];
    this.pids = Int32Array.from(host.tasks, ({ pid }) => pid);
    this.vcpuPids = Int32Array.from(host.vcpus, ({ task }) => this.pids[task] ?? 0);
    this.vcpuNumbers = Int32Array.from(host.vcpus, ({ vcpu }) => vcpu);
    this.comms = host.tasks.map(({ comm }) => commOf(comm));
    this.idleComms = Array.from({ length: host.cpus }, (_, cpu) => commOf(`swapper/${cpu}`));
    const linux = host.kind === 'kvm' ? kvmEvents(host) : [];
    const switches = host.kind === 'kvm' ? 'thread_switch' : 'sched_switch';
    this.points = host.points.map(({ name, args }) => {
      const own = this.declare(ownEvent(host, name, args));
      const known = linux.find(({ of }) => of === name);
      const types = known?.events.map((event) => this.declare(event)) ?? [];
      return { own, linux: known, types, next: name === switches ? ROW.args + args.indexOf('next') : 0 };
    });
  }

  /** Asked for until there is one: drivers come while a kernel boots. */
  action(domain: number, irq: number): Label {
    const known = this.actions[domain]!.get(irq);
    if (known) return known;
    const action = this.host.action(domain, irq);
    if (action === '') return NOBODY;
    const label = new Label(action);
    this.actions[domain]!.set(irq, label);
    return label;
  }

  private declare(spec: EventSpec): EventType {
    const type = declare(FIRST_ID + this.types.length, spec);
    this.types.push(type);
    return type;
  }

  readonly record: TakeRow = (rows, at) => {
    const point = this.points[rows[at + ROW.point]!]!;
    const cpu = rows[at + ROW.cpu]! | 0;
    this.rows = rows;
    this.at = at;
    this.cpu = cpu < 0 ? this.cpus - 1 : cpu;
    this.pid = this.current[this.cpu]!;
    const type = point.linux ? this.linuxEvent(point, point.linux) : this.ownEvent(point);
    if (point.next > 0) this.switchTo(point.next);
    this.out(type, this);
  };

  private ownEvent({ own }: Point): EventType {
    this.values = this.rows;
    this.base = this.at;
    return own;
  }

  private linuxEvent(point: Point, { events, which }: LinuxPoint): EventType {
    const n = which ? which(this, this.rows, this.at) : 0;
    if (n < 0) return this.ownEvent(point);
    events[n]!.fill(this, this.rows, this.at);
    this.values = this.filled;
    this.base = 0;
    return point.types[n]!;
  }

  /** What follows on the CPU is in the context of the next one: of KVM's host if it is its thread, of Xen's virtual CPU. */
  private switchTo(next: number): void {
    const { host, rows, at } = this;
    if (host.kind === 'kvm' && rows[at + ROW.args] !== 0) return;
    this.current[this.cpu] = this.pids[rows[at + next]!] ?? 0;
  }

  /** The names of all tasks there are, by pid. */
  names(): Map<number, string> {
    const tasks = this.host.tasks.map(({ pid, comm }) => [pid, comm] as const);
    return new Map([[OUTSIDE.pid, OUTSIDE.comm], ...tasks]);
  }
}

/** Arguments that are registers, addresses or times; all others are small numbers, of which some are negative. */
const WIDE: ReadonlySet<string> = new Set([
  'address',
  'data',
  'esr',
  'high',
  'icr',
  'info',
  'low',
  'qualification',
  'tsc_in',
  'tsc_out',
]);

function typeOf(arg: string): 's32' | 's64' {
  return WIDE.has(arg) ? 's64' : 's32';
}

/** The record's arguments as they are, and its journey. */
function ownEvent({ exits }: TraceHost, name: string, args: readonly string[]): EventSpec {
  const isReason = (arg: string) => arg === 'reason' && exits.length > 0;
  const keys = [...args, 'journey'].map((arg, i) => `${i ? ' ' : ''}${arg}=`);
  const formats = args.map((arg) => `${arg}=${isReason(arg) ? '%s' : typeOf(arg) === 's64' ? '%lld' : '%d'}`);
  const operands = args.map((arg) =>
    isReason(arg) ? `__print_symbolic(REC->${arg}, ${symbols(exits)})` : `REC->${arg}`,
  );
  const places = args.map((_, i) => ROW.args + i);
  return {
    system: 'virqtop',
    name,
    fields: ['u64 journey', ...args.map((arg) => `${typeOf(arg)} ${arg}`)],
    places: [ROW.journey, ...places],
    print: `"${[...formats, 'journey=%llu'].join(' ')}", ${[...operands, 'REC->journey'].join(', ')}`,
    text: new Phrase(
      [...keys, ''],
      [
        ...args.map((arg, i) => (isReason(arg) ? named(places[i]!, exits) : decimal(places[i]!))),
        decimal(ROW.journey),
      ],
    ),
  };
}

/** As a task's name is stored: what fits, and a zero behind it. */
function commOf(text: string): Label {
  return new Label(text.slice(0, COMM - 1));
}
