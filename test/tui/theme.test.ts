import { describe, expect, test } from 'vitest';
import { ASCII, BLOCKS, level, wantsAscii } from '../../tui/glyphs.ts';
import { fitSegments, LineBuilder, spread } from '../../tui/line.ts';
import { colourDepth, painter, type Role, THEMES, themeNamed } from '../../tui/theme.ts';

const ROLES = Object.keys(THEMES[0]!.styles) as Role[];
const COLOUR = /\x1b\[(3|4|9|10)\d/;

describe('themes', () => {
  test('are at least three, one for any colour vision, one without colour', () => {
    expect(THEMES.map((t) => t.name)).toEqual(['default', 'light', 'okabe-ito', 'mono']);
    expect(themeNamed('okabe-ito')).toBeDefined();
    expect(themeNamed('OKABE')).toBeUndefined();
  });

  test('dress every role and undress after it', () => {
    for (const theme of THEMES) {
      for (const depth of [0, 1, 2, 3] as const) {
        const paint = painter(theme, depth);
        for (const role of ROLES) {
          const text = paint(role, 'x');
          expect(text.replace(/\x1b\[[\d;]*m/g, '')).toBe('x');
          if (text !== 'x') expect(text.endsWith('\x1b[0m')).toBe(true);
        }
      }
    }
  });

  test('use no colour where there is none, whatever the theme; selection and badges stay visible', () => {
    for (const theme of THEMES) {
      const paint = painter(theme, 0);
      for (const role of ROLES) expect(paint(role, 'x')).not.toMatch(COLOUR);
      for (const role of ['selected', 'badgeRun', 'badgePause', 'changed', 'key'] as const) {
        expect(paint(role, 'x')).not.toBe('x');
      }
    }
  });

  test('use what the terminal can show', () => {
    const okabe = themeNamed('okabe-ito')!;
    expect(painter(okabe, 1)('warn', 'x')).toBe('\x1b[33mx\x1b[0m');
    expect(painter(okabe, 2)('warn', 'x')).toBe('\x1b[38;5;178mx\x1b[0m');
    expect(painter(okabe, 3)('warn', 'x')).toBe('\x1b[38;2;230;159;0mx\x1b[0m');
  });
});

describe('how many colours', () => {
  const xterm = { TERM: 'xterm-256color' };
  test.each([
    ['auto', xterm, 2],
    ['auto', { TERM: 'xterm' }, 1],
    ['auto', { TERM: 'linux' }, 1],
    ['auto', { TERM: 'vt100' }, 0],
    ['auto', { TERM: 'dumb' }, 0],
    ['auto', { ...xterm, COLORTERM: 'truecolor' }, 3],
    ['auto', { ...xterm, NO_COLOR: '1' }, 0],
    ['auto', { ...xterm, NO_COLOR: '' }, 2],
    ['auto', { ...xterm, NO_COLOR: '1', FORCE_COLOR: '1' }, 1],
    ['auto', { ...xterm, FORCE_COLOR: '0' }, 0],
    ['auto', { TERM: 'dumb', FORCE_COLOR: '3' }, 3],
    ['never', { ...xterm, FORCE_COLOR: '3' }, 0],
    ['always', { ...xterm, NO_COLOR: '1' }, 2],
    ['always', { TERM: 'dumb' }, 1],
  ] as const)('--color %s with %o: %i', (flag, env, depth) => {
    expect(colourDepth(flag, env)).toBe(depth);
  });
});

describe('glyphs', () => {
  test('ASCII is ASCII, and every glyph is one cell', () => {
    const all = (g: typeof ASCII) => [
      g.ellipsis,
      g.ascending,
      g.descending,
      g.rule,
      g.hop,
      ...Object.values(g.bar),
      ...g.spark,
      ...g.heat,
    ];
    for (const glyph of all(ASCII)) expect(glyph).toMatch(/^[ -~]$/);
    for (const glyph of all(BLOCKS)) expect([...glyph]).toHaveLength(1);
  });

  test('anything above nothing leaves a mark, the most the highest', () => {
    expect(level(ASCII.spark, 0)).toBe(' ');
    expect(level(ASCII.spark, -1)).toBe(' ');
    expect(level(ASCII.spark, Number.NaN)).toBe(' ');
    expect(level(ASCII.spark, 0.0001)).toBe('.');
    expect(level(ASCII.spark, 1)).toBe('|');
    expect(level(BLOCKS.heat, 7)).toBe('█');
  });

  test.each([
    [{ LANG: 'en_US.UTF-8', TERM: 'xterm' }, false],
    [{ LANG: 'C.utf8', TERM: 'xterm' }, false],
    [{ LANG: 'de_DE.ISO-8859-1', TERM: 'xterm' }, true],
    [{ LANG: 'en_US.UTF-8', LC_ALL: 'C', TERM: 'xterm' }, true],
    [{ TERM: 'xterm' }, true],
    [{ LANG: 'en_US.UTF-8', TERM: 'linux' }, true],
  ])('%o wants ASCII: %s', (env, wanted) => {
    expect(wantsAscii(env)).toBe(wanted);
  });
});

describe('lines', () => {
  const plain = (_: Role, text: string) => text;
  const marked = (role: Role, text: string) => `<${role}>${text}</>`;

  test('join neighbours of one role and dress each once', () => {
    const line = new LineBuilder().add('a', 'key').add('b', 'key').add('c').add('d', 'dim');
    expect(line.width).toBe(4);
    expect(line.paint(marked, 10, '~')).toBe('<key>ab</>c<dim>d</>');
    expect(line.paint(marked, 6, '~', 'selected')).toBe('<selected>abcd  </>');
  });

  test('are cut to the width', () => {
    const line = new LineBuilder().add('abc', 'key').add('defgh');
    expect(line.paint(plain, 5, '~')).toBe('abcd~');
    expect(line.paint(plain, 2, '~')).toBe('a~');
    expect(line.paint(plain, 8, '~')).toBe('abcdefgh');
  });

  test('drop what is least dear when room is short', () => {
    const segments = [
      { text: 'aaaa', keep: 3 },
      { text: 'bbbb', keep: 1 },
      { text: 'cccc', keep: 2 },
    ];
    const kept = (width: number) => fitSegments(segments, width, 2).map((s) => s.text);
    expect(kept(16)).toEqual(['aaaa', 'bbbb', 'cccc']);
    expect(kept(15)).toEqual(['aaaa', 'cccc']);
    expect(kept(5)).toEqual(['aaaa']);
    expect(kept(3)).toEqual([]);
    expect(spread(segments.slice(0, 1), segments.slice(1), 12).paint(plain, 12, '~')).toBe('aaaa    cccc');
  });
});
