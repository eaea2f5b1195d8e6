/** What stands on the screen, drawn by Ink into a terminal in memory. */
import { afterEach, describe, expect, test } from 'vitest';
import { KEYMAP } from '../../tui/keymap.ts';
import { THEMES } from '../../tui/theme.ts';
import { type FakeOptions, fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';

const SIZES = [
  [60, 15],
  [80, 24],
  [100, 30],
  [120, 40],
  [200, 60],
] as const;

let screen: FakeScreen;

afterEach(() => screen.close());

function show(options: ScreenOptions = {}, fake: FakeOptions = {}): FakeScreen {
  screen = new FakeScreen(fakeMachine(fake), { delay: 0.5, ...options });
  return screen;
}

/** Runs for so many ms of watching. */
async function run(ms: number): Promise<string[]> {
  screen.driver.run();
  screen.host.pass(ms);
  screen.driver.pause();
  return screen.lines();
}

/** The table's line of a row. */
function rowOf(lines: readonly string[], label: string): string {
  const row = lines.find((l) => l.replace(/^>/, ' ').trimStart().startsWith(`${label} `));
  expect(row, `row ${label} in\n${lines.join('\n')}`).toBeDefined();
  return row!;
}

describe('at every size', () => {
  test.each(SIZES)(
    '%ix%i: whole lines, the keys at the bottom, the time at the top',
    async (columns, rows) => {
      show({ columns, rows });
      const lines = await run(3000);
      expect(lines).toHaveLength(rows);
      expect(lines[0]).toMatch(/xen-pv .*t 3\.000 .* PAUSED/);
      expect(lines.at(-1)).toMatch(/\? help {2}q quit$/);
      expect(lines.filter((l) => /^ ?IRQ▲/.test(l))).toHaveLength(1);
      expect(lines.filter((l) => l.includes('nothing fired yet'))).toHaveLength(1);
      expect(lines.filter((l) => l.includes('1 kbd  2 mouse  3 disk  4 nic'))).toHaveLength(1);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    },
  );

  test.each(SIZES)('%ix%i: nothing is cut on the first two and the last lines', async (columns, rows) => {
    show({ columns, rows });
    const lines = await run(3000);
    for (const line of [lines[0]!, lines[1]!, lines.at(-1)!, lines.at(-2)!]) expect(line).not.toContain('…');
  });

  test.each(SIZES)('%ix%i: help, prompt and journey keep to the screen', async (columns, rows) => {
    show({ columns, rows });
    screen.press('3');
    await run(1000);
    for (const keys of [['/', 'v', 'i', 'f'], ['esc'], ['d', '2'], ['esc'], ['?'], ['end'], ['?']]) {
      screen.press(...keys);
      const lines = await screen.lines();
      expect(lines.at(-1), `after ${keys}`).toMatch(/q quit$/);
      expect(lines[0]).toContain('PAUSED');
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    }
    expect(await screen.text()).toContain('irq 53 handler');
  });

  test('many CPUs and domains with long names still fit', async () => {
    for (const cpus of [1, 2, 8, 9, 16, 64]) {
      for (const [columns, rows] of SIZES) {
        show({ columns, rows }, { cpus, oddName: '漢字'.repeat(40) });
        const lines = await run(1000);
        expect(lines.at(-1), `${cpus} CPUs at ${columns}x${rows}`).toMatch(/q quit$/);
        expect(lines[0]).toMatch(/PAUSED/);
        expect(lines.filter((l) => /IRQ▲/.test(l))).toHaveLength(1);
        if (cpus !== 64 || columns !== 200) screen.close();
      }
    }
  });

  test('too small: one line saying what is needed, and back', async () => {
    show({ columns: 120, rows: 40 });
    await run(1000);
    screen.resize(40, 10);
    const small = await screen.lines();
    expect(small.filter((l) => l !== '')).toEqual(['virqtop needs 60x15, this is 40x10']);
    screen.resize(120, 40);
    expect((await screen.lines()).at(-1)).toMatch(/q quit$/);
    screen.resize(5, 2);
    expect((await screen.lines()).every((l) => l.length <= 5)).toBe(true);
  });
});

describe('the table', () => {
  test('one column per CPU where they fit, totals and a strip where not', async () => {
    show({ columns: 120, rows: 40 });
    let lines = await run(4000);
    expect(lines[3]).toMatch(/^IRQ▲ +CPU0 +CPU1 +CPU2 +CPU3 +\/s {2}30 s +PMA {2}CHIP +NAME/);
    expect(rowOf(lines, '24')).toMatch(
      /^ {2}24 +1,000 +0 +0 +0 +\+?250 .* \.\.\. {2}xen-percpu -virq +timer0$/,
    );
    screen.press('t');
    lines = await screen.lines();
    expect(lines[3]).toMatch(/^IRQ▲ +TOTAL {2}CPUs/);
    expect(rowOf(lines, '24')).toMatch(/^ {2}24 +1,000 {2}█··· /);
    screen.resize(80, 24);
    screen.press('t');
    lines = await screen.lines();
    expect(lines[3]).toMatch(/^IRQ▲ +TOTAL {2}CPUs/);
    screen.press('right');
    lines = await screen.lines();
    expect(lines[3]).toMatch(/^IRQ▲ +CPU0 +\/s/);
  });

  test('above eight CPUs a strip, one cell each', async () => {
    show({ columns: 120, rows: 60 }, { cpus: 16 });
    const lines = await run(2000);
    expect(rowOf(lines, '24')).toContain('  █··············· ');
    expect(rowOf(lines, '30')).toContain('  ·█·············· ');
  });

  test('flags: masked by a letter, pending while a fired interrupt waits', async () => {
    show({ columns: 120, rows: 60 }, { quiet: true });
    screen.press('6');
    let lines = await screen.lines();
    expect(rowOf(lines, '25')).toContain(' .M. ');
    for (let i = 0; i < 20 && !rowOf(lines, '23').includes('P..'); i++) {
      screen.press('.');
      lines = await screen.lines();
    }
    expect(rowOf(lines, '23')).toContain(' P.. ');
  });

  test('a plus marks what counted since the frame before', async () => {
    show({}, { quiet: true });
    screen.driver.run();
    screen.host.pass(600);
    screen.press('6');
    screen.host.pass(20);
    let lines = await screen.lines();
    expect(rowOf(lines, '23')).toMatch(/ 1 .* \+\d/);
    expect(rowOf(lines, '24')).not.toContain('+');
    screen.host.pass(1000);
    lines = await screen.lines();
    expect(rowOf(lines, '23')).not.toContain('+');
  });

  test('the rows of the architecture stand below, with their texts', async () => {
    show();
    await run(4000);
    screen.press('G');
    const lines = await screen.lines();
    expect(rowOf(lines, 'RES')).toMatch(/Rescheduling interrupts$/);
    expect(rowOf(lines, 'ERR')).toMatch(/^>ERR +0 +0 *$/);
  });

  test('domains: switched by the arrow keys, around the ends', async () => {
    show();
    screen.press('right');
    expect((await screen.lines())[2]).toMatch(
      /^ dom0 {3}>dom1< {3}dom2 .*PV guest, Linux 6\.1, 1 vCPU {2}20 of 20 rows$/,
    );
    screen.press('left', 'left');
    expect((await screen.lines())[2]).toContain('>dom2<');
  });

  test('scrolls with the selected row', async () => {
    show();
    const table = () => screen.session.table!;
    screen.press('j', 'down', 'k');
    expect(table()).toMatchObject({ top: 0, selected: 1 });
    screen.press('end');
    expect(table().selected).toBe(71);
    expect(table().top).toBe(72 - table().height);
    expect((await screen.lines()).filter((l) => l.startsWith('>'))[1]).toMatch(/^>ERR/);
    screen.press('pageup');
    expect(table().selected).toBe(71 - (table().height - 1));
    screen.press('home', 'up');
    expect(table()).toMatchObject({ top: 0, selected: 0 });
    screen.press('pagedown', 'g', 'G', 'g');
    expect(table()).toMatchObject({ top: 0, selected: 0 });
  });

  test('sorts by every order, by the column beside, in reverse', async () => {
    show({ columns: 120, rows: 60 });
    await run(3000);
    const first = async () => /^.(.{3})/.exec((await screen.lines())[4]!)![1]!.trim();
    const head = async () => (await screen.lines())[3]!;
    screen.press('s');
    expect((await screen.lines())[2]).toContain('sort total▼');
    expect(await first()).toBe('24');
    screen.press('s');
    expect(await head()).toContain('/s▼');
    screen.press('s');
    expect(await head()).toContain('CHIP▲');
    expect(await first()).toBe('48');
    screen.press('s');
    expect(await head()).toContain('NAME▲');
    screen.press('s');
    expect(await first()).toBe('1');
    screen.press('R');
    expect(await head()).toContain('IRQ▼');
    expect(Number(await first())).toBeGreaterThan(60);
    screen.press('>');
    expect(await head()).toContain('CPU0▼');
    screen.press('>');
    expect(await head()).toContain('CPU1▼');
    expect(await first()).toBe('30');
    screen.press('<', '<', '<');
    expect(await head()).toContain('IRQ▲');
  });

  test('filters while typing; Esc clears; a slip in the expression is taken as text', async () => {
    show();
    screen.press('/', 't', 'i', 'm', 'e', 'r', '[', '1', '2', ']');
    let lines = await screen.lines();
    expect(lines[2]).toContain('filter /timer[12]/  2 of 72 rows');
    expect(lines.at(-2)).toMatch(/^ filter: timer\[12\] .*Enter keeps, Esc clears/);
    screen.press('backspace');
    lines = await screen.lines();
    expect(lines.at(-2)).toContain('! not a regular expression, taken as text');
    expect(lines[2]).toContain('0 of 72 rows');
    expect(lines.join('\n')).toContain('no row matches');
    screen.press('ctrl-u', 'R', 'E', 'S', 'space', 'enter');
    lines = await screen.lines();
    expect(lines.join('\n')).not.toContain('Enter keeps');
    screen.press('/', 'backspace', 'enter');
    expect((await screen.lines())[2]).toContain('filter /RES/  5 of 72 rows');
    screen.press('esc');
    lines = await screen.lines();
    expect(lines[2]).toContain('of 72 rows');
    expect(lines[2]).not.toContain('filter');
    screen.press('esc', 'esc');
    expect(screen.left).toBe('');
  });

  test('hides the rows that were idle', async () => {
    show();
    await run(5000);
    screen.press('z');
    const lines = await screen.lines();
    expect(lines[2]).toMatch(/idle hidden .*\d+ of 72 rows/);
    expect(lines.filter((l) => /xen-(pirq|percpu|dyn)/.test(l)).every((l) => /[▁▂▃▄▅▆▇]/.test(l))).toBe(true);
    expect(rowOf(lines, '24')).toContain('timer0');
    expect(lines.join('\n')).not.toContain('spinlock0');
  });
});

describe('the journey', () => {
  test('beside each other with times, wrapped, the middle left out where there is no room', async () => {
    show();
    screen.press('3');
    const lines = await run(100);
    const panel = lines.slice(-5, -1).join('\n');
    expect(panel).toMatch(/^─── last fired: 3 disk ─+ 4 us to the handler ───$/m);
    expect(panel).toMatch(/^ 0\.0 line 53 up → 0\.9 CPU1 do_IRQ vec 75 → 1\.3 send_guest_pirq 53 → /m);
    expect(panel).toMatch(/→ 4\.0 irq 53 handler$/m);
    screen.resize(60, 15);
    expect((await screen.lines()).join('\n')).toMatch(/ 0\.0 line 53 up → … → .*4\.0 irq 53 handler/);
  });

  test('below each other with costs on a tall screen', async () => {
    show({ columns: 200, rows: 60 });
    screen.press('3');
    const lines = await run(100);
    const at = lines.findIndex((l) => l.includes('last fired'));
    expect(lines[at + 2]).toMatch(/^ +0\.0 +- {3}line 53 up$/);
    expect(lines[at + 3]).toMatch(/^ +0\.9 +\+0\.9 +1 {3}do_IRQ vec 75 +█+$/);
    expect(lines[at + 7]).toMatch(/^ +4\.0 +\+0\.4 +1 {3}irq 53 handler +█+$/);
  });

  test('under way while paused, with the hint how to go on', async () => {
    show({}, { quiet: true });
    screen.press('3');
    expect(await screen.text()).toMatch(/ under way for 0 ns: \. steps on ─/);
    screen.press('.');
    expect(await screen.text()).toMatch(/under way for 900 ns/);
  });

  test('a burst fires the last device ten times; before anything was fired it says so', async () => {
    show();
    screen.press('B');
    expect((await screen.lines())[2]).toContain('nothing was fired yet: press a digit first');
    screen.press('2', 'B');
    expect(await screen.text()).toContain('last fired: 2 mouse, 11 times so far');
    screen.press('9');
    expect((await screen.lines())[2]).toContain('no device has the key 9');
  });
});

describe('what the keys say', () => {
  test('speed and delay', async () => {
    show();
    screen.driver.run();
    screen.press(']');
    expect((await screen.lines())[0]).toMatch(/ 2x {3}RUNNING/);
    screen.press('[', '[', '[');
    expect((await screen.lines())[0]).toMatch(/ 0\.2x {3}RUNNING/);
    for (let i = 0; i < 10; i++) screen.press('[');
    expect((await screen.lines())[0]).toMatch(/ 1e-6x {3}RUNNING/);
    expect((await screen.lines())[3]).toContain('30 us');
    screen.press('d', '0', '.', '2', 'enter');
    expect(screen.driver.get().delay).toBe(0.2);
    screen.press('-');
    expect((await screen.lines())[2]).toContain('a frame every 500 ms');
    screen.press('d', 'x', 'enter');
    expect((await screen.lines())[2]).toContain('the delay is a number of seconds from 0.05 to 3600');
    expect(screen.driver.get().delay).toBe(0.5);
    screen.press('d', 'enter', 'd', 'esc');
    expect(screen.driver.get().delay).toBe(0.5);
  });

  test('while something is typed letters are text, and Ctrl-C still quits', async () => {
    show();
    screen.press('/', 'q', '1', '?');
    expect(screen.left).toBe('');
    expect(screen.session.tableState!.filter).toBe('q1?');
    expect(screen.driver.get().snapshot.lastFired).toBeNull();
    screen.press('ctrl-c');
    expect(screen.left).toBe('quit');
  });

  test('the help shows every key and every device; keys act under it', async () => {
    show({ columns: 120, rows: 40 });
    screen.press('?');
    const text = await screen.text();
    for (const binding of KEYMAP) expect(text).toContain(`${binding.label.padEnd(8)} ${binding.about}`);
    expect(text).toContain('disk: ahci disk');
    screen.press('3', 'space');
    expect(screen.driver.get().state).toBe('running');
    screen.press('esc');
    expect(await screen.text()).toContain('last fired: 3 disk');
    screen.press('f1');
    expect(await screen.text()).toContain('Keys of virqtop');
  });

  test('the help scrolls where it does not fit', async () => {
    show({ columns: 80, rows: 20 });
    screen.press('?');
    expect(await screen.text()).toMatch(/lines 1 to \d+ of \d+/);
    const seen = new Set<string>();
    for (let page = 0; page < 4; page++) {
      for (const line of await screen.lines()) seen.add(line.trim());
      screen.press('pagedown');
    }
    screen.press('end');
    for (const line of await screen.lines()) seen.add(line.trim());
    screen.press('home');
    expect(await screen.text()).toContain('lines 1 to');
    const all = [...seen].join('\n');
    for (const binding of KEYMAP) expect(all).toContain(binding.about);
  });

  test('themes go round', async () => {
    show();
    for (const theme of [...THEMES.slice(1), THEMES[0]!]) {
      screen.press('o');
      expect((await screen.lines())[2]).toContain(`theme ${theme.name}: `);
    }
  });

  test('reset of the rates', async () => {
    show();
    await run(3000);
    screen.press('r');
    const lines = await screen.lines();
    expect(lines[2]).toContain('rates begin anew');
    expect(rowOf(lines, '24')).toMatch(/^ {2}24 +750 +0 +0 +0 +- /);
  });

  test('q and Ctrl-Z leave', () => {
    show();
    screen.press('ctrl-z');
    expect(screen.left).toBe('suspend');
    screen.press('q');
    expect(screen.left).toBe('quit');
  });
});

describe('CPUs', () => {
  test('how busy and who runs', async () => {
    show();
    const lines = await run(2000);
    expect(lines[1]).toMatch(/^CPU0 \[█·+\] +\d+% \S+ +CPU1 \[█·+\] +\d+% /);
  });

  test('more than fit: one strip', async () => {
    show({}, { cpus: 64 });
    const lines = await run(2000);
    expect(lines[1]).toMatch(/^64 CPUs \[[·░▒▓█]{64}\] \d+% busy$/);
  });
});
