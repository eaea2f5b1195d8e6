/**
 * Events as tracefs describes them: a system, a name, fields with their places in the record, and how they are printed
 * (Documentation/trace/events.rst). trace.dat, perf.data, ftrace's text and CTF are written from these.
 */
import type { Bytes } from './bytes.ts';

export interface Field {
  readonly name: string;
  /** of C, as the kernel's own formats name it */
  readonly type: string;
  /** bytes from the start of the record */
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
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
  readonly text: (values: Float64Array, strings: readonly string[]) => string;
}

/** What an event is declared with: its fields are `type name`, a type of C, `wide`, `char` or `string`. */
export interface EventSpec {
  readonly system: string;
  readonly name: string;
  readonly fields: readonly string[];
  readonly print: string;
  readonly text: EventType['text'];
}

/** common_type, common_flags, common_preempt_count, common_pid */
export const COMMON_SIZE = 8;
const COMM = 16;

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
  pid_t: 4,
  long: 8,
  'unsigned long': 8,
  s32: 4,
  s64: 8,
  u64: 8,
  __u64: 8,
};
const SIGNED: ReadonlySet<string> = new Set(['int', 'pid_t', 'long', 's32', 's64']);

export function declare(id: number, spec: EventSpec): EventType {
  let offset = COMMON_SIZE;
  const fields = spec.fields.map((text): Field => {
    const at = text.lastIndexOf(' ');
    const [type, name] = [text.slice(0, at), text.slice(at + 1)];
    if (type === 'char') {
      const field = { name, type: `char[${COMM}]`, offset, size: COMM, signed: false, kind: 'comm' } as const;
      offset += COMM;
      return field;
    }
    if (type === 'string') {
      offset = Math.ceil(offset / 4) * 4;
      const field = {
        name,
        type: '__data_loc char[]',
        offset,
        size: 4,
        signed: true,
        kind: 'string',
      } as const;
      offset += 4;
      return field;
    }
    const kind = type === 'wide' ? 'wide' : 'integer';
    const named = kind === 'wide' ? 'u64' : type;
    const size = SIZES[named]!;
    offset = Math.ceil(offset / size) * size;
    const field = { name, type: named, offset, size, signed: SIGNED.has(named), kind } as const;
    offset += size;
    return field;
  });
  const { system, name, print, text } = spec;
  const used = fields.reduce((n, f) => n + (f.kind === 'comm' ? 0 : f.size), COMMON_SIZE);
  const strings = fields.filter((f) => f.kind === 'comm' || f.kind === 'string').length;
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
export function mostOf({ size, strings: count }: EventType, strings: readonly string[]): number {
  return size + 4 + (count > 0 ? strings[count - 1]!.length * 3 + 1 : 0);
}

/**
 * An event as the kernel's ring buffers have it: the fields in their places, what __data_loc points to behind them, padded to
 * whole words.
 * @returns how many bytes
 */
export function encodeEvent(
  to: Bytes,
  { id, size, fields, gaps }: EventType,
  pid: number,
  values: Float64Array,
  strings: readonly string[],
): number {
  const start = to.room(size, gaps);
  to.setU32(start, id);
  to.setU32(start + 4, pid);
  let value = 0;
  let string = 0;
  let location = -1;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i]!;
    const at = start + field.offset;
    if (field.kind === 'integer') to.setInteger(at, values[value++]!, field.size);
    else if (field.kind === 'wide') {
      to.setU32(at, values[value++]!);
      to.setU32(at + 4, values[value++]!);
    } else if (field.kind === 'comm') to.setText(at, strings[string++]!, COMM - 1);
    else location = at;
  }
  if (location >= 0) {
    // one at most, and what follows the fixed part
    const at = to.length - start;
    to.string(strings[string]!);
    to.setU32(location, (at & 0xffff) | ((to.length - start - at) << 16));
  }
  to.align(4, start);
  return to.length - start;
}
