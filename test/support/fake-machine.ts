/**
 * A small machine for tests of the monitor: dom0 with 63 rows on 4 CPUs, two guests, 7 devices. Rows count
 * by periodic tasks, a fired device travels over five hops. Nothing is simulated beyond that.
 */
import { type Ns, Priority, type Task } from '../../engine/core/clock.ts';
import type { Tracepoint, TraceRecord } from '../../engine/core/trace.ts';
import type { IrqDetails } from '../../engine/machine/details.ts';
import { type Hop, type HopRow, type HopTable, hopOf } from '../../engine/machine/hops.ts';
import type {
  CpuSnapshot,
  DomainSnapshot,
  HopMode,
  IrqState,
  VcpuSnapshot,
  XenSnapshot,
} from '../../engine/machine/inspect.ts';
import {
  type Fireable,
  type HookSwitch,
  Machine,
  type Platform,
  type Runner,
  Workshop,
} from '../../engine/machine/machine.ts';
import type { ArchRow, IrqRow } from '../../engine/proc/types.ts';
import { NO_TRACE } from './no-trace.ts';

interface Row {
  readonly irq: number;
  readonly counts: number[];
  readonly chip: string;
  readonly flow: string;
  readonly action: string;
  pending: boolean;
  masked: boolean;
}

interface Domain {
  readonly id: number;
  readonly name: string;
  readonly kind: string;
  readonly vcpus: number;
  readonly rows: Row[];
  readonly resched: number[];
  readonly calls: number[];
}

/** name, device title, row of dom0 it interrupts */
const DEVICES = [
  ['kbd', 'i8042 keyboard', 1],
  ['mouse', 'i8042 mouse', 12],
  ['disk', 'ahci disk', 53],
  ['nic', 'e1000e network card', 64],
  ['uart', 'serial line', 4],
  ['usb', 'uhci controller', 23],
  ['rtc', 'real-time clock', 8],
] as const;

/** chip, flow handler, name of the rows above the per-CPU ones */
const PHYSICAL: readonly (readonly [irq: number, flow: string, action: string])[] = [
  [1, 'ioapic-edge', 'i8042'],
  [4, 'ioapic-edge', 'ttyS0'],
  [8, 'ioapic-edge', 'rtc0'],
  [9, 'ioapic-level', 'acpi'],
  [12, 'ioapic-edge', 'i8042'],
  [16, 'ioapic-level', 'i801_smbus'],
  [23, 'ioapic-level', 'uhci_hcd:usb3'],
];

const PER_CPU = ['timer', 'spinlock', 'resched', 'callfunc', 'callfuncsingle', 'irqwork'];

const LATE = [
  'evtchn:oxenstored',
  'evtchn:xenconsoled',
  'blkif-backend',
  'vif1.0-q0-tx',
  'vif1.0-q0-rx',
  'vif2.0-q0-tx',
  'vif2.0-q0-rx',
  'vif2.0-q1-tx',
  'vif2.0-q1-rx',
];

const ARCH: readonly (readonly [label: string, text: string])[] = [
  ['NMI', 'Non-maskable interrupts'],
  ['LOC', 'Local timer interrupts'],
  ['SPU', 'Spurious interrupts'],
  ['RES', 'Rescheduling interrupts'],
  ['CAL', 'Function call interrupts'],
  ['TLB', 'TLB shootdowns'],
  ['MCE', 'Machine check exceptions'],
  ['MCP', 'Machine check polls'],
];

export interface FakeOptions {
  readonly seed?: number;
  /** physical CPUs, dom0's vCPUs */
  readonly cpus?: number;
  /** the engine throws at this simulated moment */
  readonly failAt?: Ns;
  /** from this simulated moment on the snapshot breaks whoever draws it */
  readonly drawErrorAt?: Ns;
  /** every row counts so many times a second; without it only a few rows do, each at its own rate */
  readonly everyRow?: number;
  /** the machine is quiet: nothing happens unless fired */
  readonly quiet?: boolean;
  /** Xen as a domain of its own, after so many seconds */
  readonly xen?: (seconds: number, hook: boolean) => XenSnapshot;
  /** put into a row's name, to see what the screen makes of it */
  readonly oddName?: string;
}

export class FakePlatform implements Platform {
  readonly system = 'Xen 4.17 x86_64';
  readonly dumps = [];
  readonly xen?: () => XenSnapshot;
  readonly hook?: HookSwitch;

  pendingMismatch(): string[] {
    return [];
  }

