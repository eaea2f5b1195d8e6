/** Which counters of a snapshot the history keeps, and by what names. */
import type { Snapshot, XenSnapshot } from '../engine/index.ts';
import { deviceCounts } from './devices-table.ts';
import { exitKey } from './exits-table.ts';
import { rowKey } from './frame.ts';
import type { History } from './history.ts';
import { hostCounts } from './host-table.ts';
import { latencyCounts } from './latency-table.ts';
import { isXenOnX86, subjectsOf } from './subject.ts';
import { sum } from './table-model.ts';
import { xenCounts } from './xen-table.ts';

export function feed(history: History, snapshot: Snapshot): void {
  history.count('interrupts', snapshot.totals.interrupts);
  history.count('upcalls', snapshot.totals.exits ?? snapshot.totals.upcalls);
  for (const cpu of snapshot.cpus) {
    history.count(`guest ${cpu.cpu}`, cpu.guestNs);
    history.count(`xen ${cpu.cpu}`, cpu.xenNs);
  }
  for (const { name, interrupts, exits } of snapshot.domains) {
    for (const row of interrupts.rows) history.count(rowKey(name, row.irq), sum(row.counts));
    for (const row of interrupts.arch) history.count(rowKey(name, row.label), sum(row.counts));
    for (const row of exits?.rows ?? []) history.count(exitKey(name, row.reason), sum(row.counts));
  }
  for (const [key, n] of hostCounts(snapshot)) history.count(key, n);
  for (const subject of subjectsOf(snapshot)) {
    for (const [key, [n]] of latencyCounts(subject)) history.count(key, n!);
  }
  for (const [key, counts] of deviceCounts(snapshot)) history.count(key, sum(counts));
  if (snapshot.xen) feedXen(history, snapshot.xen);
}

function feedXen(history: History, xen: XenSnapshot): void {
  for (const [key, counts] of xenCounts(xen)) history.count(key, sum(counts));
  if (!isXenOnX86(xen)) return;
  xen.hook.cpus.forEach(({ records, added }, cpu) => {
    history.count(`hook ${cpu}`, records);
    history.count(`hook added ${cpu}`, added);
  });
}
