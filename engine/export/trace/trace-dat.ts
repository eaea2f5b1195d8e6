/**
 * trace.dat, version 6, as trace-cmd records it (man trace-cmd.dat.v6): the events' formats, then for each CPU the pages of
 * its ring buffer. How many those are stands before them, so they wait on a heap for the end.
 */
import { DELTA_BITS, MOST_WORDS, PAGE_HEADER, TIME_EXTEND, TYPE_LEN_BITS } from '../../abi/trace-dat.ts';
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { Bytes } from './bytes.ts';
import { type CurrentEvent, EventStream } from './events.ts';
import { type EventType, encodeEvent, mostOf } from './schema.ts';
import { PAGE, tracingData } from './tracing-data.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

/** the longest time between two events that the second one's head has room for is less */
const LONGEST = 2 ** DELTA_BITS;

export class TraceDatWriter implements TraceWriter {
  readonly record: TakeRow;
  private readonly stream: EventStream;
  private readonly cpus: CpuPages[];

  constructor(
    host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    this.stream = new EventStream(host, (type, event) => this.cpus[event.cpu]!.add(type, event));
    this.cpus = Array.from({ length: this.stream.cpus }, (_, cpu) => new CpuPages(cpu, files));
    this.record = this.stream.record;
  }

  flush(): void {
    for (const cpu of this.cpus) cpu.flush();
  }

  end(): void {
    const { files, cpus, stream } = this;
    for (const cpu of cpus) cpu.end();
    const head = tracingData('6', stream.types, stream.names());
    head.u32(cpus.length);
    head.text('options  ');
    head.u8(0);
    head.u16(0); // no more of them
    head.string('flyrecord');
    let offset = Math.ceil((head.length + 16 * cpus.length) / PAGE) * PAGE;
    for (const { cpu } of cpus) {
      const size = files.kept(cpu);
      head.u64(offset);
      head.u64(size);
      offset += size;
    }
    head.align(PAGE);
    files.append(head.written());
    for (const { cpu } of cpus) files.appendKept(cpu);
  }
}

/** The ring buffer of one CPU. */
class CpuPages {
  private readonly pages = new Bytes();
  /** where the page begins; -1: none is begun */
  private page = -1;
  private last = 0;

  constructor(
    readonly cpu: number,
    private readonly files: TraceFiles,
  ) {}

  add(type: EventType, event: CurrentEvent): void {
    const { pages } = this;
    const time = event.rows[event.at + ROW.time]!;
    // before it time_extend, its head, its length
    if (this.page >= 0 && pages.length - this.page + 16 + mostOf(type, event.strings) > PAGE)
      this.closePage();
    if (this.page < 0) this.openPage(time);
    let delta = time - this.last;
    this.last = time;
    if (delta >= LONGEST) {
      pages.u32((((delta % LONGEST) << TYPE_LEN_BITS) | TIME_EXTEND) >>> 0);
      pages.u32(Math.floor(delta / LONGEST));
      delta = 0;
    }
    const head = pages.room(type.size > MOST_WORDS * 4 || type.strings > 0 ? 8 : 4, false);
    const long = pages.length - head === 8;
    const size = encodeEvent(pages, type, event);
    pages.setU32(head, (delta << TYPE_LEN_BITS) | (long ? 0 : size / 4));
    if (long) pages.setU32(head + 4, size + 4);
  }

  private openPage(time: number): void {
    this.page = this.pages.length;
    this.pages.u64(time);
    this.pages.u64(0);
    this.last = time;
  }

  private closePage(): void {
    const { pages, page } = this;
    pages.setU64(page + 8, pages.length - page - PAGE_HEADER);
    pages.padTo(page + PAGE);
    this.page = -1;
  }

  /** Whole pages go; the one that is begun stays. */
  flush(): void {
    const { pages, page } = this;
    const whole = page < 0 ? pages.length : page;
    if (whole === 0) return;
    this.files.keep(this.cpu, pages.written(whole));
    pages.drop(whole);
    if (page >= 0) this.page = 0;
  }

  end(): void {
    if (this.page >= 0) this.closePage();
    this.flush();
  }
}
