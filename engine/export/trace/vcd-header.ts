/** How a value change dump begins, with scopes and identifiers of its signals, and how GTKWave shows them. */
import type { SignalAbout, TraceHost } from '../../snapshot.ts';

/** What is shown of signals, as far as the dump tells them apart; a wire may have any width. */
export type Wave = Exclude<SignalAbout, { readonly kind: 'set' }>;

type SetAbout = Extract<SignalAbout, { readonly kind: 'set' }>;

const TOP = 'machine';

/** Printable characters, the lowest digit first. */
export function idOf(n: number): string {
  let id = '';
  for (let rest = n; ; rest = Math.floor(rest / 94) - 1) {
    id += String.fromCharCode(33 + (rest % 94));
    if (rest < 94) return id;
  }
}

/** Blanks end a value, and most other characters have a meaning in a name. */
export function word(text: string): string {
  return text.replace(/[^\w./-]+/g, '_');
}

function reference(signal: Wave): string {
  const wide = signal.kind === 'wire' && signal.width > 1;
  return wide ? `${signal.name}[${signal.width - 1}:0]` : signal.name;
}

/** Those of one scope stand together. */
export function byScope<S extends SignalAbout>(signals: readonly S[]): S[] {
  const scopes = new Map<string, S[]>();
  for (const signal of signals) {
    const path = signal.scope.join('\n');
    const there = scopes.get(path);
    if (there) there.push(signal);
    else scopes.set(path, [signal]);
  }
  return [...scopes.values()].flat();
}

/** The highest member of a set. */
export function highestWave({ scope, name, width }: SetAbout): Wave & { readonly kind: 'wire' } {
  return { scope, name: `${name}v`, kind: 'wire', width: 32 - Math.clz32(width - 1) };
}

/** Of a set two, the highest member first. */
export function wavesOf(signals: readonly SignalAbout[]): Wave[] {
  return signals.flatMap((signal): Wave[] =>
    signal.kind === 'set' ? [highestWave(signal), { ...signal, kind: 'wire' }] : [signal],
  );
}

export function header({ scenario, seed, system }: TraceHost, signals: readonly Wave[]): string {
  const lines = [
    `$version virqtop: ${word(scenario)}, seed ${seed}, ${system} $end`,
    '$timescale 1 ns $end',
    `$scope module ${TOP} $end`,
  ];
  let open: readonly string[] = [];
  for (const [n, signal] of signals.entries()) {
    let common = 0;
    while (common < open.length && open[common] === signal.scope[common]) common++;
    for (let i = open.length; i > common; i--) lines.push('$upscope $end');
    for (const name of signal.scope.slice(common)) lines.push(`$scope module ${word(name)} $end`);
    open = signal.scope;
    const name = reference(signal).replace('[', ' [');
    const id = idOf(n);
    if (signal.kind === 'wire') lines.push(`$var wire ${signal.width} ${id} ${name} $end`);
    else lines.push(`$var ${signal.kind === 'rate' ? 'real 64' : 'string 1'} ${id} ${name} $end`);
  }
  for (const _ of open) lines.push('$upscope $end');
  return `${[...lines, '$upscope $end', '$enddefinitions $end'].join('\n')}\n`;
}

/** So that an interrupt is as wide as a word: about 80 us; no marker. */
const ZOOM = '*-14.000000 -1 -1 -1';

const GTKW = { BINARY: '@28', HEX: '@22', DECIMAL: '@24', COMMENT: '@200' } as const;

/** A line a signal, with a heading for each scope; sets of 256 bits are folded by GTKWave itself. */
export function layout(signals: readonly Wave[]): string {
  const lines = [
    '[*] gtkwave TRACE.vcd TRACE.gtkw',
    '[timestart] 0',
    '[size] 1500 950',
    '[signals_width] 170',
    ZOOM,
  ];
  let heading = '';
  let format = '';
  for (const signal of signals) {
    const path = signal.scope.map(word).join('.');
    if (path !== heading) {
      lines.push(GTKW.COMMENT, `-${path}`);
      heading = path;
      format = GTKW.COMMENT;
    }
    const wanted = formatOf(signal);
    if (wanted !== format) lines.push(wanted);
    format = wanted;
    lines.push(`${TOP}.${path}.${reference(signal)}`);
  }
  return `${lines.join('\n')}\n`;
}

function formatOf(signal: Wave): string {
  if (signal.kind !== 'wire') return signal.kind === 'rate' ? GTKW.DECIMAL : GTKW.BINARY;
  if (signal.decimal) return GTKW.DECIMAL;
  return signal.width === 1 ? GTKW.BINARY : GTKW.HEX;
}
