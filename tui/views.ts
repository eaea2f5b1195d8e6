/** The views there are, and of whom each shows anything. */

import type { Snapshot } from '../engine/index.ts';
import { CPUS } from './cpus-table.ts';
import { DEVICES } from './devices-table.ts';
import { EVENTS } from './events-table.ts';
import { EXITS } from './exits-table.ts';
import { HOOK } from './hook-table.ts';
import { HOST, hasHost } from './host-table.ts';
import { INTERRUPTS } from './interrupts-table.ts';
import { LATENCY } from './latency-table.ts';
import type { Ui } from './session.ts';
import { isXen, isXenOnX86, processorsOf, type Subject } from './subject.ts';
import type { TableKind, TableState } from './table-model.ts';
import { XEN } from './xen-table.ts';

export type ViewName =
  | 'interrupts'
  | 'pending'
  | 'exits'
  | 'path'
  | 'latency'
  | 'events'
  | 'devices'
  | 'host';
export type TableName =
  | 'interrupts'
  | 'xen'
  | 'exits'
  | 'latency'
  | 'events'
  | 'hook'
  | 'devices'
  | 'host'
  | 'cpus';

export interface View {
  readonly name: ViewName;
  /** as the line of the domains calls it */
  readonly title: string;
  /** that shows it at once */
  readonly key: string;
  /** Is there anything to show? */
  has(subject: Subject, snapshot: Snapshot): boolean;
  /** the table that it shows; undefined: none */
  table?(subject: Subject, ui: Ui): TableName;
}

/** In the order in which Tab goes through them. */
export const VIEWS: readonly View[] = [
  {
    name: 'interrupts',
    title: 'Interrupts',
    key: 'f2',
    has: () => true,
    table: (subject, { transposed }) => (transposed ? 'cpus' : isXen(subject) ? 'xen' : 'interrupts'),
  },
  {
    name: 'pending',
    title: 'Pending',
    key: 'f3',
    has: (subject) => processorsOf(subject) > 0,
  },
  {
    name: 'exits',
    title: 'Exits',
    key: 'f4',
    has: (subject) => !isXen(subject) && subject.exits !== undefined,
    table: () => 'exits',
  },
  { name: 'path', title: 'Path', key: 'f5', has: () => true },
  {
    name: 'latency',
    title: 'Latency',
    key: 'f6',
    has: (subject) => subject.latency !== undefined,
    table: () => 'latency',
  },
  {
    name: 'events',
    title: 'Events',
    key: 'f7',
    has: () => true,
    table: (subject, { hookLog }) => (hookLog && isXenOnX86(subject) ? 'hook' : 'events'),
  },
  { name: 'devices', title: 'Devices', key: 'f8', has: () => true, table: () => 'devices' },
  {
    name: 'host',
    title: 'Host',
    key: 'f9',
    has: (_, snapshot) => hasHost(snapshot),
    table: () => 'host',
  },
];

export function viewsOf(subject: Subject, snapshot: Snapshot): readonly View[] {
  return VIEWS.filter((view) => view.has(subject, snapshot));
}

export const TABLES: Readonly<Record<TableName, TableKind>> = {
  interrupts: INTERRUPTS,
  xen: XEN,
  cpus: CPUS,
  exits: EXITS,
  latency: LATENCY,
  events: EVENTS,
  hook: HOOK,
  devices: DEVICES,
  host: HOST,
};

/** How the tables stand at the start. */
export const FIRST_TABLES: Readonly<Record<TableName, TableState>> = {
  interrupts: { selected: null, sort: { column: 'irq', reverse: false }, filter: '' },
  cpus: { selected: null, sort: { column: 'irq', reverse: false }, filter: '' },
  xen: { selected: null, sort: { column: 'irq', reverse: false }, filter: '' },
  exits: { selected: null, sort: { column: 'total', reverse: false }, filter: '' },
  latency: { selected: null, sort: { column: 'irq', reverse: false }, filter: '' },
  events: { selected: null, sort: { column: 'time', reverse: false }, filter: '' },
  host: { selected: null, sort: { column: 'name', reverse: false }, filter: '' },
  hook: { selected: null, sort: { column: 'time', reverse: false }, filter: '' },
  devices: { selected: null, sort: { column: 'irq', reverse: false }, filter: '' },
};
