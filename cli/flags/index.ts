/** The options in one table: which there are, what they take, which command knows them, what the help says. */
import type { CommandName } from '../options.ts';
import {
  BOARD,
  CONTROL,
  RECORDING,
  REPORT,
  SCENARIOS,
  SIDES,
  TABLE,
  THE_DEMO,
  THE_TRACE,
  VISITORS,
} from './commands.ts';
import { THE_MACHINE } from './machine.ts';
import { BATCH, LOOK, MONITOR, OTHERS, PACE, SHOWN } from './output.ts';
import type { OptionGroup } from './row.ts';

/** Groups of the help, in its order. */
const GROUPS: readonly OptionGroup[] = [
  BOARD,
  SCENARIOS,
  SIDES,
  RECORDING,
  CONTROL,
  VISITORS,
  THE_DEMO,
  REPORT,
  TABLE,
  THE_MACHINE,
  THE_TRACE,
  SHOWN,
  PACE,
  OTHERS,
  MONITOR,
  BATCH,
  LOOK,
];

/** The options of a command, in the groups of its help. */
export function optionsOf(command: CommandName): OptionGroup[] {
  return GROUPS.map(({ rows, ...group }) => ({
    ...group,
    rows: rows.filter((row) => (row.of ?? group.of).includes(command)),
  })).filter(({ rows }) => rows.length > 0);
}
