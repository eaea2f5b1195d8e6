/**
 * Colours by meaning. A theme says what a role looks like; views name roles and never colours. Whatever a
 * colour tells is told by a symbol or a word as well, so that every theme may be replaced by `mono`.
 */

export type Role =
  | 'title'
  | 'dim'
  | 'key'
  | 'good'
  | 'warn'
  | 'bad'
  | 'accent'
  | 'changed'
  | 'selected'
  | 'heading'
  | 'guest'
  | 'xen'
  | 'spark'
  | 'time'
  | 'badgeRun'
  | 'badgePause';

/** A colour of the terminal's own sixteen, and what it should be where more are to be had. */
interface Colour {
  readonly ansi: number;
  readonly rgb?: readonly [number, number, number];
}

interface Style {
  readonly fg?: Colour;
  readonly bg?: Colour;
  readonly bold?: boolean;
  readonly dim?: boolean;
  readonly inverse?: boolean;
  readonly underline?: boolean;
}

export interface Theme {
  readonly name: string;
  readonly about: string;
  readonly styles: Readonly<Record<Role, Style>>;
}

/** How many colours: 0 none, 1 sixteen, 2 the 256 of xterm, 3 all. */
export type Depth = 0 | 1 | 2 | 3;

const ansi = (n: number): Colour => ({ ansi: n });

/** Follows the terminal's own palette. */
const DEFAULT: Theme = {
  name: 'default',
  about: "the terminal's own sixteen colours",
  styles: {
    title: { bold: true },
    dim: { dim: true },
    key: { fg: ansi(6), bold: true },
    good: { fg: ansi(2) },
    warn: { fg: ansi(3) },
    bad: { fg: ansi(1), bold: true },
    accent: { fg: ansi(6) },
    changed: { fg: ansi(15), bold: true },
    selected: { inverse: true },
    heading: { fg: ansi(6), underline: true },
    guest: { fg: ansi(2) },
    xen: { fg: ansi(5) },
    spark: { fg: ansi(4) },
    time: { fg: ansi(3) },
    badgeRun: { fg: ansi(0), bg: ansi(2) },
    badgePause: { fg: ansi(0), bg: ansi(3), bold: true },
  },
};

/** Dark ink for light backgrounds. */
const LIGHT: Theme = {
  name: 'light',
  about: 'for a light background',
  styles: {
    title: { bold: true },
    dim: { fg: { ansi: 8, rgb: [110, 110, 110] } },
    key: { fg: { ansi: 4, rgb: [0, 60, 160] }, bold: true },
    good: { fg: { ansi: 2, rgb: [0, 110, 40] } },
    warn: { fg: { ansi: 3, rgb: [150, 90, 0] } },
    bad: { fg: { ansi: 1, rgb: [180, 0, 0] }, bold: true },
    accent: { fg: { ansi: 4, rgb: [0, 60, 160] } },
    changed: { bold: true },
    selected: { inverse: true },
    heading: { fg: { ansi: 4, rgb: [0, 60, 160] }, underline: true },
    guest: { fg: { ansi: 2, rgb: [0, 110, 40] } },
    xen: { fg: { ansi: 5, rgb: [130, 0, 130] } },
    spark: { fg: { ansi: 4, rgb: [60, 90, 200] } },
    time: { fg: { ansi: 5, rgb: [130, 0, 130] } },
    badgeRun: { fg: { ansi: 15, rgb: [255, 255, 255] }, bg: { ansi: 2, rgb: [0, 110, 40] } },
    badgePause: { fg: { ansi: 15, rgb: [255, 255, 255] }, bg: { ansi: 3, rgb: [150, 90, 0] }, bold: true },
  },
};

/** Okabe and Ito's palette, "Color Universal Design" (2008): told apart with any colour vision. */
const ORANGE: Colour = { ansi: 3, rgb: [230, 159, 0] };
const SKY: Colour = { ansi: 6, rgb: [86, 180, 233] };
const GREEN: Colour = { ansi: 2, rgb: [0, 158, 115] };
const YELLOW: Colour = { ansi: 11, rgb: [240, 228, 66] };
const BLUE: Colour = { ansi: 4, rgb: [0, 114, 178] };
const VERMILLION: Colour = { ansi: 9, rgb: [213, 94, 0] };
const PURPLE: Colour = { ansi: 13, rgb: [204, 121, 167] };
const BLACK: Colour = { ansi: 0, rgb: [0, 0, 0] };

