/** The parts of a trace.dat, of version 6 or 7 (man trace-cmd.dat.v6, trace-cmd.dat.v7). */
import { TRACE_DAT_MAGIC } from '../abi/trace-dat.ts';
import { quoted } from '../core/errors.ts';
import { type EventFormat, eventFormat } from './event-format.ts';
import { LittleEndian } from './little-endian.ts';
import { ofFile } from './problem.ts';
import { type PageLayout, pageLayout } from './ring-buffer.ts';

/** Undoes a compression, of at most `size` bytes. @throws anything if it cannot */
export type Inflate = (algorithm: string, bytes: Uint8Array, size: number) => Uint8Array;

export interface TraceDat {
  readonly layout: PageLayout;
  /** those of system kvm */
  readonly formats: readonly EventFormat[];
  /** names of tasks by pid */
  readonly comms: ReadonlyMap<number, string>;
  /** the pages of each CPU */
  readonly cpus: readonly { readonly cpu: number; readonly pages: LittleEndian }[];
  /** nanoseconds of a unit of its clock */
  readonly unit: number;
}

const MOST_CPUS = 4096;
const MOST_FORMATS = 65_536;
/** what a file may be once it is not compressed any more */
const LARGEST = 256 * 1024 * 1024;

export function isTraceDat(bytes: Uint8Array): boolean {
  return TRACE_DAT_MAGIC.every((byte, i) => bytes[i] === byte);
}

/** @throws UserError naming the offset at which it is not as it should be */
export function readTraceDat(file: string, bytes: Uint8Array, inflate: Inflate): TraceDat {
  const from = new LittleEndian(file, bytes);
  from.part(TRACE_DAT_MAGIC.length, 'the magic number');
  const start = from.at;
  const version = from.string('the version', 16);
  if (version !== 'tracing6' && version !== 'tracing7') {
    throw from.wrong(`${quoted(version)}: version 6 or 7 of trace.dat would be right`, start);
  }
  if (from.u8('the byte order') !== 0)
    throw from.wrong('big-endian; of a little-endian machine would be right');
  const long = from.u8('the size of a long');
  if (long !== 8) throw from.wrong(`of a machine with longs of ${long} bytes; 8 would be right`);
  from.u32('the size of a page');
  return version === 'tracing6' ? new Version6(from).read() : new Version7(from, inflate).read();
}

/** What both versions have, one after the other or each in a section of its own. */
class Parts {
  layout: PageLayout | undefined;
  readonly formats: EventFormat[] = [];
  readonly comms = new Map<number, string>();
  readonly cpus: { cpu: number; pages: LittleEndian }[] = [];
  unit = 1;

  whole(file: string): TraceDat {
    const { layout } = this;
    if (!layout) throw ofFile(file, 'nothing in it says how its pages are laid out (header_page)');
    return { ...this, layout };
  }

  headers(from: LittleEndian): void {
    for (const name of ['header_page', 'header_event']) {
      const start = from.at;
      const found = from.string('the name of a header', 64);
      if (found !== name) throw from.wrong(`${quoted(found)} stands where ${name} would be right`, start);
      const text = sized(from, name);
      if (name === 'header_page') this.layout = pageLayout(text);
    }
  }

  /** Of ftrace itself: nothing in them is of KVM. */
  ftrace(from: LittleEndian): void {
    const count = counted(from, 'formats of ftrace');
    for (let i = 0; i < count; i++) sized(from, 'a format of ftrace');
  }

  events(from: LittleEndian): void {
    const systems = counted(from, 'systems of events');
    for (let i = 0; i < systems; i++) {
      const system = from.string('the name of a system', 256);
      const count = counted(from, `events of ${quoted(system)}`);
      for (let n = 0; n < count; n++) {
        const text = sized(from, `a format of ${quoted(system)}`);
        if (system === 'kvm') this.formats.push(eventFormat(text));
      }
    }
  }

  cmdlines(from: LittleEndian): void {
    const text = sized(from, 'the names of tasks');
    for (const line of text.text(0, text.bytes.length).split('\n')) {
      const found = /^(\d{1,9}) (.{1,64})$/.exec(line);
      if (found) this.comms.set(Number(found[1]), found[2]!);
    }
  }

