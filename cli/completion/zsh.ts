/** A completion for zsh, by _arguments. */
import type { Offer } from '../flags/row.ts';
import type { CompletedCommand, CompletedOption } from './words.ts';

export function zsh(commands: readonly CompletedCommand[], scenarios: readonly string[]): string {
  const [main, ...others] = commands;
  const lines = [
    '#compdef virqtop',
    '# completion of virqtop in zsh: source <(virqtop completion zsh), after compinit; or this file in $fpath',
    '_virqtop_scenarios() {',
    `  local -a names=(${scenarios.join(' ')}) expl`,
    // a scenario may be a file, which is told by its slash or dot
    '  if [[ $PREFIX == (*/*|.*|~*) ]]; then _files; else _wanted scenarios expl scenario compadd -a names; fi',
    '}',
    '_virqtop_first() {',
    '  local -a commands=(',
    ...others.map((c) => `    ${quote(`${c.name}:${c.about}`)}`),
    '  )',
    '  _describe -t commands command commands',
    '  _virqtop_scenarios',
    '}',
    '_virqtop() {',
    '  local curcontext=$curcontext state state_descr line',
    '  typeset -A opt_args',
    '  local -i i',
    '  for ((i = 2; i < CURRENT; i++)); do',
    '    case $words[i] in',
    `      ${others.map((c) => c.name).join('|')})`,
    '        shift $((i - 1)) words',
    '        ((CURRENT -= i - 1))',
    '        _virqtop_$words[1]',
    '        return ;;',
    '      -*) ;;',
    '      *) break ;;',
    '    esac',
    '  done',
    `  _arguments -s -S ${main!.options.map(spec).join(' ')} ${quote('1:scenario:_virqtop_first')}`,
    '}',
    ...others.flatMap((c) => [
      `_virqtop_${c.name}() {`,
      `  _arguments -s -S ${[...c.options.map(spec), ...argumentsOf(c)].join(' ')}`,
      '}',
    ]),
    'if [[ $funcstack[1] == _virqtop ]]; then _virqtop "$@"; else compdef _virqtop virqtop; fi',
  ];
  return `${lines.join('\n')}\n`;
}

function argumentsOf({ offers }: CompletedCommand): string[] {
  return offers.map((offer, i) => {
    const place = i === offers.length - 1 ? '*' : String(i + 1);
    return quote(`${place}:${typeof offer === 'string' ? offer : 'argument'}:${actionOf(offer)}`);
  });
}

function spec({ names, help, again, value, offers }: CompletedOption): string {
  const others = again ? '*' : `(${names.join(' ')})`;
  const takes = value === undefined ? '' : `:${value}:${actionOf(offers)}`;
  const about = `[${help.replace(/[[\]\\]/g, '\\$&').replaceAll(':', '\\:')}]${takes}`;
  return names
    .map((name) =>
      quote(`${others}${name}${value !== undefined && name.startsWith('--') ? '=' : ''}${about}`),
    )
    .join(' ');
}

function actionOf(offer: Offer | undefined): string {
  if (offer === undefined) return ' ';
  if (offer === 'file') return '_files';
  return offer === 'scenario' ? '_virqtop_scenarios' : `(${offer.join(' ')})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
