/** The physical CPUs: who runs on each and how, where its time goes, who waits for it. As many lines as there is room. */
import type { CpuSnapshot } from '../../engine/index.ts';
import { pad, padLeft, percent, rate, sanitize } from '../format.ts';
import { level } from '../glyphs.ts';
import { SPARK_WIDTHS } from '../history.ts';
import { gridOf } from '../host-table.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';
import { sparkline } from './cells.ts';
import { cpuLoad } from './header.ts';

/** @param height lines with the heading: what `cpuLinesOf` says */
export function hostCpuLines(session: Session, height: number): LineBuilder[] {
  const { cpus } = session.frame.snapshot;
  if (cpus.length + 1 <= height) return oneEach(session);
  return Math.ceil(cpus.length / gridOf(session.size.columns)) + 1 <= height
    ? grid(session)
    : strips(session);
}

/** Who has the CPU, or what does. */
function runnerOf({ running, mode, task }: CpuSnapshot): string {
  if (running !== null && running !== 'host') return running;
  if (mode === 'idle') return '-';
  return task ?? (mode === 'xen' ? 'Xen' : 'kernel');
}

/** The hypervisor by its name: what is not guest and not idle. */
function hypervisorOf({ frame }: Session): 'XEN' | 'HOST' {
  return frame.snapshot.cpus.some((cpu) => cpu.task !== undefined) ? 'HOST' : 'XEN';
}

function oneEach(session: Session): LineBuilder[] {
  const { frame, size, glyphs } = session;
  const { history, snapshot } = frame;
  const exits = snapshot.cpus.some((cpu) => (cpu.exits ?? 0) > 0);
  const wide = size.columns >= 100;
  const runner = wide ? 20 : 12;
  const fixed = 5 + 10 + 2 + runner + 3 * 6 + 11 + (exits ? 10 : 0);
  const fits = (cells: number) => cells <= 30 && fixed + 2 + cells + 14 <= size.columns;
  const spark = glyphs.spark.length === 0 ? 0 : (SPARK_WIDTHS.findLast(fits) ?? 0);
  const head = new LineBuilder()
    .add(` ${'CPU'.padEnd(4)}${'MODE'.padEnd(10)}${'RUNS'.padEnd(runner + 2)}`)
    .add(`${padLeft('GUEST', 6)}${padLeft(hypervisorOf(session), 6)}${padLeft('IDLE', 6)}`)
    .add(`${padLeft('SWITCHES/s', 11)}${exits ? padLeft('EXITS/s', 10) : ''}`)
    .add(spark > 0 ? `  ${'BUSY'.padEnd(spark)}` : '')
    .add('  WAITING');
  const lines = snapshot.cpus.map((cpu) => {
    const { guest, xen } = cpuLoad(frame, cpu.cpu);
    const known = Number.isFinite(history.rate(`busy ${cpu.cpu}`));
    const part = (share: number) => padLeft(known ? percent(share) : '-', 6);
    const inGuest = cpu.mode === 'guest';
    const line = new LineBuilder()
      .add(` ${String(cpu.cpu).padEnd(4)}`)
      .add(
        (cpu.mode === 'idle' ? 'idle' : (cpu.level ?? '')).padEnd(10),
        inGuest ? 'guest' : cpu.mode === 'idle' ? 'dim' : 'xen',
      )
      .add(pad(sanitize(runnerOf(cpu), glyphs.ascii), runner, glyphs.ellipsis))
      .add('  ')
      .add(part(guest), 'guest')
      .add(part(xen), 'xen')
      .add(part(Math.max(0, 1 - guest - xen)), 'dim')
      .add(padLeft(rate(history.rate(`switches ${cpu.cpu}`)), 11));
    if (exits) line.add(padLeft(rate(history.rate(`exits ${cpu.cpu}`)), 10));
    if (spark > 0) line.add('  ').add(sparkline(history.levels(`busy ${cpu.cpu}`, spark), glyphs), 'spark');
    const { queue = [] } = cpu;
    line.add(
      `  ${queue.length === 0 ? '.' : sanitize(queue.join(' '), glyphs.ascii)}`,
      queue.length > 0 ? 'warn' : 'dim',
    );
    return line;
  });
  return [head, ...lines];
}

