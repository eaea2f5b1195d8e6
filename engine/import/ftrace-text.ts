/** The text of tracefs's file `trace`, or of trace-cmd report: a line an event, in the order of time. */
import type { Ns } from '../core/clock.ts';
import { FormatError, quoted } from '../core/errors.ts';
import type { TraceCapture } from './capture.ts';
import { checkLength } from './columns.ts';
import { KvmReader } from './kvm-capture.ts';
import { KVM_EVENT, type KvmEvent, UNKNOWN } from './kvm-events.ts';
import { ofFile } from './problem.ts';

/** `qemu-1234 (1200) [002] d..1. 229.819022: kvm_entry: vcpu 0`; no flags in reports of trace-cmd */
const LINE =
  /^ *(.{1,64}?)-(\d{1,9}) +(?:\( *[-\d]{1,9}\) +)?\[(\d{1,4})\] +(?:[^ ]{3,8} +)?(\d{1,12})\.(\d{6,9}): +([\w:]{1,64}?): *(.*)$/;
/** what else such a file has: headings, which CPU it goes on with, events that were lost, stacks */
const OTHER =
  /^\s*(#.*|cpus=\d+|version = \d+|CPU \d+ is empty|CPU:\d+ \[(LOST|EVENTS).*|=> .*|<stack trace.*)?$/;
const LOST = /^CPU:\d+ \[LOST (\d+) EVENTS\]/;
/** no line of a trace is as long */
const LONGEST = 65_536;

/** Does it look like one? */
export function isFtraceText(bytes: Uint8Array): boolean {
  const head = new TextDecoder().decode(bytes.subarray(0, 8192)).split('\n', 64);
  return head.some((line) => /^# tracer: /.test(line) || LINE.test(line) || /^cpus=\d+$/.test(line));
}

interface Line {
  readonly at: Ns;
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string;
  readonly event: KvmEvent;
  readonly values: readonly number[];
}

/** @throws FormatError naming the line that is not as it should be */
export function ftraceCapture(file: string, bytes: Uint8Array): TraceCapture {
  const vcpus = new Map<number, number>();
  const comms = new Map<number, string>();
  let records = 0;
  let lost = 0;
  let cpus = 1;
  let first = -1;
  let last = -1;
  // the threads of virtual CPUs must be known before the first event is
  for (const [number, text] of lines(file, bytes)) {
    const line = read(file, number, text);
    if (line === undefined) {
      lost += Number(LOST.exec(text)?.[1] ?? 0);
      continue;
    }
    records++;
    if (line === null) continue;
    if (first < 0) first = line.at;
    if (line.at < last)
      throw new FormatError(file, number, 'time goes back; lines in the order of time would be right');
    last = line.at;
    if (line.cpu >= cpus) cpus = line.cpu + 1;
    const { name } = line.event;
    if ((name === 'kvm_entry' || name === 'kvm_exit') && line.values[0] !== UNKNOWN && !vcpus.has(line.pid)) {
      vcpus.set(line.pid, line.values[0]!);
      comms.set(line.pid, line.comm);
    }
  }
  if (records === 0) throw ofFile(file, 'there is no event in it');
  const length = Math.max(0, last - first);
  checkLength(file, length);
  const reader = new KvmReader(file);
  reader.know(vcpus, (pid) => comms.get(pid)!);
  for (const [number, text] of lines(file, bytes)) {
    const line = read(file, number, text);
    if (line) reader.event(line.at - first, line.cpu, line.pid, line.comm, line.event.name, line.values);
  }
  const notes = lost > 0 ? [`${lost} events were lost while it was taken`] : [];
  return reader.capture({ file, format: 'ftrace text', cpus, records, length, notes });
}

/** @returns undefined: no event; null: one that is not wanted */
function read(file: string, number: number, text: string): Line | null | undefined {
  const found = LINE.exec(text);
  if (!found) {
    if (OTHER.test(text)) return undefined;
    throw new FormatError(
      file,
      number,
      `no event of a trace: ${quoted(text, 40)}; TASK-PID [CPU] TIME: EVENT: ... would be right`,
    );
  }
  const [, comm, pid, cpu, seconds, fraction, full, args] = found;
  const event = KVM_EVENT.get(full!.replace(/^kvm:/, ''));
  if (!event) return null;
  const values = event.text(args!);
  if (!values?.every(Number.isSafeInteger)) {
    throw new FormatError(
      file,
      number,
      `${event.name} cannot be read: ${quoted(args!, 40)}; ${quoted(event.example)} would be right`,
    );
  }
  const at = Number(seconds) * 1e9 + Number(fraction!.padEnd(9, '0'));
  return { at, cpu: Number(cpu), pid: Number(pid), comm: comm!, event, values };
}

/** Number and text of each line; the file is never a string as a whole. */
function* lines(file: string, bytes: Uint8Array): Generator<[number, string]> {
  const decoder = new TextDecoder();
  let number = 0;
  for (let from = 0; from < bytes.length; ) {
    let to = bytes.indexOf(10, from);
    if (to < 0) to = bytes.length;
    number++;
    if (to - from > LONGEST)
      throw new FormatError(file, number, `longer than ${LONGEST} bytes: no line of a trace`);
    yield [number, decoder.decode(bytes.subarray(from, to)).replace(/\r$/, '')];
    from = to + 1;
  }
}