  /** An option that tells of the clock. */
  clock(id: number, option: LittleEndian): void {
    if (id === TSC2NSEC && option.left >= 8) {
      const multiplier = option.u32('a multiplier');
      this.unit = multiplier / 2 ** (option.u32('a shift') & 63);
      if (!(this.unit > 0)) throw option.wrong('a clock whose unit is no time');
    }
    if (id === TRACECLOCK) {
      const text = option.text(0, option.bytes.length);
      const clock = /\[([\w-]+)\]/.exec(text)?.[1];
      this.counts = clock !== undefined && COUNTERS.includes(clock) ? clock : undefined;
    }
  }

  /** a clock that does not count nanoseconds */
  counts: string | undefined;

  checkClock(file: string): void {
    if (this.counts === undefined || this.unit !== 1) return;
    throw ofFile(file, `its clock is ${this.counts}, no time; one recorded with -C mono would be right`);
  }

  /** Pages of a CPU. */
  add(cpu: number, pages: LittleEndian): void {
    if (cpu >= MOST_CPUS) throw pages.wrong(`CPU ${cpu}: below ${MOST_CPUS} would be right`);
    this.cpus.push({ cpu, pages });
  }
}

const COUNTERS = ['counter', 'uptime', 'x86-tsc', 'ppc-tb'];

/** ids of options */
const DONE = 0;
const BUFFER = 3;
const TRACECLOCK = 4;
const TSC2NSEC = 14;

/** Text or bytes behind 64 bits of their size. */
function sized(from: LittleEndian, what: string): LittleEndian {
  return from.part(from.u64(`the size of ${what}`), what);
}

function counted(from: LittleEndian, what: string): number {
  const start = from.at;
  const count = from.u32(`the number of ${what}`);
  if (count > MOST_FORMATS)
    throw from.wrong(`${count} ${what}: at most ${MOST_FORMATS} would be right`, start);
  return count;
}

/** A part of the file that something else in it points to. */
function at(from: LittleEndian, offset: number, size: number, what: string): LittleEndian {
  if (offset + size > from.bytes.length) {
    throw from.wrong(
      `${what} is to be at offset ${offset} with ${size} bytes, and the file ends at ${from.bytes.length}: it is not whole`,
    );
  }
  return new LittleEndian(from.file, from.bytes.subarray(offset, offset + size), offset);
}

class Version6 {
  private readonly parts = new Parts();

  constructor(private readonly from: LittleEndian) {}

  read(): TraceDat {
    const { from, parts } = this;
    parts.headers(from);
    parts.ftrace(from);
    parts.events(from);
    from.part(from.u32('the size of the symbols'), 'the symbols');
    from.part(from.u32('the size of the formats of trace_printk'), 'the formats of trace_printk');
    parts.cmdlines(from);
    const start = from.at;
    const cpus = from.u32('the number of CPUs');
    if (cpus > MOST_CPUS) throw from.wrong(`${cpus} CPUs: at most ${MOST_CPUS} would be right`, start);
    let what = this.section();
    if (what === 'options  ') {
      this.options();
      what = this.section();
    }
    if (what !== 'flyrecord') {
      throw from.wrong(
        `${quoted(what)} stands where flyrecord would be right: it has no events of a ring buffer`,
      );
    }
    for (let cpu = 0; cpu < cpus; cpu++) {
      const offset = from.u64('where the pages of a CPU are');
      const size = from.u64('the size of the pages of a CPU');
      if (size > 0) parts.add(cpu, at(from, offset, size, `CPU ${cpu}`));
    }
    parts.checkClock(from.file);
    return parts.whole(from.file);
  }

  private section(): string {
    return this.from.string('the name of a section', 16);
  }

  private options(): void {
    const { from, parts } = this;
    for (;;) {
      const id = from.u16('the number of an option');
      if (id === DONE) return;
      parts.clock(id, from.part(from.u32('the size of an option'), 'an option'));
    }
  }
}

/** ids of sections */
const HEADER_INFO = 16;
const FTRACE_EVENTS = 17;
const EVENT_FORMATS = 18;
const CMDLINES = 21;
const COMPRESSED = 1;
const MOST_SECTIONS = 1000;

class Version7 {
  private readonly parts = new Parts();
  private readonly algorithm: string;
  private inflated = 0;

  constructor(
    private readonly from: LittleEndian,
    private readonly inflate: Inflate,
  ) {
    this.algorithm = from.string('the name of its compression', 64);
    from.string('the version of its compression', 64);
  }

