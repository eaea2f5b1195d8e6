/** What Xen counts, as rows: vectors, NMIs and softirqs. */
import type { XenSnapshot } from '../../engine/index.ts';
import { vectorText } from '../../tui/subject.ts';

export interface XenRow {
  readonly kind: 'vector' | 'softirq';
  /** `0x31`, `NMI`, or the name of the softirq */
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
  const vectors = xen.vectors.map(({ vector, counts, what, owner }): XenRow => {
    const label = vectorText(vector);
    return { kind: 'vector', label, key: label, counts, what, owner };
  });
  const nmi = { label: 'NMI', key: 'NMI', counts: xen.nmis, what: 'do_nmi', owner: 'Xen' };
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
  return [...vectors, { kind: 'vector', ...nmi }, ...softirqs];
}
