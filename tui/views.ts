/** The views there are, and what each needs of a domain. */
import type { DomainSnapshot } from '../engine/index.ts';
import { EXITS } from './exits-table.ts';
import { INTERRUPTS } from './interrupts-table.ts';
import type { TableKind, TableState } from './table-model.ts';

export type ViewName = 'interrupts' | 'pending' | 'exits' | 'path';
export type TableName = 'interrupts' | 'exits';

export interface View {
  readonly name: ViewName;
  /** as the line of the domains calls it */
  readonly title: string;
  /** that shows it at once */
  readonly key: string;
  /** Has the domain anything to show there? */
  has(domain: DomainSnapshot): boolean;
}

/** In the order in which Tab goes through them. */
export const VIEWS: readonly View[] = [
  { name: 'interrupts', title: 'Interrupts', key: 'f2', has: () => true },
  {
    name: 'pending',
    title: 'Pending',
    key: 'f3',
    has: ({ x86 }) => x86 !== undefined && x86.lapics.length > 0,
  },
  { name: 'exits', title: 'Exits', key: 'f4', has: ({ exits }) => exits !== undefined },
  { name: 'path', title: 'Path', key: 'f5', has: () => true },
];

export function viewsOf(domain: DomainSnapshot): readonly View[] {
  return VIEWS.filter((view) => view.has(domain));
}

export const TABLES: Readonly<Record<TableName, TableKind>> = { interrupts: INTERRUPTS, exits: EXITS };

/** How the tables stand at the start. */
export const FIRST_TABLES: Readonly<Record<TableName, TableState>> = {
  interrupts: { selected: null, sort: { column: 'irq', reverse: false }, filter: '' },
  exits: { selected: null, sort: { column: 'total', reverse: false }, filter: '' },
};