  readonly fireables: Fireable[];
  private readonly all: Domain[];
  private readonly busy: { guest: number; xen: number; running: string | null; until: Ns }[];
  private interrupts = 0;
  private upcalls = 0;
  private readonly passed: Tracepoint;
  private readonly handled: Tracepoint;
  private readonly travel: Task[];

  constructor(
    private readonly shop: Workshop,
    private readonly options: FakeOptions,
  ) {
    const cpus = options.cpus ?? 4;
    this.passed = shop.trace.point('hop', 'step', 'irq', 'cpu');
    this.handled = shop.trace.point('irq_handler_entry', 'step', 'irq', 'cpu');
    this.all = [dom0(cpus, options.oddName), guest(1, 'dom1', 1), guest(2, 'dom2', 2)];
    this.busy = Array.from({ length: cpus }, () => ({ guest: 0, xen: 0, running: null, until: 0 }));
    const { xen } = options;
    if (xen) {
      const hook = { on: false, listen: () => {} };
      this.hook = hook;
      this.xen = () => xen(shop.clock.now / 1e9, hook.on);
    }
    if (!options.quiet) this.addLoad();
    if (options.failAt !== undefined) {
      shop.clock
        .task('fake.fail', Priority.hardware, () => {
          throw new Error('assertion failed: in-flight > 0');
        })
        .at(options.failAt);
    }
    this.travel = DEVICES.map(([name], i) =>
      shop.clock.task(`fake.${name}.travel`, Priority.hardware, (step, journey) =>
        this.travelOn(i, step, journey),
      ),
    );
    this.fireables = DEVICES.map(([name, title], i) => ({
      key: String(i + 1),
      name,
      title,
      fire: () => this.fire(i),
    }));
  }

  cpus(): CpuSnapshot[] {
    const { now } = this.shop.clock;
    return this.busy.map(({ guest, xen, running, until }, cpu) => ({
      cpu,
      running: until > now ? running : null,
      mode: until > now ? 'guest' : 'idle',
      guestNs: guest,
      xenNs: xen,
      idleNs: Math.max(0, now - guest - xen),
    }));
  }

  domains(): DomainSnapshot[] {
    return this.all.map((d) => this.domain(d));
  }

  hop(record: TraceRecord): Hop {
    return hopOf(FAKE_HOPS, null, record);
  }

  runner(vcpu: number): Runner {
    return { domain: vcpu < 0 ? null : 0, name: vcpu < 0 ? 'idle' : `dom0.${vcpu}` };
  }

  details(domain: number, irq: number): IrqDetails | undefined {
    return domain === 0 && irq === 53 ? FAKE_DETAILS : undefined;
  }

  waiting(records: readonly TraceRecord[]): string {
    return `${records.length} passed`;
  }

  totals(): { interrupts: number; upcalls: number } {
    return { interrupts: this.interrupts, upcalls: this.upcalls };
  }

  trace() {
    return NO_TRACE;
  }

  dump(): undefined {
    return undefined;
  }

  private domain(d: Domain): DomainSnapshot {
    const cpus = Array.from({ length: d.vcpus }, (_, i) => i);
    const rows: IrqRow[] = d.rows.map((r) => ({
      irq: r.irq,
      counts: [...r.counts],
      chip: r.chip,
      hwirq: null,
      trigger: null,
      name: r.flow,
      actions: [r.action],
    }));
    const irqStates: IrqState[] = d.rows.map((r, i) => ({
      row: rows[i]!,
      pending: r.pending,
      masked: r.masked,
      active: false,
      port: r.irq,
    }));
    const zero = new Array<number>(d.vcpus).fill(0);
    const arch: ArchRow[] = ARCH.map(([label, text]) => ({
      label,
      text,
      single: false,
      counts: label === 'RES' ? [...d.resched] : label === 'CAL' ? [...d.calls] : zero,
    }));
    arch.push({ label: 'ERR', text: '', single: true, counts: [0] });
    const vcpus: VcpuSnapshot[] = cpus.map((vcpu) => ({
      vcpu,
      state: 'blocked',
      cpu: vcpu % this.busy.length,
      runNs: 0,
      upcallPending: false,
      upcallMask: false,
      upcalls: 0,
    }));
    const interrupts = { dialect: '4.13' as const, cpus, rows, arch, precision: 3 };
    const softirqs = { cpus, rows: [] };
    const broken = this.shop.clock.now >= (this.options.drawErrorAt ?? Number.POSITIVE_INFINITY);
    const kind = () => {
      if (broken) throw new Error('cannot draw this');
      return d.kind;
    };
    return {
      id: d.id,
      name: d.name,
      get kind() {
        return kind();
      },
      vcpus,
      interrupts,
      irqStates,
      softirqs,
      channels: [],
    };
  }