/** `12 # 47% vm1.0 +1`: a mark for its mode, and how many wait. */
function grid(session: Session): LineBuilder[] {
  const { frame, size, glyphs } = session;
  const { cpus } = frame.snapshot;
  const perLine = gridOf(size.columns);
  const digits = String(cpus.length - 1).length;
  const lines = Array.from({ length: Math.ceil(cpus.length / perLine) }, () => new LineBuilder());
  const cell = Math.floor((size.columns - 1) / perLine);
  cpus.forEach((cpu, i) => {
    const line = lines[Math.floor(i / perLine)]!;
    const { guest, xen } = cpuLoad(frame, cpu.cpu);
    const waiting = cpu.queue?.length ?? 0;
    const after = waiting > 0 ? ` +${waiting}` : '';
    const room = cell - digits - 9 - after.length;
    line
      .to(1 + (i % perLine) * cell)
      .add(`${padLeft(String(cpu.cpu), digits)} `)
      .add(modeMark(cpu, session), cpu.mode === 'guest' ? 'guest' : cpu.mode === 'idle' ? 'dim' : 'xen')
      .add(`${padLeft(percent(Math.min(1, guest + xen)), 5)} `)
      .add(
        pad(sanitize(runnerOf(cpu), glyphs.ascii), Math.max(0, room), glyphs.ellipsis).trimEnd(),
        cpu.mode === 'idle' ? 'dim' : undefined,
      )
      .add(after, 'warn');
  });
  return [legend(session), ...lines];
}

/** A mark for each CPU, in blocks of eight: its mode, and below it how busy it is. */
function strips(session: Session): LineBuilder[] {
  const { frame, size, glyphs } = session;
  const { cpus } = frame.snapshot;
  const label = 6;
  // with blanks between blocks where they fit
  const gaps = label + cpus.length + Math.floor(cpus.length / 8) <= size.columns;
  const room = size.columns - label;
  const perCell = Math.max(1, Math.ceil(cpus.length / room));
  const strip = (name: string, mark: (group: readonly CpuSnapshot[]) => string) => {
    let text = '';
    for (let i = 0; i < cpus.length; i += perCell) {
      if (gaps && i > 0 && i % 8 === 0) text += ' ';
      text += mark(cpus.slice(i, i + perCell));
    }
    return new LineBuilder().add(` ${name}`.padEnd(label), 'dim').add(text);
  };
  const busy = (group: readonly CpuSnapshot[]) => {
    const loads = group.map(({ cpu }) => cpuLoad(frame, cpu));
    return level(glyphs.heat, loads.reduce((n, { guest, xen }) => n + guest + xen, 0) / loads.length);
  };
  return [legend(session), strip('mode', ([cpu]) => modeMark(cpu!, session)), strip('busy', busy)];
}

function modeMark({ mode }: CpuSnapshot, { glyphs }: Session): string {
  const { bar } = glyphs;
  return mode === 'guest' ? bar.guest : mode === 'idle' ? bar.idle : bar.xen;
}

function legend(session: Session): LineBuilder {
  const { frame, glyphs } = session;
  const { cpus } = frame.snapshot;
  const { bar } = glyphs;
  const waiting = cpus.reduce((n, cpu) => n + (cpu.queue?.length ?? 0), 0);
  const of = (mode: (m: CpuSnapshot['mode']) => boolean) => cpus.filter((cpu) => mode(cpu.mode)).length;
  const name = hypervisorOf(session) === 'XEN' ? 'Xen' : 'host';
  return new LineBuilder()
    .add(` ${cpus.length} CPUs  `)
    .add(bar.guest, 'guest')
    .add(` guest ${of((m) => m === 'guest')}  `)
    .add(bar.xen, 'xen')
    .add(` ${name} ${of((m) => m === 'xen' || m === 'host')}  `)
    .add(bar.idle, 'dim')
    .add(` idle ${of((m) => m === 'idle')}`)
    .add(waiting > 0 ? `  ${waiting} waiting` : '', 'warn');
}
