/** The characters the screen is drawn with: block elements, or plain ASCII. */

export interface Glyphs {
  readonly ascii: boolean;
  readonly ellipsis: string;
  readonly ascending: string;
  readonly descending: string;
  readonly rule: string;
  /** between two hops of a journey */
  readonly hop: string;
  readonly bar: { readonly guest: string; readonly xen: string; readonly idle: string };
  /** low to high, the first for nothing at all; none: no sparklines */
  readonly spark: readonly string[];
  /** share of a row's interrupts that a CPU takes, none to most */
  readonly heat: readonly string[];
}

export const BLOCKS: Glyphs = {
  ascii: false,
  ellipsis: '…',
  ascending: '▲',
  descending: '▼',
  rule: '─',
  hop: '→',
  bar: { guest: '█', xen: '▒', idle: '·' },
  spark: [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇'],
  heat: ['·', '░', '▒', '▓', '█'],
};

export const ASCII: Glyphs = {
  ascii: true,
  ellipsis: '~',
  ascending: '^',
  descending: 'v',
  rule: '-',
  hop: '>',
  bar: { guest: '#', xen: '=', idle: '.' },
  spark: [' ', '.', ':', '|'],
  heat: [' ', '.', ':', '*', '#'],
};

/** For a slow line: nothing that moves for its looks alone. */
export const SLOW: Glyphs = { ...ASCII, spark: [] };

/** The glyph for a share between 0 and 1 of the scale; anything above nothing gets a mark. */
export function level(scale: readonly string[], share: number): string {
  if (!(share > 0)) return scale[0]!;
  return scale[Math.max(1, Math.min(scale.length - 1, Math.ceil(share * (scale.length - 1))))]!;
}

/** Does this terminal draw block elements? The Linux console and a locale without UTF-8 do not. */
export function wantsAscii(env: NodeJS.ProcessEnv): boolean {
  if (env.TERM === 'linux' || env.TERM === 'dumb') return true;
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return !/utf-?8/i.test(locale);
}