  private addLoad(): void {
    const { clock, rng } = this.shop;
    for (const domain of this.all) {
      domain.rows.forEach((row, i) => {
        const perSecond = this.options.everyRow ?? usualRate(row);
        if (perSecond === 0) return;
        const cpu = perCpuOf(row) ?? i % domain.vcpus;
        const stream = rng.stream(`fake.${domain.name}.${row.irq}`);
        const period = 1e9 / perSecond;
        const task = clock.task(`fake.${domain.name}.${row.irq}`, Priority.hardware, () => {
          this.take(domain, row, cpu, 20_000);
          task.after(Math.round(row.action.startsWith('timer') ? period : stream.exponential(period)));
        });
        task.at(clock.now + Math.round(period * stream.unit()));
      });
    }
  }

  /** A row of a domain is interrupted on one of its CPUs. */
  private take(domain: Domain, row: Row, cpu: number, cost: Ns): void {
    const { trace, clock } = this.shop;
    row.counts[cpu] = row.counts[cpu]! + 1;
    trace.emit(this.passed, clock.now, 0, cpu, 0, row.irq);
    if (row.action.startsWith('resched')) domain.resched[cpu] = domain.resched[cpu]! + 1;
    if (row.action.startsWith('callfunc')) domain.calls[cpu] = domain.calls[cpu]! + 1;
    const pcpu = this.busy[(cpu + domain.id) % this.busy.length]!;
    pcpu.xen += Math.round(cost / 5);
    pcpu.guest += cost;
    pcpu.running = `${domain.name}.${cpu}`;
    pcpu.until = clock.now + 3_000_000;
    this.interrupts++;
    if (row.chip === 'xen-percpu') this.upcalls++;
  }

  private fire(device: number): number {
    const { books, trace, clock } = this.shop;
    const [name, , irq] = DEVICES[device]!;
    const journey = books.begin(books.sourceOf(name));
    trace.emit(this.passed, clock.now, journey, -1, 0, irq);
    this.travel[device]!.after(900, 1, journey);
    return journey;
  }

  private travelOn(device: number, step: number, journey: number): void {
    const { trace, clock } = this.shop;
    const irq = DEVICES[device]![2];
    const row = this.all[0]!.rows.find((r) => r.irq === irq)!;
    const cpu = irq % this.busy.length;
    const last = step === HOPS.length - 1;
    row.pending = step === 3;
    trace.emit(last ? this.handled : this.passed, clock.now, journey, cpu, step, irq, cpu);
    if (last) this.take(this.all[0]!, row, cpu, 2_000);
    else this.travel[device]!.after(step === 3 ? 1_900 : 400, step + 1, journey);
  }
}

const FAKE_DETAILS: IrqDetails = {
  config: [['chip', 'xen-pirq']],
  state: [['in progress', 'no']],
  route: [['handler', 'ahci']],
};

type Args = readonly number[];

/** By step: the device's line, then one function after the other. */
const HOPS: readonly {
  readonly mode: HopMode;
  readonly name: string;
  readonly detail: (irq: number, cpu: number) => string;
  readonly text: (irq: number, cpu: number) => string;
}[] = [
  { mode: 'device', name: 'raise', detail: (irq) => `line ${irq} up`, text: (irq) => `line ${irq} up` },
  {
    mode: 'ring0',
    name: 'do_IRQ',
    detail: (irq) => `vector 0x${(0x40 + irq).toString(16)} irq ${irq}`,
    text: (irq) => `do_IRQ vec ${(0x40 + irq).toString(16)}`,
  },
  {
    mode: 'ring0',
    name: 'send_guest_pirq',
    detail: (irq) => `dom0 pirq ${irq}`,
    text: (irq) => `send_guest_pirq ${irq}`,
  },
  {
    mode: 'ring0',
    name: 'evtchn_fifo_set_pending',
    detail: (irq) => `dom0 port ${irq + 3}`,
    text: (irq) => `port ${irq + 3} pending`,
  },
  {
    mode: 'ring0',
    name: 'test_all_events',
    detail: (_, cpu) => `dom0.${cpu}, bounce frame`,
    text: (_, cpu) => `upcall dom0.${cpu}`,
  },
  {
    mode: 'guest',
    name: 'handle_irq_event',
    detail: (irq, cpu) => `dom0.${cpu} irq ${irq}`,
    text: (irq) => `irq ${irq} handler`,
  },
];

const step = ([n]: Args) => HOPS[n!]!;

