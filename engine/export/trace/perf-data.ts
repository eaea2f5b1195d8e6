/**
 * perf.data as perf record writes it (tools/perf/Documentation/perf.data-file-format.txt, include/uapi/linux/perf_event.h): a
 * sample with the raw record for each event. The header tells how much data there is, so it is written last.
 */
import type { Ns } from '../../core/clock.ts';
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { Bytes, encode } from './bytes.ts';
import { EventStream, OUTSIDE } from './events.ts';
import { type EventType, encodeEvent } from './schema.ts';
import { tracingData } from './tracing-data.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

const HEADER_SIZE = 104;
const ATTR_SIZE = 112;
const PERF_TYPE_TRACEPOINT = 2;
/** PERF_SAMPLE_IDENTIFIER, IP, TID, TIME, CPU, RAW */
const SAMPLE_TYPE = (1 << 16) | (1 << 0) | (1 << 1) | (1 << 2) | (1 << 7) | (1 << 10);
/** sample_id_all: other records end with who, when and where, too */
const ATTR_FLAGS = 1 << 18;

const PERF_RECORD_COMM = 3;
const PERF_RECORD_SAMPLE = 9;
const PERF_RECORD_FINISHED_ROUND = 68;
const MISC_KERNEL = 1;
/** of a sample up to what it carries */
const SAMPLE_SIZE = 52;

/** HEADER_*: feature sections by their bits */
const FEATURE = { TRACING_DATA: 1, HOSTNAME: 3, OSRELEASE: 4, ARCH: 6, CPUID: 9 } as const;
/** by its vendor perf takes the exits of VMX */
const CPUID = 'GenuineIntel-6-85-7';

export class PerfDataWriter implements TraceWriter {
  readonly record: TakeRow;
  private readonly stream: EventStream;
  private readonly data = new Bytes();
  /** bytes of it that have gone */
  private size = 0;

  constructor(
    private readonly host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const tgids = new Map(host.tasks.map(({ pid, tgid }) => [pid, tgid]));
    const { data } = this;
    this.stream = new EventStream(host, (type, event) => {
      const { cpu, pid, rows, at } = event;
      const start = data.room(SAMPLE_SIZE, false);
      data.setU32(start, PERF_RECORD_SAMPLE);
      data.setU64(start + 8, idOf(type));
      data.setU64(start + 16, 0); // the instruction pointer
      data.setU32(start + 24, tgids.get(pid) ?? pid);
      data.setU32(start + 28, pid);
      data.setU64(start + 32, rows[at + ROW.time]!);
      data.setU64(start + 40, cpu);
      encodeEvent(data, type, event);
      data.align(8, start);
      data.setU32(start + SAMPLE_SIZE - 4, data.length - start - SAMPLE_SIZE);
      data.setU32(start + 4, MISC_KERNEL | ((data.length - start) << 16));
    });
    this.record = this.stream.record;
    files.headLater(HEADER_SIZE + this.stream.types.length * (8 + ATTR_SIZE + 16));
    for (const { pid, tgid, comm } of host.tasks) this.comm(pid, tgid, comm);
    this.comm(OUTSIDE.pid, OUTSIDE.pid, OUTSIDE.comm);
  }

  /** PERF_RECORD_COMM: a thread has this name. */
  private comm(pid: number, tgid: number, comm: string): void {
    const { data } = this;
    const start = data.length;
    data.u32(PERF_RECORD_COMM);
    data.u16(0);
    data.u16(0);
    data.u32(tgid);
    data.u32(pid);
    data.string(comm);
    data.align(8, start);
    // sample_id: who, when, where, which event's
    data.u32(tgid);
    data.u32(pid);
    data.u64(0);
    data.u32(0);
    data.u32(0);
    data.u64(idOf(this.stream.types[0]!));
    data.setU16(start + 6, data.length - start);
  }

  /** What has been written is in order: the reader need not wait for more. */
  flush(): void {
    const { data } = this;
    if (data.length === 0) return;
    data.u32(PERF_RECORD_FINISHED_ROUND);
    data.u16(0);
    data.u16(8);
    this.size += data.length;
    this.files.append(data.written());
    data.drop();
  }

  end(_now: Ns): void {
    this.flush();
    const { files, size } = this;
    const { types } = this.stream;
    const ids = HEADER_SIZE;
    const attrs = ids + 8 * types.length;
    const attrsSize = types.length * (ATTR_SIZE + 16);
    const data = attrs + attrsSize;
    const features = this.features();
    const behind = new Bytes();
    let at = data + size + 16 * features.length;
    for (const [, bytes] of features) {
      behind.u64(at);
      behind.u64(bytes.length);
      at += bytes.length;
    }
    for (const [, bytes] of features) behind.append(bytes);
    files.append(behind.written());
    const head = new Bytes();
    head.text('PERFILE2');
    for (const n of [HEADER_SIZE, ATTR_SIZE + 16, attrs, attrsSize, data, size, 0, 0]) head.u64(n);
    head.u64(features.reduce((bits, [bit]) => bits + 2 ** bit, 0));
    head.padTo(HEADER_SIZE);
    for (const type of types) head.u64(idOf(type));
    types.forEach((type, i) => {
      attr(head, type);
      head.u64(ids + 8 * i);
      head.u64(8);
    });
    files.head(head.written());
  }

  /** In the order of their bits. */
  private features(): [bit: number, bytes: Uint8Array][] {
    const { system, scenario, kind } = this.host;
    const formats = tracingData('0.6', this.stream.types, this.stream.names());
    return [
      [FEATURE.TRACING_DATA, formats.written()],
      [FEATURE.HOSTNAME, string(scenario)],
      [FEATURE.OSRELEASE, string(system)],
      [FEATURE.ARCH, string(kind === 'xen-arm' ? 'aarch64' : 'x86_64')],
      [FEATURE.CPUID, string(CPUID)],
    ];
  }
}

/** Of an event among all that are recorded. */
function idOf(type: EventType): number {
  return type.id;
}

/** struct perf_event_attr */
function attr(to: Bytes, type: EventType): void {
  const start = to.length;
  to.u32(PERF_TYPE_TRACEPOINT);
  to.u32(ATTR_SIZE);
  to.u64(type.id);
  to.u64(1); // every one of them
  to.u64(SAMPLE_TYPE);
  to.u64(4); // PERF_FORMAT_ID
  to.u64(ATTR_FLAGS);
  to.padTo(start + ATTR_SIZE);
}

/** struct perf_header_string */
function string(text: string): Uint8Array {
  const to = new Bytes(128);
  const bytes = encode(`${text}\0`);
  const size = Math.ceil(bytes.length / 64) * 64;
  to.u32(size);
  to.append(bytes);
  to.padTo(4 + size);
  return to.written();
}
