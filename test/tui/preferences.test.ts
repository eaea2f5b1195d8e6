/** The configuration file: what a session makes of it, and what is left out of a strange one. */
import { expect, test } from 'vitest';
import { Driver } from '../../tui/driver.ts';
import { BLOCKS } from '../../tui/glyphs.ts';
import {
  type Preferences,
  preferencesOf,
  printedPreferences,
  readPreferences,
} from '../../tui/preferences.ts';
import { Session } from '../../tui/session.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { ManualHost } from '../support/manual-host.ts';

function session(preferences: Preferences, save?: () => Promise<void>): Session {
  const driver = new Driver(fakeMachine(), new ManualHost(), preferences);
  return new Session(driver, {
    domain: 'dom0',
    theme: preferences.theme ?? 'default',
    depth: 0,
    glyphs: BLOCKS,
    size: { columns: 120, rows: 40 },
    preferences,
    save,
    configFile: '/x/config.yaml',
    quit() {},
    suspend() {},
  });
}

test('what W writes, read again, makes the same session', () => {
  const first = session({});
  first.press('o');
  for (const key of ['t', 'z', 's', 's', 'R', 'T', 'h', '-', ']', 'f5']) first.press(key);
  const written = printedPreferences(preferencesOf(first, true));
  expect(written).toEqual({
    theme: 'light',
    ascii: true,
    delay: 2,
    speed: 2,
    totals: true,
    'hide-idle': true,
    transposed: true,
    history: 'long',
    view: 'path',
    tables: { interrupts: { sort: 'rate', reverse: true } },
  });
  const { preferences, problems } = readPreferences(JSON.parse(JSON.stringify(written)));
  expect(problems).toEqual([]);
  const second = session(preferences);
  const { overlay: _, notice: __, ...ui } = first.ui;
  expect(second.ui).toMatchObject({ ...ui, path: { ...ui.path } });
  expect(preferencesOf(second, true)).toEqual(preferencesOf(first, true));
});

test('as fast as possible is a word in the file', () => {
  expect(printedPreferences({ speed: Number.POSITIVE_INFINITY })).toEqual({ speed: 'max' });
  expect(readPreferences({ speed: 'max' }).preferences).toEqual({ speed: Number.POSITIVE_INFINITY });
});

test('no file, or an empty one, says nothing', () => {
  for (const data of [undefined, null, {}]) {
    expect(readPreferences(data)).toEqual({ preferences: {}, problems: [] });
  }
});

test.each([
  ['theme', 'pink', 'theme: must be default, light, okabe-ito, mono'],
  ['delay', 0, 'delay: must be seconds from 0.05 to 3600'],
  ['delay', '1', 'delay: must be seconds from 0.05 to 3600'],
  ['delay', Number.NaN, 'delay: must be seconds from 0.05 to 3600'],
  ['speed', -1, 'speed: must be max, or simulated seconds per second from 0.000001 to 1000000'],
  ['totals', 'yes', 'totals: must be true or false'],
  ['history', 5, 'history: must be short, long'],
  ['view', 'Exits', /^view: must be interrupts, pending, exits/],
  ['tables', [], 'tables: must be keys with values'],
  ['tables', { rows: {} }, /^tables\.rows: must be one of interrupts, /],
  ['tables', { exits: { sort: 'colour' } }, /^tables\.exits\.sort: must be total, rate, .* or cpu0$/],
  ['tables', { exits: { reverse: 1 } }, 'tables.exits.reverse: must be true or false'],
  ['tables', { exits: { order: 1 } }, /^tables\.exits\.order: must be /],
  ['colour', 'red', 'colour: unknown'],
  ['__proto__x', 1, '__proto__x: unknown'],
  ['\x1b[31m', 1, /^[ -~·?]*: unknown$/],
])('%s: %j is left out, and the rest is taken', (key, value, problem) => {
  const { preferences, problems } = readPreferences({ totals: true, [key]: value, ascii: true });
  expect(preferences).toMatchObject({ ascii: true });
  expect(problems).toEqual([
    typeof problem === 'string' ? problem : (expect.stringMatching(problem) as unknown),
  ]);
  expect(() => session(preferences)).not.toThrow();
});

test.each([7, 'x', [1], true])('a file that is %j has nothing in it', (data) => {
  expect(readPreferences(data)).toEqual({
    preferences: {},
    problems: ['the file: must be keys with values'],
  });
});

test('W tells what became of it', async () => {
  const notice = async (save?: () => Promise<void>) => {
    const s = session({}, save);
    s.press('W');
    await new Promise((resolve) => setImmediate(resolve));
    return s.ui.notice;
  };
  expect(await notice(async () => {})).toBe('written to /x/config.yaml');
  expect(await notice(() => Promise.reject(new Error('disk full')))).toBe('not written: disk full');
  expect(await notice()).toContain('nothing is written');
});