const PASSED: HopRow<null> = {
  mode: (_, args) => step(args).mode,
  name: (_, args) => step(args).name,
  detail: (_, args) => step(args).detail(args[1]!, args[2]!),
  brief: (_, args) => step(args).text(args[1]!, args[2]!),
  about: 'a step of the fake machine',
};

const FAKE_HOPS: HopTable<null> = {
  hop: PASSED,
  irq_handler_entry: { ...PASSED, end: () => 2, row: (_, [, irq]) => ({ domain: 0, irq: irq! }) },
};

function usualRate(row: Row): number {
  if (row.action.startsWith('timer')) return row.action === 'timer0' ? 250 : 100;
  if (row.action.startsWith('resched')) return 12;
  if (row.action.startsWith('callfuncsingle')) return 5;
  if (row.action.startsWith('ahci')) return 160;
  if (row.action.startsWith('vif1') || row.action === 'eth0-rx-0') return 68;
  return row.action.startsWith('evtchn') ? 0.5 : 0;
}

/** The CPU a row is bound to. */
function perCpuOf(row: Row): number | undefined {
  if (row.chip !== 'xen-percpu') return undefined;
  return Number(/\d+$/.exec(row.action)![0]);
}

function rows(vcpus: number, list: readonly (readonly [number, string, string, string])[]): Row[] {
  return list.map(([irq, chip, flow, action]) => ({
    irq,
    chip,
    flow,
    action,
    counts: new Array<number>(vcpus).fill(0),
    pending: false,
    masked: action.startsWith('spinlock'),
  }));
}

function perCpu(vcpus: number, first: number): [number, string, string, string][] {
  return Array.from({ length: vcpus }, (_, cpu) =>
    PER_CPU.map((name, i): [number, string, string, string] => [
      first + cpu * PER_CPU.length + i,
      'xen-percpu',
      name === 'timer' ? 'virq' : 'ipi',
      `${name}${cpu}`,
    ]),
  ).flat();
}

/** 63 rows with 4 CPUs. */
function dom0(cpus: number, oddName = 'virtio0-config'): Domain {
  const list: [number, string, string, string][] = [
    ...PHYSICAL.map(([irq, flow, action]): [number, string, string, string] => [
      irq,
      'xen-pirq',
      flow,
      action,
    ]),
    ...perCpu(cpus, 24),
  ];
  let irq = 24 + cpus * PER_CPU.length;
  for (const action of ['xenbus', 'xen-pcpu', 'mce', 'hvc_console']) {
    list.push([irq++, 'xen-dyn', action === 'xenbus' ? 'event' : 'virq', action]);
  }
  irq = Math.max(irq, 52);
  for (const action of ['ahci[0000:00:02.0]', 'ahci[0000:00:1f.2]', 'xhci_hcd']) {
    list.push([irq++, 'xen-pirq', 'msi', action]);
  }
  for (let q = 0; q < 5; q++) list.push([irq++, 'xen-pirq', 'msi-x', `nvme0q${q}`]);
  irq = Math.max(irq, 64);
  for (const action of ['eth0-rx-0', 'eth0-tx-0', 'eth0', oddName, 'virtio0-input.0', 'virtio0-output.0']) {
    list.push([irq++, 'xen-pirq', 'msi-x', action]);
  }
  for (let i = 0; list.length < 63; i++) {
    list.push([irq++, 'xen-dyn-lateeoi', 'event', LATE[i % LATE.length]!]);
  }
  const zero = () => new Array<number>(cpus).fill(0);
  return {
    id: 0,
    name: 'dom0',
    kind: 'PV dom0, Linux 6.1',
    vcpus: cpus,
    rows: rows(cpus, list),
    resched: zero(),
    calls: zero(),
  };
}

function guest(id: number, name: string, vcpus: number): Domain {
  const list = perCpu(vcpus, 0);
  let irq = list.length;
  list.push([irq++, 'xen-dyn', 'event', 'xenbus']);
  for (const action of ['hvc_console', 'blkif', 'vif1-q0-tx', 'vif1-q0-rx']) {
    list.push([irq++, 'xen-dyn-lateeoi', 'event', action]);
  }
  const zero = () => new Array<number>(vcpus).fill(0);
  return {
    id,
    name,
    kind: 'PV guest, Linux 6.1',
    vcpus,
    rows: rows(vcpus, list),
    resched: zero(),
    calls: zero(),
  };
}

export function fakeMachine(options: FakeOptions = {}): Machine {
  const shop = new Workshop(options.seed ?? 42);
  const platform = new FakePlatform(shop, options);
  return new Machine({ name: 'xen-pv', title: 'Xen PV host with two guests' }, shop, platform);
}
