/**
 * The Common Trace Format, version 1.8 (diamon.org/ctf): a description in TSDL, and for each CPU a stream of packets. All is
 * aligned to bytes; strings end with a zero.
 */
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { Bytes, encode } from './bytes.ts';
import { type CurrentEvent, EventStream } from './events.ts';
import type { EventType } from './schema.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

const MAGIC = 0xc1fc_1fc1;
const PACKET = 65_536;
/** where in a packet its end and its sizes in bits are */
const TIMESTAMP_END = 16;
const CONTENT_SIZE = 24;
const PACKET_SIZE = 32;

export class CtfWriter implements TraceWriter {
  readonly record: TakeRow;
  private readonly cpus: CpuStream[];

  constructor(host: TraceHost, files: TraceFiles) {
    const stream = new EventStream(host, (type, event) => this.cpus[event.cpu]!.add(type, event));
    this.cpus = Array.from({ length: stream.cpus }, (_, cpu) => new CpuStream(cpu, files));
    this.record = stream.record;
    files.append(encode(metadata(host, stream.types)), 'metadata');
  }

  flush(): void {
    for (const cpu of this.cpus) cpu.flush(PACKET);
  }

  end(): void {
    for (const cpu of this.cpus) cpu.flush(0);
  }
}

class CpuStream {
  private readonly packet = new Bytes();
  private readonly file: string;
  private last = 0;

  constructor(
    private readonly cpu: number,
    private readonly files: TraceFiles,
  ) {
    this.file = `cpu_${cpu}`;
  }

  add(type: EventType, { rows, at, pid, values, base, strings }: CurrentEvent): void {
    const time = rows[at + ROW.time]!;
    const { packet } = this;
    if (packet.length === 0) this.open(time);
    packet.u16(type.id);
    packet.u64(time);
    packet.u32(pid);
    for (const { kind, size, place } of type.fields) {
      if (kind === 'integer') packet.integer(values[base + place]!, size);
      else if (kind === 'wide') {
        packet.u32(values[base + place]!);
        packet.u32(values[base + place + 1]!);
      } else {
        packet.put(strings[place]!);
        packet.u8(0);
      }
    }
    this.last = time;
    if (packet.length >= PACKET) this.flush(PACKET);
  }

  private open(time: number): void {
    const { packet } = this;
    packet.u32(MAGIC);
    packet.u32(0);
    for (const n of [time, 0, 0, 0]) packet.u64(n);
    packet.u32(this.cpu);
  }

  /** The packet goes if it is at least so long. */
  flush(least: number): void {
    const { packet } = this;
    if (packet.length === 0 || packet.length < least) return;
    packet.setU64(TIMESTAMP_END, this.last);
    packet.setU64(CONTENT_SIZE, packet.length * 8);
    packet.setU64(PACKET_SIZE, packet.length * 8);
    this.files.append(packet.written(), this.file);
    packet.drop();
  }
}

function metadata(host: TraceHost, types: readonly EventType[]): string {
  const text = (s: string) => JSON.stringify(s);
  const integers = [8, 16, 32, 64].flatMap((bits) => [
    `typealias integer { size = ${bits}; align = 8; signed = false; } := uint${bits}_t;`,
    `typealias integer { size = ${bits}; align = 8; signed = true; } := int${bits}_t;`,
  ]);
  return `/* CTF 1.8 */

${integers.join('\n')}

trace {
	major = 1;
	minor = 8;
	byte_order = le;
	packet.header := struct {
		uint32_t magic;
		uint32_t stream_id;
	};
};

env {
	hostname = ${text(host.scenario)};
	domain = "kernel";
	tracer_name = "virqtop";
	system = ${text(host.system)};
	seed = ${text(String(host.seed))};
};

clock {
	name = "simulated";
	freq = 1000000000;
	offset = 0;
};

typealias integer { size = 64; align = 8; signed = false; map = clock.simulated.value; } := time_t;

stream {
	id = 0;
	packet.context := struct {
		time_t timestamp_begin;
		time_t timestamp_end;
		uint64_t content_size;
		uint64_t packet_size;
		uint32_t cpu_id;
	};
	event.header := struct {
		uint16_t id;
		time_t timestamp;
	};
	event.context := struct {
		int32_t tid;
	};
};

${types.map(eventText).join('\n')}`;
}

/** A name with an underscore before it is no keyword; readers take that away. */
function eventText({ id, system, name, fields }: EventType): string {
  const lines = fields.map(({ name: field, kind, size, signed }) => {
    const type = kind === 'comm' || kind === 'string' ? 'string' : `${signed ? '' : 'u'}int${size * 8}_t`;
    return `\t\t${type} _${field};\n`;
  });
  return `event {
	id = ${id};
	name = "${system}:${name}";
	stream_id = 0;
	fields := struct {
${lines.join('')}	};
};
`;
}
