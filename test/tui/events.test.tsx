/** The log of trace records: it follows, is held, filtered, and leads to the path of an interrupt. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';
import { KVM, machineOf, XEN_4_17 } from '../support/quiet.ts';

let screen: FakeScreen;
afterEach(() => screen.close());

async function show(scenario: string, options: ScreenOptions = {}): Promise<void> {
  screen = new FakeScreen(machineOf(scenario), { delay: 0.5, ...options });
  screen.press('f7');
  await run(1000);
}

async function run(ms: number): Promise<void> {
  screen.driver.run();
  screen.host.pass(ms);
  screen.driver.pause();
}

const lines = async () => (await screen.lines()).map((line) => line.trimEnd());
const domainLine = async () => (await lines()).find((l) => l.includes('>'))!;
/** Rows of the log on the screen. */
const rows = async () => (await lines()).filter((line) => /^[ >] *\d+\.\d{3} ?\d{3} ?\d{3}/.test(line));
const keys = () => screen.session.table!.rows.map((row) => row.key);

const SIZES = [
  [60, 15],
  [80, 24],
  [120, 40],
  [200, 60],
] as const;

describe.each(SIZES)('at %ix%i', (columns, height) => {
  test.each([
    ['xen', XEN_4_17],
    ['kvm', KVM],
  ] as const)('of %s it is drawn as in the golden text', async (name, scenario) => {
    await show(scenario, { columns, rows: height, ascii: true });
    const golden = join(import.meta.dirname, `golden/events-${name}-${columns}x${height}.txt`);
    await expect(`${await screen.text()}\n`).toMatchFileSnapshot(golden);
  });
});

test('the newest is at the bottom and chosen, and stays so while time goes on', async () => {
  await show(XEN_4_17);
  for (let n = 0; n < 2; n++) {
    const { events } = screen.driver.look().events({ last: 1000, domain: 0 });
    const newest = Math.max(...events.map((e) => e.time));
    const shown = await rows();
    expect(shown.at(-1)).toMatch(/^>/);
    expect(shown.at(-1)!.replace(/ /g, '')).toContain(`${String(newest).slice(-9)}s`);
    expect(await screen.text()).toMatch(/^ paused: \. next event/m);
    await run(500);
  }
});

test('a row up holds it: nothing moves however long time goes on; End or the last row follow again', async () => {
  await show(XEN_4_17);
  screen.press('up', 'up', 'up');
  const before = await rows();
  expect(before.findIndex((l) => l.startsWith('>'))).toBe(before.length - 4);
  await run(2000);
  expect(await rows()).toEqual(before);
  expect(await screen.text()).toMatch(/^ held, [\d,]+ newer records: End follows again/m);
  screen.press('end');
  expect((await rows()).at(-1)).toMatch(/^>/);
  expect(await rows()).not.toEqual(before);
  screen.press('up', 'down');
  expect(screen.session.following).toBe(true);
});

test('at its oldest row up fetches older ones, as far as the trace goes back', async () => {
  await show(XEN_4_17);
  await run(4000);
  screen.press('right', 'right');
  expect(keys()).toHaveLength(200);
  const all = screen.driver
    .look()
    .events({ last: 1e6 })
    .events.map((e) => `event ${e.seq}`);
  for (let n = 0; n * 500 < all.length; n++) screen.press('g');
  expect(all.length).toBeGreaterThan(1500);
  expect(keys()).toEqual(all);
  screen.press('G');
  await run(100);
  expect(keys()).toHaveLength(200);
});

test('is of whose domain is chosen: Xen has all, the others what concerns them', async () => {
  await show(XEN_4_17);
  const dom0 = new Set(keys());
  screen.press('right');
  const dom1 = keys();
  for (const { who, detail } of screen.session.table!.rows as unknown as { who: string; detail: string }[]) {
    expect(`${who} ${detail}`).toContain('dom1');
  }
  screen.press('right');
  expect(await domainLine()).toContain('>Xen<');
  const { events } = screen.driver.look().events({ last: 200 });
  expect(keys()).toHaveLength(200);
  expect(new Set(keys())).toEqual(new Set(events.map((e) => `event ${e.seq}`)));
  expect([...dom0].filter((key) => dom1.includes(key)).length).toBeLessThan(dom1.length);
});

test('a filter matches any column; what was seen of it stays while the trace goes on', async () => {
  await show(XEN_4_17);
  screen.press('1');
  await run(100);
  screen.press('/', 'i', '8', '0', '4', '2', 'enter');
  const first = keys();
  expect(first.length).toBeGreaterThan(0);
  expect(await domainLine()).toMatch(/filter \/i8042\/ {2}\d+ of \d+ rows/);
  await run(1000);
  screen.press('1');
  await run(100);
  expect(keys().slice(0, first.length)).toEqual(first);
  expect(keys().length).toBe(2 * first.length);
  for (const filter of ['CPU0', 'ring0', 'dom0.0', 'evtchn_fifo', 'port \\d', '#\\d+', '^\\d+\\.\\d']) {
    screen.press('/', 'ctrl-u', ...filter, 'enter');
    expect(keys().length, filter).toBeGreaterThan(10);
  }
  screen.press('/', 'ctrl-u', 'n', 'o', 'n', 'e', 'enter');
  expect(await screen.text()).toContain('no row matches');
});

test('what came too fast for a filter is told of, not passed over', async () => {
  screen = new FakeScreen(fakeMachine({ everyRow: 400 }), { delay: 0.5 });
  screen.press('f7', '/', ...'handle_irq', 'enter', '1');
  await run(50);
  expect(keys()).toHaveLength(1);
  await run(2000);
  screen.press('1');
  await run(50);
  const seen = screen.session.table!.rows as unknown as { key: string; detail: string }[];
  expect(seen.at(0)!.detail).toBe('dom0.1 irq 1');
  expect(seen.at(-1)!.detail).toBe('dom0.1 irq 1');
  expect(seen.some((row) => /^[\d,]+ records came too fast to be looked at$/.test(row.detail))).toBe(true);
});

test('Enter opens the path of the interrupt, Esc comes back to the same row; some have no raise', async () => {
  await show(XEN_4_17);
  screen.press('1');
  await run(100);
  screen.press('/', '^', '.', '*', 'i', 'r', 'q', ' ', '1', '\\', 'b', 'enter');
  const { journey } = screen.session.table!.rows.at(-1)!;
  screen.press('enter');
  expect(await screen.text()).toMatch(
    new RegExp(`^ kbd raises irq 1  #${journey} .* us to the handler`, 'm'),
  );
  screen.press('{');
  expect(await domainLine()).toContain('Events has opened this one alone');
  screen.press('esc');
  expect(await domainLine()).toContain('[Events]');
  screen.press('/', 'ctrl-u', ...'to idle', 'enter', 'enter');
  expect(await domainLine()).toContain('no raise stands behind it: it has no path');
});

test('has no order but that of time', async () => {
  await show(XEN_4_17);
  for (const key of ['s', '<', '>', 'R']) {
    const before = await rows();
    screen.press(key);
    expect(await domainLine()).toContain('Events stand in the order of their times');
    expect(await rows()).toEqual(before);
  }
});
