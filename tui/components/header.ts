/** The top of the screen: what runs, how fast, and what each physical CPU does. */
import type { CpuSnapshot } from '../../engine/index.ts';
import { clockTime, duration, padLeft, percent, rate, sanitize, speed } from '../format.ts';
import type { Frame } from '../frame.ts';
import { type Glyphs, level } from '../glyphs.ts';
import { LineBuilder, type Segment, spread } from '../line.ts';
import type { Paint, Role } from '../theme.ts';

export interface HeaderProps {
  readonly frame: Frame;
  readonly width: number;
  /** most lines for the CPUs */
  readonly cpuLines: number;
  readonly paint: Paint;
  readonly glyphs: Glyphs;
}

/** Both together. */
export function headerLines(props: HeaderProps): string[] {
  return [titleLine(props), ...cpuLines(props)];
}

/** The top line: scenario, system, time, speed, what is going on. */
export function titleLine({ frame, width, paint, glyphs }: Omit<HeaderProps, 'cpuLines'>): string {
  const { snapshot, history } = frame;
  const { cpus, domains } = snapshot;
  const text = (s: string) => sanitize(s, glyphs.ascii);
  const left: Segment[] = [
    { text: 'virqtop', role: 'title', keep: 4 },
    { text: text(snapshot.scenario), role: 'accent', keep: 10 },
    snapshot.ended === undefined
      ? { text: text(snapshot.system), keep: 7 }
      : { text: text(snapshot.ended), role: 'badgePause', keep: 10 },
    { text: `${cpus.length} ${cpus.length === 1 ? 'CPU' : 'CPUs'}`, keep: 2 },
    { text: `${domains.length} ${domains.length === 1 ? 'domain' : 'domains'}`, keep: 1 },
    { text: `seed ${snapshot.seed}`, keep: 5 },
  ];
  const slow = frame.state !== 'running' || frame.speed <= 0.01;
  const right: Segment[] = [
    { text: `t ${clockTime(snapshot.time, slow ? 9 : 6)}`, keep: 9 },
    { text: speedText(frame), role: 'time', keep: 8 },
    { text: stormText(snapshot, glyphs.ascii), role: 'badgePause', keep: 10 },
    { ...badge(frame), keep: 11 },
    { text: `${padLeft(rate(history.rate('interrupts')), 6)} irq/s`, keep: 6 },
    {
      text: `${padLeft(rate(history.rate('upcalls')), 6)} ${frame.snapshot.totals.exits === undefined ? 'upcall' : 'exit'}/s`,
      keep: 3,
    },
  ];
  return spread(left, right, width).paint(paint, width, glyphs.ellipsis);
}

/** ` STORM kbd `: devices that fire by themselves until they are told to stop. */
function stormText({ devices }: Frame['snapshot'], ascii: boolean): string {
  const storming = devices.filter((d) => d.storm > 0).map((d) => sanitize(d.name, ascii));
  if (storming.length === 0) return '';
  return ` STORM ${storming.length === 1 ? storming[0] : `of ${storming.length}`} `;
}

/** The speed asked for, and the one reached where the machine cannot follow. */
function speedText({ speed: wanted, achieved, state }: Frame): string {
  if (state !== 'running' || !Number.isFinite(achieved)) return speed(wanted);
  if (wanted === Number.POSITIVE_INFINITY) return `max ${speed(achieved)}`;
  return achieved < wanted * 0.9 ? `${speed(achieved)} of ${speed(wanted)}` : speed(wanted);
}

function badge({ state, ended, past, inside }: Frame): { text: string; role: Role } {
  const record = inside ? ` ${inside.record}/${inside.of}` : '';
  if (past) {
    const running = state === 'running';
    return {
      text: ` ${running ? 'REPLAY' : 'PAST'} -${ago(past)}${record} `,
      role: running ? 'badgeRun' : 'badgePause',
    };
  }
  if (ended) return { text: ' ENDED ', role: 'badgePause' };
  if (state === 'running') return { text: ' RUNNING ', role: 'badgeRun' };
  return { text: state === 'paused' ? ` PAUSED${record} ` : ' SEEKING ', role: 'badgePause' };
}

/** How far back: `3.250 s`, or what less than a millisecond is. */
function ago({ ns, events }: NonNullable<Frame['past']>): string {
  if (ns >= 1e6) return `${(ns / 1e9).toFixed(3)} s`;
  if (ns > 0) return duration(ns);
  return events === 1 ? '1 event' : `${events} events`;
}

/** How the CPUs are laid out: bars in a grid, or one strip for all. */
export interface CpuGrid {
  readonly lines: number;
  readonly perLine: number;
  /** cells for one CPU; 0: a strip */
  readonly cell: number;
}