  read(): TraceDat {
    const { from, parts } = this;
    let next = from.u64('where the options are');
    for (let n = 0; next !== 0; n++) {
      if (n === MOST_SECTIONS) throw from.wrong(`more than ${MOST_SECTIONS} sections of options`);
      next = this.options(this.section(next, 'the options'));
    }
    parts.checkClock(from.file);
    return parts.whole(from.file);
  }

  /** @returns where the next options are; 0: there are no more */
  private options(from: LittleEndian): number {
    for (;;) {
      const id = from.u16('the number of an option');
      const option = from.part(from.u32('the size of an option'), 'an option');
      if (id === DONE) return option.u64('where the next options are');
      this.option(id, option);
    }
  }

  private option(id: number, option: LittleEndian): void {
    const { parts } = this;
    switch (id) {
      case HEADER_INFO:
        parts.headers(this.section(option.u64('where the headers are'), 'the headers'));
        return;
      case FTRACE_EVENTS:
        parts.ftrace(this.section(option.u64('where the formats of ftrace are'), 'the formats of ftrace'));
        return;
      case EVENT_FORMATS:
        parts.events(this.section(option.u64('where the formats are'), 'the formats of events'));
        return;
      case CMDLINES:
        parts.cmdlines(this.section(option.u64('where the names of tasks are'), 'the names of tasks'));
        return;
      case BUFFER:
        this.buffer(option);
        return;
      default:
        parts.clock(id, option);
    }
  }

  /** A section's head: its number, flags, a description, its size. */
  private head(offset: number, what: string): { flags: number; body: number; size: number } {
    const head = at(this.from, offset, 16, what);
    head.u16('the number of a section');
    const flags = head.u16('the flags of a section');
    head.u32('the description of a section');
    return { flags, body: offset + 16, size: head.u64('the size of a section') };
  }

  private section(offset: number, what: string): LittleEndian {
    const { flags, body, size } = this.head(offset, what);
    const stored = at(this.from, body, size, what);
    return (flags & COMPRESSED) === 0 ? stored : this.chunk(stored, what);
  }

  /** The pages of one instance; only those of the first, which has no name, are of the whole host. */
  private buffer(option: LittleEndian): void {
    const { flags } = this.head(option.u64('where a buffer is'), 'a buffer');
    const instance = option.string('the name of an instance', 256);
    option.string('the clock of an instance', 64);
    if (instance !== '') return;
    option.u32('the size of a page');
    const cpus = option.u32('the number of CPUs');
    if (cpus > MOST_CPUS) throw option.wrong(`${cpus} CPUs: at most ${MOST_CPUS} would be right`);
    for (let i = 0; i < cpus; i++) {
      const cpu = option.u32('a CPU');
      const offset = option.u64('where the pages of a CPU are');
      const size = option.u64('the size of the pages of a CPU');
      if (size === 0) continue;
      const packed = (flags & COMPRESSED) !== 0;
      // the size is that of the chunks, and how many there are stands before them
      const stored = at(this.from, offset, packed ? size + 4 : size, `CPU ${cpu}`);
      this.parts.add(cpu, packed ? this.chunks(stored, cpu) : stored);
    }
  }

  private chunks(from: LittleEndian, cpu: number): LittleEndian {
    const count = counted(from, `chunks of CPU ${cpu}`);
    const parts: LittleEndian[] = [];
    for (let i = 0; i < count; i++) parts.push(this.chunk(from, `chunk ${i} of CPU ${cpu}`));
    const whole = new Uint8Array(parts.reduce((n, { bytes }) => n + bytes.length, 0));
    let offset = 0;
    for (const { bytes } of parts) {
      whole.set(bytes, offset);
      offset += bytes.length;
    }
    return new LittleEndian(from.file, whole, from.base);
  }

  private chunk(from: LittleEndian, what: string): LittleEndian {
    const start = from.at;
    const packed = from.u32(`the size of ${what}`);
    const size = from.u32(`the size of ${what}`);
    const stored = from.part(packed, what);
    this.inflated += size;
    if (this.inflated > LARGEST) {
      throw from.wrong(
        `more than ${LARGEST >> 20} MiB once it is unpacked; a shorter trace would be right`,
        start,
      );
    }
    let bytes: Uint8Array | undefined;
    try {
      bytes = this.inflate(this.algorithm, stored.bytes, size);
    } catch {
      // said below
    }
    if (bytes?.length !== size) {
      throw from.wrong(`${what} cannot be unpacked by ${quoted(this.algorithm)} to ${size} bytes`, start);
    }
    return new LittleEndian(from.file, bytes, stored.base);
  }
}
