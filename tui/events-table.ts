/** The log of trace records as a table: one hop a row, the newest at the bottom. */
import { type EventRow, eventText } from './event-log.ts';
import { displayWidth, pad, padLeft } from './format.ts';
import { MODE_ROLES } from './modes.ts';
import type { Subject } from './subject.ts';
import type { TableColumn, TableKind } from './table-model.ts';

const MODE = 6;
const CPU = 3;
/** cells from which on the journey has a column of its own, and the time its blanks */
const WIDE = 76;
const WIDER = 100;

export const EVENTS: TableKind<EventRow, Subject> = {
  sorts: [],
  below: 1,
  follows: true,
  rows: (_, __, log) => log(),
  counts: () => new Map(),
  sorted: (rows) => [...rows],
  textOf: eventText,
  keeps: ({ event }) => event === null,
  columns(rows, _, { width, glyphs }) {
    const longest = (least: number, most: number, of: (row: EventRow) => string) =>
      rows.reduce((n, row) => Math.min(most, Math.max(n, displayWidth(of(row)))), least);
    const timeText = (row: EventRow) => (width >= WIDER ? row.label : row.short);
    const time = longest(8, 24, timeText);
    const who = longest(5, 12, (row) => row.who);
    const journeyText = ({ event }: EventRow) => (event && event.journey !== 0 ? `#${event.journey}` : '');
    const journey = width >= WIDE ? longest(width >= WIDER ? 7 : 4, 12, journeyText) : 0;
    const fixed = 1 + time + (1 + CPU) + (2 + MODE) + (1 + who) + (journey > 0 ? 2 + journey : 0);
    const words = Math.max(20, width - fixed - 1);
    const name = longest(8, Math.max(14, Math.floor(words * 0.45)), (row) => row.name);
    const detail = Math.max(4, words - name - 2);
    const columns: TableColumn<EventRow>[] = [
      {
        title: 'TIME',
        gap: 0,
        width: time,
        right: true,
        cell: (line, row) => line.add(padLeft(timeText(row), time)),
      },
      {
        title: 'CPU',
        gap: 1,
        width: CPU,
        right: true,
        cell: (line, { event }) =>
          line.add(padLeft(event ? (event.cpu < 0 ? '-' : `${event.cpu}`) : '', 1 + CPU)),
      },
      {
        title: 'MODE',
        gap: 2,
        width: MODE,
        cell: (line, { event }) =>
          line.add('  ').add(pad(event?.mode ?? '', MODE), event ? MODE_ROLES[event.mode] : undefined),
      },
      {
        title: 'VCPU',
        gap: 1,
        width: who,
        cell: (line, row) => line.add(' ').add(pad(row.who, who, glyphs.ellipsis)),
      },
      {
        title: 'FUNCTION',
        gap: 1,
        width: name,
        cell: (line, row) => line.add(' ').add(pad(row.name, name, glyphs.ellipsis)),
      },
      {
        title: 'WHAT',
        gap: 2,
        width: detail,
        cell: (line, row) =>
          line.add('  ').add(pad(row.detail, detail, glyphs.ellipsis), row.event ? undefined : 'dim'),
      },
    ];
    if (journey > 0) {
      columns.push({
        title: width >= WIDER ? 'JOURNEY' : '#',
        gap: 2,
        width: journey,
        right: true,
        cell: (line, row) => line.add(padLeft(journeyText(row), 2 + journey), 'dim'),
      });
    }
    return columns;
  },
};
