/** A row of the tables of options, and which commands are alike. */
import type { CommandName } from '../options.ts';

/** Words that a shell completes: these, or names of files, of built-in scenarios (or files). */
export type Offer = readonly string[] | 'file' | 'scenario';

export interface OptionRow {
  readonly flags: string;
  readonly help: string;
  readonly parse?: (text: string) => unknown;
  /** collects the values of repeated options */
  readonly list?: boolean;
  /** what a shell offers for the value; without it nothing */
  readonly offers?: Offer;
  /** which commands know it, if not all of its group's */
  readonly of?: readonly CommandName[];
}

export interface OptionGroup {
  readonly title: string;
  readonly of: readonly CommandName[];
  readonly rows: readonly OptionRow[];
}

export const MAIN: readonly CommandName[] = ['virqtop'];
/** files of a host that runs on */
export const LIVE_FILES: readonly CommandName[] = ['exec', 'procfs'];
/** what runs on, with a screen */
export const LIVE: readonly CommandName[] = ['virqtop', 'serve'];
/** one host */
export const HOST: readonly CommandName[] = ['virqtop', 'proc', 'trace', ...LIVE_FILES, 'serve'];
/** a screen that may be recorded */
export const SCREEN: readonly CommandName[] = ['virqtop', 'demo'];
