/** The formats that a machine's trace is written in. */
import type { TraceHost } from '../../snapshot.ts';
import { ChromeWriter } from './chrome.ts';
import { CtfWriter } from './ctf.ts';
import type { TraceFollower } from './exporter.ts';
import { FtraceWriter } from './ftrace.ts';
import { InOrder } from './in-order.ts';
import { JsonLinesWriter } from './jsonl.ts';
import { PerfDataWriter } from './perf-data.ts';
import { Sampler } from './sampler.ts';
import { TraceDatWriter } from './trace-dat.ts';
import { VcdWriter } from './vcd.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';
import { XentraceWriter } from './xentrace.ts';

export interface TraceFormat {
  readonly name: string;
  readonly about: string;
  /** of bytes that are no text */
  readonly binary: boolean;
  /** several files in a directory */
  readonly directory?: boolean;
  /** of the machine's signals, not of its records */
  readonly looks?: boolean;
  /** why a host's trace cannot be written so; undefined: it can */
  readonly refuses?: (host: TraceHost) => string | undefined;
  readonly make: (host: TraceHost, files: TraceFiles) => TraceWriter;
}

/** What follows the machine for a writer of that format, be it here or elsewhere. */
export function followerFor(
  { looks = false }: TraceFormat,
  host: TraceHost,
  writer: TraceFollower,
): TraceFollower {
  return looks ? new Sampler(host, writer) : writer;
}

/** Writes that format here. */
export function writing(format: TraceFormat, host: TraceHost, files: TraceFiles): TraceFollower {
  return followerFor(format, host, new InOrder(format.make(host, files)));
}

export const TRACE_FORMATS: readonly TraceFormat[] = [
  {
    name: 'ftrace',
    about: "text of tracefs's file trace",
    binary: false,
    make: (host, files) => new FtraceWriter(host, files),
  },
  {
    name: 'trace-dat',
    about: 'trace.dat of trace-cmd and KernelShark',
    binary: true,
    make: (host, files) => new TraceDatWriter(host, files),
  },
  {
    name: 'perf',
    about: 'perf.data of perf record',
    binary: true,
    make: (host, files) => new PerfDataWriter(host, files),
  },
  {
    name: 'xentrace',
    about: "xentrace's binary records, of Xen on x86, for xenalyze",
    binary: true,
    refuses: ({ kind, system }) =>
      kind === 'xen-x86' ? undefined : `records of Xen on x86, and this host is ${system}`,
    make: (host, files) => new XentraceWriter(host, files),
  },
  {
    name: 'ctf',
    about: 'Common Trace Format 1.8, a directory',
    binary: true,
    directory: true,
    make: (host, files) => new CtfWriter(host, files),
  },
  {
    name: 'vcd',
    about: 'waveforms for GTKWave, with a layout',
    binary: false,
    looks: true,
    make: (host, files) => new VcdWriter(host, files),
  },
  {
    name: 'chrome',
    about: "JSON of Chrome's tracing, for Perfetto",
    binary: false,
    make: (host, files) => new ChromeWriter(host, files),
  },
  {
    name: 'jsonl',
    about: 'JSON lines',
    binary: false,
    make: (host, files) => new JsonLinesWriter(host, files),
  },
];
