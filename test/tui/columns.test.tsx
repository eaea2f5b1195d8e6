/** Tables turned on their side, and columns that are hidden. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { preferencesOf, printedPreferences, readPreferences, tablesOf } from '../../tui/preferences.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';

let screen: FakeScreen;
afterEach(() => screen.close());

async function show(keys: readonly string[], options: ScreenOptions = {}, cpus = 4): Promise<string[]> {
  screen = new FakeScreen(fakeMachine({ cpus }), { delay: 0.5, ...options });
  screen.press(...keys);
  screen.driver.run();
  screen.host.pass(3000);
  screen.driver.pause();
  return screen.lines();
}

const heading = (lines: readonly string[]) => lines.find((l) => /^ ?(IRQ|CPU)[▲^▼v]? /.test(l))!;

describe.each([
  [80, 24],
  [120, 40],
  [200, 60],
] as const)('at %ix%i', (columns, rows) => {
  test('T: a row for each of 16 CPUs, as in the golden text', async () => {
    const lines = await show(['T'], { columns, rows, ascii: true }, 16);
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(
      join(import.meta.dirname, `golden/transposed-${columns}x${rows}.txt`),
    );
  });
});

test('T: the columns are the interrupts that come most often, their counts those of the rows, and T turns back', async () => {
  const upright = await show([]);
  const row = upright.find((l) => /^[> ] +24 /.test(l))!;
  const counts = row.trim().split(/\s+/).slice(1, 5);
  screen.press('T');
  const turned = await screen.lines();
  const titles = heading(turned).split(/\s{2,}| (?=\d+ )/);
  expect(titles.join('|')).toContain('24 timer0');
  const cells = turned.filter((l) => /^[> ]CPU\d/.test(l)).map((l) => l.trim().split(/\s+/));
  expect(cells).toHaveLength(4);
  const at = heading(turned).indexOf('24 timer0') + '24 timer0'.length;
  const column = turned.filter((l) => /^[> ]CPU\d/.test(l)).map((l) => /\S+$/.exec(l.slice(0, at))![0]);
  expect(column).toEqual(counts);
  screen.press('T');
  expect(heading(await screen.lines())).toMatch(/^IRQ/);
});

test('T in another view says where it works', async () => {
  await show(['f5', 'T']);
  expect(await screen.text()).toContain('T turns the table of Interrupts');
});

test('c: arrows and space hide a column, the others take its room, and Enter goes back', async () => {
  const before = heading(await show([]));
  expect(before).toMatch(/CPU0 .* PMA {2}CHIP .* NAME/);
  screen.press('c');
  const list = (await screen.lines()).filter((l) => /\[[x ]\]/.test(l)).map((l) => l.trim());
  expect(list.slice(0, 4)).toEqual(['> [x] CPU0', '[x] CPU1', '[x] CPU2', '[x] CPU3']);
  const chip = list.findIndex((l) => l.endsWith('CHIP'));
  screen.press(...Array.from({ length: chip }, () => 'down'), 'space');
  expect((await screen.lines()).filter((l) => l.includes('[ ]')).map((l) => l.trim())).toEqual([
    '> [ ] CHIP',
  ]);
  screen.press('enter');
  const after = await screen.lines();
  expect(heading(after)).not.toContain('CHIP');
  expect(heading(after)).toMatch(/PMA .*NAME/);
  expect(screen.session.tableState?.hidden).toEqual(['chip']);
  expect(screen.driver.get().state).toBe('paused');
  screen.press('c', ...Array.from({ length: chip }, () => 'down'), 'space', 'esc');
  expect(heading(await screen.lines())).toBe(before);
});

test('c: space does not pause, what is hidden stays so in this table alone', async () => {
  await show(['c', 'space', 'enter']);
  screen.driver.run();
  screen.press('c', 'down', 'space');
  expect(screen.driver.get().state).toBe('running');
  screen.press('esc', 'T');
  expect(heading(await screen.lines())).toContain('TOTAL');
  expect(screen.session.ui.tables.interrupts.hidden).toEqual(['cpu0', 'cpu1']);
  expect(screen.session.ui.tables.cpus.hidden).toBeUndefined();
});

test('hidden columns go into the configuration file and come back', async () => {
  await show(['c', 'space', 'enter']);
  const printed = printedPreferences(preferencesOf(screen.session, false));
  expect(printed.tables).toEqual({ interrupts: { sort: 'irq', reverse: false, hidden: ['cpu0'] } });
  const { preferences, problems } = readPreferences(JSON.parse(JSON.stringify(printed)));
  expect(problems).toEqual([]);
  expect(tablesOf(preferences).interrupts.hidden).toEqual(['cpu0']);
  const bad = readPreferences({ tables: { interrupts: { hidden: [1] } } });
  expect(bad.problems).toEqual(['tables.interrupts.hidden: must be a list of columns']);
});
