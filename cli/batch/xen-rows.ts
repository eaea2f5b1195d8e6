/** What Xen counts, as rows: vectors and NMIs, on ARM INTIDs, and softirqs. */
import type { XenSnapshot } from '../../engine/index.ts';
import { isXenOnX86, takenBy } from '../../tui/subject.ts';
import type { Changes } from './report.ts';
import type { Candidate } from './rows.ts';

export interface XenRow {
  readonly kind: 'interrupt' | 'softirq';
  /** `0x31`, `NMI`, on ARM `27`, or the name of the softirq */
  readonly label: string;
  /** what it is called among all rows: a softirq is named NMI too */
  readonly key: string;
  /** per physical CPU */
  readonly counts: readonly number[];
  readonly what: string;
  readonly owner: string;
}

export function softirqKey(name: string): string {
  return `softirq ${name}`;
}

export function xenRows(xen: XenSnapshot): XenRow[] {
  const interrupts = takenBy(xen).map(
    ({ label, counts, what, owner }): XenRow => ({
      kind: 'interrupt',
      label,
      key: label,
      counts,
      what,
      owner,
    }),
  );
  if (isXenOnX86(xen)) {
    const nmi = { label: 'NMI', key: 'NMI', counts: xen.nmis, what: 'do_nmi', owner: 'Xen' };
    interrupts.push({ kind: 'interrupt', ...nmi });
  }
  const softirqs = xen.softirqs.map(
    ({ name, counts }): XenRow => ({
      kind: 'softirq',
      label: name,
      key: softirqKey(name),
      counts,
      what: 'softirq',
      owner: 'Xen',
    }),
  );
  return [...interrupts, ...softirqs];
}

export function candidateOf(
  xen: XenSnapshot,
  { key, label, counts, what, owner }: XenRow,
  changes: Changes,
): Candidate {
  return { delta: changes.of(xen, key), counts, words: [label, what, owner] };
}
