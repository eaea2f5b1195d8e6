/** Whom one can look at: the domains, and Xen, which is one of its own here. */
import type { DomainSnapshot, HookSnapshot, Snapshot, XenSnapshot, XenX86Snapshot } from '../engine/index.ts';

export type Subject = DomainSnapshot | XenSnapshot;

export function isXen(subject: Subject): subject is XenSnapshot {
  return 'eventChecks' in subject;
}

/** Xen on x86, with what only that has. */
export function isXenOnX86(subject: Subject): subject is XenX86Snapshot {
  return 'vectors' in subject;
}

/** Its interrupt hook; undefined where there is none. */
export function hookOf({ xen }: Snapshot): HookSnapshot | undefined {
  return xen && isXenOnX86(xen) ? xen.hook : undefined;
}

/** What Xen takes by one number: a vector, on ARM an INTID. */
export interface Taken {
  readonly number: number;
  /** as its row is named */
  readonly label: string;
  readonly what: string;
  readonly owner: string;
  readonly counts: readonly number[];
}

export function takenBy(xen: XenSnapshot): Taken[] {
  if (isXenOnX86(xen)) {
    return xen.vectors.map((v) => ({ ...v, number: v.vector, label: vectorText(v.vector) }));
  }
  return xen.irqs.map((irq) => ({ ...irq, number: irq.intid, label: String(irq.intid) }));
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
  return isXen(subject) ? subject.softirqs[0]!.counts.length : subject.vcpus.length;
}

/**
 * Whose pending interrupts can be looked at one by one: virtual CPUs with chips of their own or event channels, of Xen
 * the physical CPUs.
 */
export function processorsOf(subject: Subject): number {
  if (isXen(subject)) return isXenOnX86(subject) ? subject.x86.lapics.length : subject.gic.cpus.length;
  const channels = subject.channels.length > 0 ? subject.vcpus.length : 0;
  return subject.x86?.lapics.length ?? subject.arm?.vcpus.length ?? channels;
}
