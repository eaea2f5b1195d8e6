/** A completion for bash 4 and newer, which needs no package of completions. */
import type { Offer } from '../flags/row.ts';
import { type CompletedCommand, takingOptions } from './words.ts';

export function bash(commands: readonly CompletedCommand[], scenarios: readonly string[]): string {
  const [main, ...others] = commands;
  const names = others.map((c) => c.name).join(' ');
  const lines = [
    '# completion of virqtop in bash: source <(virqtop completion bash)',
    '_virqtop_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }',
    '_virqtop_files() {',
    '  mapfile -t COMPREPLY < <(compgen -f -- "$cur")',
    '  compopt -o filenames 2>/dev/null',
    '}',
    '_virqtop_scenarios() {',
    '  case $cur in',
    '    */* | .* | ~*) _virqtop_files ;;',
    `    *) _virqtop_words "${scenarios.join(' ')}" ;;`,
    '  esac',
    '}',
    '_virqtop() {',
    `  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command=virqtop arguments=0 i`,
    '  COMPREPLY=()',
    '  # --option=value comes as three words',
    "  if [[ $cur == '=' ]]; then cur=",
    `  elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi`,
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    `    case \${COMP_WORDS[i]} in`,
    `      ${takingOptions(commands).join(' | ')})`,
    `        [[ \${COMP_WORDS[i+1]} == '=' ]] && ((i++))`,
    '        ((i++)) ;;',
    '      -*) ;;',
    `      ${others.map((c) => c.name).join(' | ')})`,
    `        if [[ $command == virqtop && $arguments == 0 ]]; then command=\${COMP_WORDS[i]}; else ((arguments++)); fi ;;`,
    '      *) ((arguments++)) ;;',
    '    esac',
    '  done',
    '  case $command:$prev in',
    ...commands.flatMap((c) =>
      c.options
        .filter((o) => o.value)
        .map((o) => {
          const places = o.names.map((n) => `${c.name}:${n}`).join(' | ');
          return `    ${places}) ${replyOf(o.offers)}; return ;;`;
        }),
    ),
    '  esac',
    '  if [[ $cur == -* ]]; then',
    '    case $command in',
    ...commands.map(
      (c) => `      ${c.name}) _virqtop_words "${c.options.flatMap((o) => o.names).join(' ')}" ;;`,
    ),
    '    esac',
    '    return',
    '  fi',
    '  case $command:$arguments in',
    `    virqtop:0) ${replyOf(main!.offers[0])}; ${addWords(names)} ;;`,
    ...others.flatMap((c) =>
      c.offers.map((o, i) => `    ${c.name}:${i < c.offers.length - 1 ? i : '*'}) ${replyOf(o)} ;;`),
    ),
    '  esac',
    '}',
    'complete -F _virqtop virqtop',
  ];
  return `${lines.join('\n')}\n`;
}

function replyOf(offer: Offer | undefined): string {
  if (offer === undefined) return ':';
  if (offer === 'file') return '_virqtop_files';
  return offer === 'scenario' ? '_virqtop_scenarios' : `_virqtop_words "${offer.join(' ')}"`;
}

/** Commands stand beside the scenarios. */
function addWords(names: string): string {
  return `mapfile -t -O \${#COMPREPLY[@]} COMPREPLY < <(compgen -W "${names}" -- "$cur")`;
}
