/** xentrace's file: windows of records, one CPU's each, put into the order of their times (tools/xentrace, trace.h). */
import {
  CYCLES_FLAG,
  EVENT_MASK,
  EXTRA_MASK,
  EXTRA_SHIFT,
  RUNSTATE_CHANGE_MASK,
  RUNSTATE_NEW_SHIFT,
  TRC,
} from '../abi/xen-trace.ts';
import { Columns } from './columns.ts';
import { LittleEndian } from './little-endian.ts';
import { ofFile } from './problem.ts';

/** CPUs that Xen can have (NR_CPUS of a large configuration) */
const MOST_CPUS = 4096;
/** words of a record that are kept */
const WORDS = 4;

/** What a host needs of it. */
const WANTED: ReadonlySet<number> = new Set([
  TRC.SCHED_CONTINUE_RUNNING,
  TRC.SCHED_WAKE,
  TRC.SCHED_SWITCH,
  TRC.HVM_VMENTRY,
  TRC.HVM_VMEXIT,
  TRC.HVM_VMEXIT64,
  TRC.HVM_INJ_VIRQ,
  TRC.HVM_VMMCALL,
  TRC.HVM_TRAP,
  TRC.HVM_EMUL_LAPIC_PIC_INTR,
  TRC.HW_IRQ_HANDLED,
]);
const RUNNING = 0;

export interface XenRecords {
  /** cycles of its TSC, then cpu, event, four words */
  readonly rows: Columns;
  readonly cpus: number;
  /** of all kinds */
  readonly records: number;
  /** that the buffers had no room for */
  readonly lost: number;
  /** there are records of the scheduler */
  readonly scheduled: boolean;
}

/** Is it xentrace's? Its first record tells of a CPU. */
export function isXentrace(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const head = new LittleEndian('', bytes).u32At(0);
  return (head & EVENT_MASK) === TRC.TRACE_CPU_CHANGE;
}

/** @throws UserError naming the offset at which it is not as it should be */
export function readXentrace(file: string, bytes: Uint8Array): XenRecords {
  const from = new LittleEndian(file, bytes);
  const rows = new Columns(file, 3 + WORDS);
  const times: number[] = [];
  const counts = { records: 0, lost: 0, scheduled: false };
  while (from.left > 0) {
    const start = from.at;
    const head = from.u32('the head of a record');
    if ((head & EVENT_MASK) !== TRC.TRACE_CPU_CHANGE || head >>> EXTRA_SHIFT !== 2) {
      throw from.wrong(
        `a record 0x${head.toString(16)} stands where a CPU's window begins; ` +
          `TRC_TRACE_CPU_CHANGE with two words (0x2001f003) would be right`,
        start,
      );
    }
    const cpu = from.u32('the CPU of a window');
    const size = from.u32('the size of a window');
    if (cpu >= MOST_CPUS) throw from.wrong(`CPU ${cpu}: below ${MOST_CPUS} would be right`, start + 4);
    if (size % 4 !== 0) throw from.wrong(`a window of ${size} bytes: whole words would be right`, start + 8);
    readWindow(from.part(size, `the window of CPU ${cpu}`), cpu, times, rows, counts);
  }
  if (counts.records === 0) throw ofFile(file, 'there is no record in it');
  return { rows, cpus: times.length, ...counts };
}

function readWindow(
  from: LittleEndian,
  cpu: number,
  times: number[],
  rows: Columns,
  counts: { records: number; lost: number; scheduled: boolean },
): void {
  while (times.length <= cpu) times.push(-1);
  const words = [0, 0, 0, 0];
  while (from.left > 0) {
    const start = from.at;
    const head = from.u32('the head of a record');
    const event = head & EVENT_MASK;
    const extra = (head >>> EXTRA_SHIFT) & EXTRA_MASK;
    const cycles = (head & CYCLES_FLAG) !== 0;
    if (extra * 4 + (cycles ? 8 : 0) > from.left) {
      throw from.wrong(`record 0x${head.toString(16)} does not end within the window of CPU ${cpu}`, start);
    }
    if (event === TRC.TRACE_CPU_CHANGE) {
      throw from.wrong(
        `a window begins within the window of CPU ${cpu}, which has ${from.left} bytes more`,
        start,
      );
    }
    if (cycles) times[cpu] = from.u64('cycles');
    words.fill(0);
    for (let i = 0; i < extra; i++) {
      const word = from.u32('a word');
      if (i < WORDS) words[i] = word;
    }
    if (event === TRC.TRACE_WRAP_BUFFER) continue;
    counts.records++;
    if (event === TRC.LOST_RECORDS) counts.lost += words[0]!;
    const kind =
      (event & RUNSTATE_CHANGE_MASK) === TRC.SCHED_RUNSTATE_CHANGE ? TRC.SCHED_RUNSTATE_CHANGE : event;
    const runs = kind === TRC.SCHED_RUNSTATE_CHANGE && ((event >>> RUNSTATE_NEW_SHIFT) & 15) === RUNNING;
    if (!WANTED.has(event) && !runs) continue;
    if (runs || event === TRC.SCHED_SWITCH || event === TRC.SCHED_CONTINUE_RUNNING) counts.scheduled = true;
    // before the first time of its CPU nobody knows when
    if (times[cpu]! >= 0) rows.add(times[cpu]!, cpu, kind, ...words);
  }
}
