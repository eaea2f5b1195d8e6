/** The formats that a machine's trace is written in. */
import type { TraceHost } from '../../snapshot.ts';
import { FtraceWriter } from './ftrace.ts';
import { JsonLinesWriter } from './jsonl.ts';
import { TraceDatWriter } from './trace-dat.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

export interface TraceFormat {
  readonly name: string;
  readonly about: string;
  /** of bytes that are no text */
  readonly binary: boolean;
  /** several files in a directory */
  readonly directory?: boolean;
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
    name: 'jsonl',
    about: 'JSON lines',
    binary: false,
    make: (host, files) => new JsonLinesWriter(host, files),
  },
];
