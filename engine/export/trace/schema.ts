/**
 * Events as tracefs describes them: a system, a name, fields with their places in the record, and how they are printed
 * (Documentation/trace/events.rst). trace.dat, perf.data, ftrace's text and CTF are written from these.
 */
import type { Bytes, Label } from './bytes.ts';
import type { CurrentEvent } from './events.ts';
import type { Phrase } from './phrase.ts';

export interface Field {
  readonly name: string;
  /** of C, as the kernel's own formats name it */
  readonly type: string;
  /** bytes from the start of the record */
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
  /** of its value among the event's, or of its string */
  readonly place: number;
  /** an integer; `wide`, 64 bits as two values, low and high; `comm`, 16 characters; `string`, where __data_loc says */
  readonly kind: 'integer' | 'wide' | 'comm' | 'string';
}

export interface EventType {
  readonly id: number;
  readonly system: string;
  readonly name: string;
  readonly fields: readonly Field[];
  /** bytes of the fixed part, the common fields with it */
  readonly size: number;
  /** of its fields those that are text */
  readonly strings: number;
  /** not every byte of the fixed part is set */
  readonly gaps: boolean;
  /** the expression behind `print fmt:` */
  readonly print: string;
  /** what that prints */
  readonly text: Phrase;
}

/** What an event is declared with: its fields are `type name`, a type of C, `wide`, `char` or `string`. */
export interface EventSpec {
  readonly system: string;
  readonly name: string;
  readonly fields: readonly string[];
  /** where their values are; left out: in their order from 0 on */
  readonly places?: readonly number[];
  readonly print: string;
  readonly text: Phrase;
}

/** common_type, common_flags, common_preempt_count, common_pid */
export const COMMON_SIZE = 8;
/** of a task's name, a zero at its end */
export const COMM = 16;

const SIZES: Readonly<Record<string, number>> = {
  u8: 1,
  __u8: 1,
  bool: 1,
  u16: 2,
  __u16: 2,
  u32: 4,
  __u32: 4,
  int: 4,
  'unsigned int': 4,
  unsigned: 4,
  pid_t: 4,
  long: 8,
  'unsigned long': 8,
  s32: 4,
  s64: 8,
  u64: 8,
  __u64: 8,
};
/** text that stands behind the fixed part: where, and how long it is */
const DATA_LOC = '__data_loc char[]';
const SIGNED: ReadonlySet<string> = new Set(['int', 'pid_t', 'long', 's32', 's64', DATA_LOC]);

export function declare(id: number, spec: EventSpec): EventType {
  const { system, name, print, text, places } = spec;
  const fields: Field[] = [];
  let offset = COMMON_SIZE;
  let values = 0;
  let strings = 0;
  for (const declared of spec.fields) {
    const at = declared.lastIndexOf(' ');
    const [type, field] = [declared.slice(0, at), declared.slice(at + 1)];
    const add = (of: string, size: number, align: number, kind: Field['kind'], place: number) => {
      offset = Math.ceil(offset / align) * align;
      const signed = SIGNED.has(of);
      fields.push({ name: field, type: of, offset, size, signed, place, kind });
      offset += size;
    };
    if (type === 'char') add(`char[${COMM}]`, COMM, 1, 'comm', strings++);
    else if (type === 'string') add(DATA_LOC, 4, 4, 'string', strings++);
    else if (type === 'wide') {
      add('__u64', 8, 8, 'wide', values);
      values += 2;
    } else {
      add(type, SIZES[type]!, SIZES[type]!, 'integer', places?.[values] ?? values);
      values++;
    }
  }
  const used = fields.reduce((n, f) => n + (f.kind === 'comm' ? 0 : f.size), COMMON_SIZE);
  return { id, system, name, fields, size: offset, strings, gaps: used !== offset, print, text };
}

/** The file `format` of an event. */
export function formatText({ id, name, fields, print }: EventType): string {
  const line = (type: string, field: string, offset: number, size: number, signed: boolean) =>
    `\tfield:${type} ${field};\toffset:${offset};\tsize:${size};\tsigned:${Number(signed)};\n`;
  const own = fields.map(({ name: field, type, offset, size, signed, kind }) =>
    kind === 'comm'
      ? line('char', `${field}[${COMM}]`, offset, size, signed)
      : line(type, field, offset, size, signed),
  );
  return [
    `name: ${name}\nID: ${id}\nformat:\n`,
    line('unsigned short', 'common_type', 0, 2, false),
    line('unsigned char', 'common_flags', 2, 1, false),
    line('unsigned char', 'common_preempt_count', 3, 1, false),
    line('int', 'common_pid', 4, 4, true),
    '\n',
    ...own,
    `\nprint fmt: ${print}\n`,
  ].join('');
}

/** What `encodeEvent` takes at most. */
export function mostOf({ size, strings: count }: EventType, strings: readonly Label[]): number {
  return size + 4 + (count > 0 ? strings[count - 1]!.text.length * 3 + 1 : 0);
}

/**
 * An event as the kernel's ring buffers have it: the fields in their places, what __data_loc points to behind them, padded to
 * whole words.
 * @returns how many bytes
 */
export function encodeEvent(
  to: Bytes,
  type: EventType,
  { pid, values, base, strings }: CurrentEvent,
): number {
  const { fields } = type;
  const start = to.room(type.size, type.gaps);
  to.setU32(start, type.id);
  to.setU32(start + 4, pid);
  let location: Field | undefined;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!;
    const at = start + field.offset;
    if (field.kind === 'integer') to.setInteger(at, values[base + field.place]!, field.size);
    else if (field.kind === 'wide') {
      to.setU32(at, values[base + field.place]!);
      to.setU32(at + 4, values[base + field.place + 1]!);
    } else if (field.kind === 'comm') to.setLabel(at, strings[field.place]!);
    else location = field;
  }
  if (location) {
    // one at most, and what follows the fixed part
    const at = to.length - start;
    to.put(strings[location.place]!);
    to.u8(0);
    to.setU32(start + location.offset, (at & 0xffff) | ((to.length - start - at) << 16));
  }
  to.align(4, start);
  return to.length - start;
}
