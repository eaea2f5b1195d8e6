/** The command line as a shell must know it to complete it: from the table of options and the pages of the help. */

import { optionsOf } from '../flags/index.ts';
import type { Offer } from '../flags/row.ts';
import { PAGES } from '../help.ts';
import type { CommandName } from '../options.ts';

export interface CompletedOption {
  /** `-g`, `--domain` */
  readonly names: readonly string[];
  readonly help: string;
  /** it may be given again */
  readonly again: boolean;
  /** what its value is called; undefined: it takes none */
  readonly value?: string;
  readonly offers?: Offer;
}

export interface CompletedCommand {
  readonly name: CommandName;
  readonly options: readonly CompletedOption[];
  /** of each argument; the last stands for all after it */
  readonly offers: readonly Offer[];
  /** one line of what it does */
  readonly about: string;
}

const HELP: CompletedOption = { names: ['-h', '--help'], help: 'show the help', again: false };
const VERSION: CompletedOption = { names: ['-V', '--version'], help: 'show the version', again: false };

/** Every command, the one without a name first. */
export function completedCommands(): CompletedCommand[] {
  return (Object.keys(PAGES) as CommandName[]).map((name) => ({
    name,
    options: [...optionsOf(name).flatMap(({ rows }) => rows.map(completed)), HELP, ...versionOf(name)],
    offers: PAGES[name].offers,
    about: aboutOf(name),
  }));
}

function versionOf(name: CommandName): CompletedOption[] {
  return name === 'virqtop' ? [VERSION] : [];
}

function completed({
  flags,
  help,
  list,
  offers,
}: ReturnType<typeof optionsOf>[0]['rows'][0]): CompletedOption {
  const value = /<([^>]*)>/.exec(flags)?.[1];
  return {
    names: flags.replace(/\s*<.*/, '').split(', '),
    help,
    again: list ?? false,
    ...(value === undefined ? {} : { value: value.replace('...', '') }),
    ...(offers && { offers }),
  };
}

/** As the list of commands in the help says it. */
function aboutOf(name: CommandName): string {
  const row = PAGES.virqtop.about.split('\n').find((line) => line.startsWith(`  ${name} `));
  return row?.slice(2 + name.length).replace(/^( <\w+>)?\s+/, '') ?? '';
}

/** Options after which comes a value. */
export function takingOptions(commands: readonly CompletedCommand[]): string[] {
  const taking = commands.flatMap((c) => c.options.filter((o) => o.value).flatMap((o) => o.names));
  return [...new Set(taking)];
}
