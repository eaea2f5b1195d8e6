/** A completion for fish. */
import type { Offer } from '../flags/row.ts';
import { type CompletedCommand, type CompletedOption, takingOptions } from './words.ts';

export function fish(commands: readonly CompletedCommand[], scenarios: readonly string[]): string {
  const [main, ...others] = commands;
  const names = others.map((c) => c.name).join(' ');
  const lines = [
    '# completion of virqtop in fish: virqtop completion fish > ~/.config/fish/completions/virqtop.fish',
    `set -g __virqtop_scenarios ${scenarios.join(' ')}`,
    // the words before the last that are neither options nor their values
    'function __virqtop_arguments',
    '  set -l value no',
    '  for word in (commandline -opc)[2..]',
    '    if test $value = yes',
    '      set value no',
    `    else if contains -- $word ${takingOptions(commands).join(' ')}`,
    '      set value yes',
    "    else if not string match -q -- '-*' $word",
    '      echo $word',
    '    end',
    '  end',
    'end',
    'function __virqtop_main',
    '  set -l arguments (__virqtop_arguments)',
    `  not contains -- "$arguments[1]" ${names}`,
    'end',
    'function __virqtop_first',
    '  not count (__virqtop_arguments) >/dev/null',
    'end',
    'function __virqtop_in -a command compare count',
    '  set -l arguments (__virqtop_arguments)',
    '  test "$arguments[1]" = $command; and test (count $arguments) $compare $count',
    'end',
    // a scenario may be a file, which is told by its slash or dot
    'function __virqtop_path',
    "  string match -qr '^[.~]|/' -- (commandline -ct)",
    'end',
    'complete -c virqtop -f',
    'complete -c virqtop -n __virqtop_path -F',
    ...others.map((c) => `complete -c virqtop -n __virqtop_first -a ${c.name} -d ${quote(c.about)}`),
    `complete -c virqtop -n __virqtop_first -a '$__virqtop_scenarios' -d scenario`,
    ...main!.options.map((o) => option('__virqtop_main', o)),
    ...others.flatMap((c) => [
      ...c.options.map((o) => option(`__virqtop_in ${c.name} -ge 1`, o)),
      ...c.offers.map((offer, i) => {
        const place = `${i === c.offers.length - 1 ? '-ge' : '-eq'} ${i + 1}`;
        return `complete -c virqtop -n '__virqtop_in ${c.name} ${place}' ${words(offer)}`;
      }),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

function option(when: string, { names, help, value, offers }: CompletedOption): string {
  const flags = names.map((n) => (n.startsWith('--') ? `-l ${n.slice(2)}` : `-s ${n.slice(1)}`)).join(' ');
  const takes = value === undefined ? '' : offers === undefined ? ' -x' : ` -r ${words(offers)}`;
  return `complete -c virqtop -n ${quote(when)} ${flags} -d ${quote(help)}${takes}`;
}

function words(offer: Offer): string {
  if (offer === 'file') return '-F';
  return offer === 'scenario' ? `-f -a '$__virqtop_scenarios'` : `-f -a ${quote(offer.join(' '))}`;
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
