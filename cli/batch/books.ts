/** The books as a table: where every raise went. */
import type { Account, Snapshot } from '../../engine/index.ts';
import { type Column, table } from '../table.ts';
import { secondsText } from './report.ts';

const COLUMNS: readonly Column[] = [
  { title: 'SOURCE' },
  { title: 'DESTINATION' },
  { title: 'RAISED', right: true },
  { title: 'DELIVERED', right: true },
  { title: 'COALESCED', right: true },
  { title: 'IGNORED', right: true },
  { title: 'PENDING', right: true },
  { title: 'WHY IGNORED' },
];

export function booksTable(snapshot: Snapshot): string {
  const { books } = snapshot;
  const sum = (of: (account: Account) => number) => String(books.reduce((n, account) => n + of(account), 0));
  const rows = books.map((a) => [
    a.source,
    a.destination,
    String(a.raised),
    String(a.delivered),
    String(a.coalesced),
    String(ignored(a)),
    String(a.pending),
    Object.entries(a.ignored)
      .map(([why, n]) => `${why} ${n}`)
      .join(', '),
  ]);
  const total = [
    'total',
    '',
    sum((a) => a.raised),
    sum((a) => a.delivered),
    sum((a) => a.coalesced),
    sum(ignored),
    sum((a) => a.pending),
    '',
  ];
  const open = books.filter((a) => a.raised !== a.delivered + a.coalesced + ignored(a) + a.pending);
  const verdict =
    open.length === 0
      ? 'balanced: raised = delivered + coalesced + ignored + pending in every account'
      : `NOT balanced: ${open.map((a) => `${a.source} -> ${a.destination}`).join(', ')}`;
  const head = `Books - scenario ${snapshot.scenario}, seed ${snapshot.seed}, time ${secondsText(snapshot.time)} s`;
  return `${head}\n\n${table(COLUMNS, [...rows, total])}\n${verdict}\n`;
}

function ignored(account: Account): number {
  return Object.values(account.ignored).reduce((n, k) => n + k, 0);
}
