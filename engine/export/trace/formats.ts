/** The formats that a machine's trace is written in. */
import type { TraceHost } from '../../snapshot.ts';
import { ChromeWriter } from './chrome.ts';
import { CtfWriter } from './ctf.ts';
import { FtraceWriter } from './ftrace.ts';
import { JsonLinesWriter } from './jsonl.ts';
import { PerfDataWriter } from './perf-data.ts';
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
  /** it looks at the machine's signals, and is written where the machine is */
  readonly looks?: boolean;
  /** why a host's trace cannot be written so; undefined: it can */
  readonly refuses?: (host: TraceHost) => string | undefined;
  readonly make: (host: TraceHost, files: TraceFiles) => TraceWriter;
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