const GAP = 2;
const SMALLEST_CELL = 18;
const ROOMY_CELL = 26;
const WIDEST_CELL = 48;

export function cpuGrid(cpus: number, width: number, most: number): CpuGrid {
  for (let lines = 1; lines <= most; lines++) {
    const perLine = Math.ceil(cpus / lines);
    const cell = Math.floor((width + GAP) / perLine) - GAP;
    const enough = cpus > 10 ? SMALLEST_CELL + 1 : SMALLEST_CELL;
    if (cell >= enough) {
      return { lines: Math.ceil(cpus / perLine), perLine, cell: Math.min(cell, WIDEST_CELL) };
    }
  }
  return { lines: 1, perLine: cpus, cell: 0 };
}

export function cpuLines({ frame, width, cpuLines: most, paint, glyphs }: HeaderProps): string[] {
  const { cpus } = frame.snapshot;
  const grid = cpuGrid(cpus.length, width, most);
  if (grid.cell === 0) return [cpuStrip(frame, width, paint, glyphs)];
  const lines: string[] = [];
  for (let first = 0; first < cpus.length; first += grid.perLine) {
    const line = new LineBuilder();
    cpus.slice(first, first + grid.perLine).forEach((cpu, i) => {
      line.to(i * (grid.cell + GAP));
      addCpu(line, cpu, frame, grid.cell, glyphs);
    });
    lines.push(line.paint(paint, width, glyphs.ellipsis));
  }
  return lines;
}

/** Shares of the last second: in guests, in the hypervisor. */
export function cpuLoad(frame: Frame, cpu: number): { guest: number; xen: number } {
  const guest = frame.history.rate(`guest ${cpu}`) / 1e9;
  const xen = frame.history.rate(`xen ${cpu}`) / 1e9;
  const clamp = (n: number) => (n > 0 ? Math.min(1, n) : 0);
  return { guest: clamp(guest), xen: clamp(xen) };
}

/** `CPU0 [####=...] 47% dom0.0` */
function addCpu(line: LineBuilder, cpu: CpuSnapshot, frame: Frame, cell: number, glyphs: Glyphs): void {
  const { guest, xen } = cpuLoad(frame, cpu.cpu);
  const digits = String(frame.snapshot.cpus.length - 1).length;
  const name = cell >= ROOMY_CELL ? `CPU${cpu.cpu}`.padEnd(4 + digits) : String(cpu.cpu).padEnd(digits);
  const who = cell >= ROOMY_CELL ? 8 : 6;
  const width = Math.max(1, cell - name.length - 2 - 4 - 1 - who);
  const busy = Math.min(1, guest + xen);
  const marks = busy > 0 ? Math.max(1, Math.round(busy * width)) : 0;
  const xenMarks = busy > 0 ? Math.round((xen / busy) * marks) : 0;
  line
    .add(`${name}[`)
    .add(glyphs.bar.guest.repeat(marks - xenMarks), 'guest')
    .add(glyphs.bar.xen.repeat(xenMarks), 'xen')
    .add(glyphs.bar.idle.repeat(width - marks), 'dim')
    .add(`]${padLeft(percent(busy), 4)} `);
  if (cpu.running === null) line.add(cpu.mode === 'xen' ? 'xen' : 'idle', 'dim');
  else line.add(sanitize(cpu.running, glyphs.ascii).slice(0, who));
}

/** Too many CPUs for bars: one character each, or several CPUs in one. */
function cpuStrip(frame: Frame, width: number, paint: Paint, glyphs: Glyphs): string {
  const { cpus } = frame.snapshot;
  const loads = cpus.map((cpu) => {
    const { guest, xen } = cpuLoad(frame, cpu.cpu);
    return Math.min(1, guest + xen);
  });
  const mean = loads.reduce((a, b) => a + b, 0) / loads.length;
  const head = `${cpus.length} CPUs [`;
  const long = `] ${percent(mean)} busy`;
  const roomBeside = (text: string) => Math.max(8, width - head.length - text.length);
  const tail = cpus.length <= roomBeside(long) ? long : `] ${percent(mean)}`;
  const perCell = Math.ceil(cpus.length / roomBeside('] 100%'));
  const line = new LineBuilder().add(head);
  for (let i = 0; i < loads.length; i += perCell) {
    const group = loads.slice(i, i + perCell);
    const busy = group.reduce((a, b) => a + b, 0) / group.length;
    line.add(level(glyphs.heat, busy), busy > 0 ? 'guest' : 'dim');
  }
  line.add(tail);
  return line.paint(paint, width, glyphs.ellipsis);
}
