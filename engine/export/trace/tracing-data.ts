/** What trace.dat and perf.data share: the description of ring buffers and of events (man trace-cmd.dat.v6). */
import { PAGE_HEADER, TRACE_DAT_MAGIC } from '../../abi/trace-dat.ts';
import { Bytes, encode } from './bytes.ts';
import { type EventType, formatText } from './schema.ts';

export const PAGE = 4096;

const HEADER_PAGE = `\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:${PAGE - PAGE_HEADER};\tsigned:0;
`;

const HEADER_EVENT = `# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits

\tpadding     : type == 29
\ttime_extend : type == 30
\ttime_stamp : type == 31
\tdata max type_len  == 28
`;

/** The file's beginning up to the names of tasks, which end with their number: of version 6 for trace.dat, 0.6 for perf. */
export function tracingData(
  version: '6' | '0.6',
  types: readonly EventType[],
  comms: ReadonlyMap<number, string>,
): Bytes {
  const to = new Bytes();
  for (const byte of TRACE_DAT_MAGIC) to.u8(byte);
  to.string(`tracing${version}`);
  to.u8(0); // little-endian
  to.u8(8); // bytes of a long
  to.u32(PAGE);
  for (const [name, text] of [
    ['header_page', HEADER_PAGE],
    ['header_event', HEADER_EVENT],
  ] as const) {
    to.string(name);
    sized(to, text);
  }
  to.u32(0); // events of ftrace itself
  const systems = new Map<string, EventType[]>();
  for (const type of types) systems.set(type.system, [...(systems.get(type.system) ?? []), type]);
  to.u32(systems.size);
  for (const [system, events] of systems) {
    to.string(system);
    to.u32(events.length);
    for (const event of events) sized(to, formatText(event));
  }
  to.u32(0); // kallsyms
  to.u32(0); // formats of trace_printk
  sized(to, [...comms].map(([pid, comm]) => `${pid} ${comm}\n`).join(''));
  return to;
}

function sized(to: Bytes, text: string): void {
  const bytes = encode(text);
  to.u64(bytes.length);
  to.append(bytes);
}
