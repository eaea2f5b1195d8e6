/** The pages of one CPU's ring buffer, event by event (kernel/trace/ring_buffer.c, kbuffer of libtraceevent). */
import { MOST_WORDS, PADDING, TIME_EXTEND, TIME_STAMP, TYPE_LEN_BITS } from '../abi/trace-dat.ts';
import { fieldsOf } from './event-format.ts';
import type { LittleEndian } from './little-endian.ts';

/** Where on a page what is; from the file's header_page. */
export interface PageLayout {
  readonly size: number;
  /** where the events begin */
  readonly data: number;
}

const COMMIT = 8;
/** how many bytes of a page are used; the bits above tell that events were lost before it */
const COMMIT_MASK = (1 << 27) - 1;
const MISSED = 0x8000_0000;
const MISSED_STORED = 0x4000_0000;
const TYPE_LEN_MASK = (1 << TYPE_LEN_BITS) - 1;
const EXTEND = 2 ** 27;
const LARGEST_PAGE = 1 << 20;

export function pageLayout(from: LittleEndian): PageLayout {
  const data = fieldsOf(from.text(0, from.bytes.length)).get('data');
  const size = data ? data.offset + data.size : 0;
  if (!data || data.offset < COMMIT + 4 || size > LARGEST_PAGE || size <= data.offset) {
    throw from.wrong(
      'header_page does not say where the data of a page is; field: char data; would be right',
    );
  }
  return { size, data: data.offset };
}

/** A time stamp in two halves: nanoseconds since boot are more than a double holds after a hundred days. */
export interface Base {
  readonly high: number;
  readonly low: number;
}

/** The time stamp of the first page. */
export function baseOf(pages: LittleEndian): Base {
  return { low: pages.u32At(0), high: pages.u32At(4) };
}

/**
 * @param take each record, at its time behind `base`
 * @returns how many events were lost
 * @throws UserError naming the offset at which a page is not as it should be
 */
export function readPages(
  pages: LittleEndian,
  layout: PageLayout,
  base: Base,
  take: (time: number, record: LittleEndian) => void,
): number {
  let lost = 0;
  while (pages.left > 0) {
    const start = pages.at;
    const page = pages.part(layout.size, 'a page of a ring buffer');
    const commit = page.u32At(COMMIT);
    const used = commit & COMMIT_MASK;
    if (used > layout.size - layout.data) {
      throw pages.wrong(
        `a page uses ${used} bytes and has ${layout.size - layout.data}; the file is damaged`,
        start + COMMIT,
      );
    }
    if ((commit & MISSED) !== 0) {
      const stored = (commit & MISSED_STORED) !== 0 && layout.data + used + 8 <= layout.size;
      lost += stored ? page.u32At(layout.data + used) : 1;
    }
    const time = (page.u32At(4) - base.high) * 4294967296 + (page.u32At(0) - base.low);
    page.at = layout.data;
    readPage(page, layout.data + used, time, base, take);
  }
  return lost;
}

function readPage(
  page: LittleEndian,
  end: number,
  begin: number,
  base: Base,
  take: (time: number, record: LittleEndian) => void,
): void {
  let time = begin;
  while (page.at + 4 <= end) {
    const start = page.at;
    const head = page.u32('the head of an event');
    const kind = head & TYPE_LEN_MASK;
    let delta = head >>> TYPE_LEN_BITS;
    let size = kind * 4;
    if (kind === PADDING && delta === 0) return; // the rest of the page is
    if (kind === 0 || kind > MOST_WORDS) {
      if (page.at + 4 > end) throw page.wrong('an event is cut off by the end of its page', start);
      const word = page.u32('the length of an event');
      if (kind === TIME_EXTEND) {
        delta += word * EXTEND;
        size = 0;
      } else if (kind === TIME_STAMP) {
        time = absolute(word, delta, base);
        continue;
      } else if (word < 4) throw page.wrong(`an event of ${word} bytes: 4 at least would be right`, start);
      else size = word - 4;
    }
    if (page.at + size > end) {
      throw page.wrong(`an event of ${size} bytes does not end within its page`, start);
    }
    time += delta;
    if (kind === PADDING) page.at += size;
    else if (size > 0) take(time, page.part(size, 'an event'));
  }
}

/** A time stamp of 59 bits, behind `base`. */
function absolute(word: number, low: number, base: Base): number {
  const above = (base.high * 32 + (base.low >>> 27)) % 4294967296;
  return (word - above) * EXTEND + (low - (base.low % EXTEND));
}