const OKABE_ITO: Theme = {
  name: 'okabe-ito',
  about: 'told apart with any colour vision',
  styles: {
    title: { bold: true },
    dim: { fg: { ansi: 8, rgb: [138, 138, 138] } },
    key: { fg: SKY, bold: true },
    good: { fg: SKY },
    warn: { fg: ORANGE },
    bad: { fg: VERMILLION, bold: true },
    accent: { fg: SKY },
    changed: { fg: YELLOW, bold: true },
    selected: { inverse: true },
    heading: { fg: SKY, underline: true },
    guest: { fg: SKY },
    xen: { fg: PURPLE },
    spark: { fg: GREEN },
    time: { fg: ORANGE },
    badgeRun: { fg: { ansi: 15, rgb: [255, 255, 255] }, bg: BLUE },
    badgePause: { fg: BLACK, bg: ORANGE, bold: true },
  },
};

/** Weight and reverse only. */
const MONO: Theme = {
  name: 'mono',
  about: 'no colour: weight, underline and reverse',
  styles: {
    title: { bold: true },
    dim: { dim: true },
    key: { bold: true },
    good: {},
    warn: { bold: true },
    bad: { bold: true },
    accent: {},
    changed: { bold: true },
    selected: { inverse: true },
    heading: { underline: true },
    guest: {},
    xen: {},
    spark: {},
    time: { bold: true },
    badgeRun: { inverse: true },
    badgePause: { inverse: true, bold: true },
  },
};

export const THEMES: readonly Theme[] = [DEFAULT, LIGHT, OKABE_ITO, MONO];

/** @returns the theme of this name; undefined if there is none */
export function themeNamed(name: string): Theme | undefined {
  return THEMES.find((t) => t.name === name);
}

/** Puts a text into the dress of its role. */
export type Paint = (role: Role, text: string) => string;

/** A painter for a theme on a terminal of this many colours. */
export function painter(theme: Theme, depth: Depth): Paint {
  const styles = depth === 0 ? MONO.styles : theme.styles;
  const open = {} as Record<Role, string>;
  for (const role of Object.keys(styles) as Role[]) open[role] = sequence(styles[role], depth);
  return (role, text) => {
    const start = open[role];
    return start === '' || text === '' ? text : `${start}${text}\x1b[0m`;
  };
}

function sequence(style: Style, depth: Depth): string {
  const codes: string[] = [];
  if (style.bold) codes.push('1');
  if (style.dim) codes.push('2');
  if (style.underline) codes.push('4');
  if (style.inverse) codes.push('7');
  if (style.fg && depth > 0) codes.push(colourCode(style.fg, depth, 30));
  if (style.bg && depth > 0) codes.push(colourCode(style.bg, depth, 40));
  return codes.map((c) => `\x1b[${c}m`).join('');
}

/** @param base 30 for the letters, 40 for what is behind them */
function colourCode(colour: Colour, depth: Depth, base: 30 | 40): string {
  if (depth === 1 || !colour.rgb) {
    return String(colour.ansi < 8 ? base + colour.ansi : base + 60 + colour.ansi - 8);
  }
  const [r, g, b] = colour.rgb;
  if (depth === 3) return `${base + 8};2;${r};${g};${b}`;
  return `${base + 8};5;${xterm256(r, g, b)}`;
}

/** The nearest colour of xterm's 6x6x6 cube. */
function xterm256(r: number, g: number, b: number): number {
  const step = (v: number) => (v < 48 ? 0 : v < 115 ? 1 : Math.floor((v - 35) / 40));
  return 16 + 36 * step(r) + 6 * step(g) + step(b);
}

/**
 * How many colours to use. `--color always|never` decides; else FORCE_COLOR (0 to 3), then NO_COLOR, then
 * what the terminal says of itself.
 */
export function colourDepth(flag: 'auto' | 'always' | 'never', env: NodeJS.ProcessEnv): Depth {
  if (flag === 'never') return 0;
  const able = ability(env);
  if (flag === 'always') return able === 0 ? 1 : able;
  const force = env.FORCE_COLOR;
  if (force !== undefined && force !== '') {
    if (force === '0' || force === 'false') return 0;
    if (force === '1' || force === '2' || force === '3') return Number(force) as Depth;
    return able === 0 ? 1 : able;
  }
  return env.NO_COLOR ? 0 : able;
}

function ability(env: NodeJS.ProcessEnv): Depth {
  const term = env.TERM ?? '';
  if (term === '' || term === 'dumb') return 0;
  if (/^(truecolor|24bit)$/i.test(env.COLORTERM ?? '')) return 3;
  if (/256|direct|kitty|alacritty|ghostty/.test(term)) return 2;
  return /vt100|vt220|mono/.test(term) ? 0 : 1;
}
