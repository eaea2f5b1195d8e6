/** Events of KVM from a trace.dat: their fields are where the file itself says. */
import type { TraceCapture } from './capture.ts';
import { Columns, checkLength } from './columns.ts';
import { type EventFormat, fieldIn } from './event-format.ts';
import { KvmReader } from './kvm-capture.ts';
import { KVM_EVENT, KVM_EVENTS, type KvmEvent, UNKNOWN } from './kvm-events.ts';
import type { LittleEndian } from './little-endian.ts';
import { ofFile } from './problem.ts';
import { type Base, baseOf, readPages } from './ring-buffer.ts';
import { type Inflate, readTraceDat } from './trace-dat-file.ts';

interface Declared {
  readonly event: KvmEvent;
  /** among all events */
  readonly index: number;
  readonly format: EventFormat;
}

/** values of an event at most */
const VALUES = 5;

/** @throws UserError naming the offset at which it is not as it should be */
export function traceDatCapture(file: string, bytes: Uint8Array, inflate: Inflate): TraceCapture {
  const { layout, formats, comms, cpus, unit } = readTraceDat(file, bytes, inflate);
  const declared = new Map<number, Declared>();
  for (const format of formats) {
    const event = KVM_EVENT.get(format.name);
    if (event) declared.set(format.id, { event, index: KVM_EVENTS.indexOf(event), format });
  }
  const rows = new Columns(file, 4 + VALUES);
  const vcpus = new Map<number, number>();
  let records = 0;
  let lost = 0;
  let base: Base | undefined;
  for (const { cpu, pages } of cpus) {
    if (pages.left < layout.size) throw pages.wrong(`CPU ${cpu} has ${pages.left} bytes, less than a page`);
    base ??= baseOf(pages);
    lost += readPages(pages, layout, base, (time, record) => {
      records++;
      if (record.left < 8) throw record.wrong('an event of less than 8 bytes has no task');
      const type = declared.get(record.u16At(0));
      if (!type) return;
      const values = valuesOf(type, record);
      const pid = record.u32At(4) | 0;
      rows.add(time * unit, cpu, pid, type.index, ...values);
      const { name } = type.event;
      if ((name === 'kvm_entry' || name === 'kvm_exit') && values[0] !== UNKNOWN && !vcpus.has(pid)) {
        vcpus.set(pid, values[0]!);
      }
    });
  }
  const span = rows.span();
  if (!span) throw ofFile(file, 'no event of KVM is in it; those of trace-cmd record -e kvm would be right');
  const length = Math.round(span.to - span.from);
  checkLength(file, length);
  const reader = new KvmReader(file);
  const nameOf = (pid: number) => comms.get(pid) ?? '';
  reader.know(vcpus, nameOf);
  rows.inOrder((time, values, at) => {
    const event = KVM_EVENTS[values[at + 2]!]!;
    const of = Array.from({ length: VALUES }, (_, i) => values[at + 3 + i]!);
    const pid = values[at + 1]!;
    reader.event(Math.round(time - span.from), values[at]!, pid, nameOf(pid), event.name, of);
  });
  const notes = lost > 0 ? [`${lost} events or more were lost while it was taken`] : [];
  const most = Math.max(...cpus.map(({ cpu }) => cpu)) + 1;
  return reader.capture({ file, format: 'trace.dat', cpus: most, records, length, notes });
}

function valuesOf({ event, format }: Declared, record: LittleEndian): readonly number[] {
  const values = event.fields((name, half) => fieldIn(record, format.fields.get(name), half));
  const missing = values.findIndex((v) => v === undefined || !Number.isFinite(v));
  if (missing < 0) return values as readonly number[];
  throw record.wrong(
    `${event.name} has no ${event.values[missing]}: its format, or the record, lacks the field that it is in`,
  );
}
