/**
 * Records as events: on a KVM host what Linux has tracepoints for is such an event, everything else is an event of the
 * system `virqtop` with the record's own words. Each is in the context of the task that has its CPU.
 */
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { type Filling, kvmEvents, type LinuxEvent, symbols } from './linux-events.ts';
import { declare, type EventSpec, type EventType } from './schema.ts';

/** What no CPU does, as a device's message on its way, is in the context of this task, on a CPU behind the last. */
export const OUTSIDE = { pid: 1, comm: 'outside' } as const;

const FIRST_ID = 300;
const SWITCHES: ReadonlySet<string> = new Set(['thread_switch', 'sched_switch']);

/** An event, as whoever takes it finds it: overwritten by the next. */
export interface CurrentEvent {
  readonly time: number;
  /** one more than the last physical CPU stands for what is outside */
  readonly cpu: number;
  readonly pid: number;
  readonly values: Float64Array;
  readonly strings: readonly string[];
}

type Choice = (rows: Float64Array, at: number) => EventType;

export class EventStream implements Filling, CurrentEvent {
  /** all there can be */
  readonly types: EventType[] = [];
  /** CPUs, with what is outside them */
  readonly cpus: number;
  readonly values = new Float64Array(8);
  readonly strings = ['', ''];
  time = 0;
  cpu = 0;
  pid = 0;
  /** drivers by domain and interrupt, as far as they are known */
  private readonly actions: Map<number, string>[];
  /** by CPU: the pid of who has it */
  private readonly current: number[];
  /** by tracepoint */
  private readonly choices: Choice[];

  constructor(
    readonly host: TraceHost,
    private readonly out: (type: EventType, event: CurrentEvent) => void,
  ) {
    this.cpus = host.cpus + 1;
    this.actions = host.domains.map(() => new Map());
    this.current = [...host.running.map((task) => host.tasks[task]?.pid ?? 0), OUTSIDE.pid];
    const linux = host.kind === 'kvm' ? kvmEvents(host) : [];
    this.choices = host.points.map(({ name, args }) => {
      const own = this.declare(ownEvent(host, name, args));
      const fillOwn: Choice = (rows, at) => this.fillOwn(own, rows, at);
      const known = linux.filter(({ of }) => of === name).map((spec) => [spec, this.declare(spec)] as const);
      const choice = known.length === 0 ? fillOwn : this.choose(known, fillOwn);
      return SWITCHES.has(name) ? this.switching(name, choice) : choice;
    });
  }

  /** Asked for until there is one: drivers come while a kernel boots. */
  action(domain: number, irq: number): string {
    const known = this.actions[domain]!.get(irq);
    if (known !== undefined) return known;
    const action = this.host.action(domain, irq);
    if (action !== '') this.actions[domain]!.set(irq, action);
    return action;
  }

  private declare(spec: EventSpec): EventType {
    const type = declare(FIRST_ID + this.types.length, spec);
    this.types.push(type);
    return type;
  }

  readonly record: TakeRow = (rows, at) => {
    const cpu = rows[at + ROW.cpu]!;
    this.time = rows[at + ROW.time]!;
    this.cpu = cpu < 0 ? this.cpus - 1 : cpu;
    this.pid = this.current[this.cpu]!;
    this.out(this.choices[rows[at + ROW.point]!]!(rows, at), this);
  };

  private fillOwn(type: EventType, rows: Float64Array, at: number): EventType {
    const { values } = this;
    const { length } = type.fields;
    values[0] = rows[at + ROW.journey]!;
    for (let i = 1; i < length; i++) values[i] = rows[at + ROW.args - 1 + i]!;
    return type;
  }

  private choose(known: readonly (readonly [LinuxEvent, EventType])[], otherwise: Choice): Choice {
    return (rows, at) => {
      for (const [{ when, fill }, type] of known) {
        if (when && !when(this, rows, at)) continue;
        fill(this, rows, at);
        return type;
      }
      return otherwise(rows, at);
    };
  }

  /** What follows on the CPU is in the context of the next one: of KVM's host if it is its thread, of Xen's virtual CPU. */
  private switching(name: string, choice: Choice): Choice {
    const { host, current } = this;
    const own = name === 'thread_switch';
    if (own !== (host.kind === 'kvm')) return choice;
    const next = own ? ROW.args + 2 : ROW.args + 1;
    return (rows, at) => {
      const type = choice(rows, at);
      if (!own || rows[at + ROW.args] === 0) current[this.cpu] = host.tasks[rows[at + next]!]?.pid ?? 0;
      return type;
    };
  }

  /** The names of all tasks there are, by pid. */
  comms(): Map<number, string> {
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
  const exitName = new Map(exits);
  const named = (arg: string) => arg === 'reason' && exits.length > 0;
  const reason = args.findIndex(named);
  const keys = args.map((arg, i) => `${i ? ' ' : ''}${arg}=`);
  const last = args.length > 0 ? ' journey=' : 'journey=';
  const formats = args.map((arg) => `${arg}=${named(arg) ? '%s' : typeOf(arg) === 's64' ? '%lld' : '%d'}`);
  const operands = args.map((arg) =>
    named(arg) ? `__print_symbolic(REC->${arg}, ${symbols(exits)})` : `REC->${arg}`,
  );
  return {
    system: 'virqtop',
    name,
    fields: ['u64 journey', ...args.map((arg) => `${typeOf(arg)} ${arg}`)],
    print: `"${[...formats, 'journey=%llu'].join(' ')}", ${[...operands, 'REC->journey'].join(', ')}`,
    text: (v) => {
      let text = '';
      for (let i = 0; i < keys.length; i++) {
        const value = v[i + 1]!;
        text += keys[i]! + (i === reason ? (exitName.get(value) ?? `0x${value.toString(16)}`) : value);
      }
      return `${text}${last}${v[0]}`;
    },
  };
}
