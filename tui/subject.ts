/** Whom one can look at: the domains, and Xen, which is one of its own here. */
import type { DomainSnapshot, Snapshot, XenSnapshot } from '../engine/index.ts';

export type Subject = DomainSnapshot | XenSnapshot;

export function isXen(subject: Subject): subject is XenSnapshot {
  return 'pendingEoi' in subject;
}

/** A vector as the rows of Xen are named by it. */
export function vectorText(vector: number): string {
  return `0x${vector.toString(16).padStart(2, '0')}`;
}

/** In the order of their tabs. */
export function subjectsOf({ domains, xen }: Snapshot): readonly Subject[] {
  return xen ? [...domains, xen] : domains;
}

/** The virtual CPUs of a domain; Xen runs on the physical ones. */
export function cpusOf(subject: Subject): number {
  return isXen(subject) ? subject.nmis.length : subject.vcpus.length;
}
