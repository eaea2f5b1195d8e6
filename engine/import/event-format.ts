/** What tracefs says of an event in its file `format`: its number, and where in a record each field is. */
import { quoted } from '../core/errors.ts';
import type { LittleEndian } from './little-endian.ts';

export interface FormatField {
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
}

export interface EventFormat {
  readonly name: string;
  readonly id: number;
  readonly fields: ReadonlyMap<string, FormatField>;
}

const NAME = /^name: (\w+)$/m;
const ID = /^ID: (\d{1,5})$/m;
const FIELD =
  /^\s*field: ?[^;]*?(\w+)(?:\[[^\]]*\])?;\s*offset: ?(\d{1,9});\s*size: ?(\d{1,9});(?:\s*signed: ?(\d))?/gm;

/** Fields of such a text, whether of an event or of the pages of a ring buffer. */
export function fieldsOf(text: string): Map<string, FormatField> {
  const fields = new Map<string, FormatField>();
  for (const [, name, offset, size, signed] of text.matchAll(FIELD)) {
    fields.set(name!, { offset: Number(offset), size: Number(size), signed: signed === '1' });
  }
  return fields;
}

/** @throws UserError if the text is no format */
export function eventFormat(from: LittleEndian): EventFormat {
  const text = from.text(0, from.bytes.length);
  const name = NAME.exec(text)?.[1];
  const id = ID.exec(text)?.[1];
  if (name === undefined || id === undefined) {
    throw from.wrong(`no format of an event: ${quoted(text, 40)}; name: and ID: would be right`);
  }
  return { name, id: Number(id), fields: fieldsOf(text) };
}

/** An integer of a record; undefined if it is not within it. */
export function fieldIn(
  record: LittleEndian,
  field: FormatField | undefined,
  half?: 'low' | 'high',
): number | undefined {
  if (!field || field.offset + field.size > record.bytes.length) return undefined;
  const { offset, size, signed } = field;
  if (half !== undefined && size === 8) return record.u32At(half === 'low' ? offset : offset + 4);
  const { bytes } = record;
  switch (size) {
    case 1:
      return signed ? (bytes[offset]! << 24) >> 24 : bytes[offset]!;
    case 2:
      return signed ? (record.u16At(offset) << 16) >> 16 : record.u16At(offset);
    case 4:
      return signed ? record.u32At(offset) | 0 : record.u32At(offset);
    case 8:
      return record.u32At(offset) + record.u32At(offset + 4) * 4294967296;
    default:
      return undefined;
  }
}
