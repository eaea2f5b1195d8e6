/** The manual page, in the macros of man(7), from the same tables as the help and the monitor's keys. */
import { GROUPS, KEYMAP } from '../tui/keymap.ts';
import { optionsOf } from './flags/index.ts';
import type { OptionGroup } from './flags/row.ts';
import { PAGES } from './help.ts';
import type { CommandName } from './options.ts';
import { VERSION } from './version.ts';

const ENVIRONMENT = [
  ['NO_COLOR', 'set and not empty: no colours, unless --color says otherwise'],
  ['FORCE_COLOR', 'colours where the terminal seems to have none: 1 for 16, 2 for 256, 3 for all'],
  ['LANG, LC_ALL, LC_CTYPE', 'not UTF-8: only ASCII is drawn'],
  [
    'NODE_COMPILE_CACHE',
    'where Node keeps compiled code for the next start; NODE_DISABLE_COMPILE_CACHE=1: nowhere',
  ],
  ['TERM', 'linux: only ASCII is drawn; dumb: there is no monitor'],
] as const;

export function manPage(): string {
  const { virqtop, ...others } = PAGES;
  const [about = ''] = virqtop.about.split('\n\n');
  const [examples = '', ...end] = (virqtop.end ?? '').replace(/^Examples:\n/, '').split('\n\n');
  const exit = end.join(' ').replace(/\n/g, ' ');
  return [
    `.TH VIRQTOP 1 "" "virqtop ${VERSION}" "User Commands"`,
    ...section('NAME', ['virqtop \\- top for virtual interrupts']),
    ...section('SYNOPSIS', verbatim(virqtop.usage.join('\n'))),
    ...section('DESCRIPTION', [plain(about.replaceAll('\n', ' '))]),
    ...section('OPTIONS', optionsOf('virqtop').flatMap(options)),
    ...section('KEYS', GROUPS.flatMap(keys)),
    ...section(
      'COMMANDS',
      Object.entries(others).flatMap(([name, page]) => [
        `.SS ${name}`,
        ...verbatim(page.usage.join('\n')),
        '.PP',
        ...verbatim(page.about),
        ...optionsOf(name as CommandName).flatMap(options),
        ...(page.end ? ['.PP', ...verbatim(page.end)] : []),
      ]),
    ),
    ...section('EXAMPLES', verbatim(examples)),
    ...section('TIMES AND EXIT STATUS', [plain(exit)]),
    ...section(
      'ENVIRONMENT',
      ENVIRONMENT.flatMap(([name, what]) => entry(name, what)),
    ),
    ...section('SEE ALSO', [plain('lsirq(1), irqtop(1), mpstat(1), xentop(1), kvm_stat(1), xentrace(8)')]),
    '',
  ].join('\n');
}

function section(title: string, lines: readonly string[]): string[] {
  return [`.SH ${title}`, ...lines];
}

function options({ title, rows }: OptionGroup): string[] {
  return ['.PP', `.I ${plain(title)}`, ...rows.flatMap(({ flags, help }) => entry(flags, help))];
}

function keys(group: (typeof GROUPS)[number]): string[] {
  const rows = KEYMAP.filter((k) => k.group === group);
  return ['.PP', `.I ${group}:`, '.PD 0', ...rows.flatMap(({ label, about }) => entry(label, about)), '.PD'];
}

/** A word and what it means. */
function entry(word: string, meaning: string): string[] {
  return ['.TP', `.B ${plain(word)}`, plain(meaning)];
}

/** Lines as they stand. */
function verbatim(text: string): string[] {
  return ['.nf', ...text.split('\n').map(plain), '.fi'];
}

/** Text that roff prints as it is: minus signs stay minus signs, a point at the beginning is no request. */
function plain(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('`', '\\(ga')
    .replaceAll("'", '\\(aq');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}
