/** Every key of the table, in every view, on every system, in a real terminal: the screen stays whole and the program alive. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { KEYMAP } from '../../tui/keymap.ts';
import { VIEWS } from '../../tui/views.ts';
import { ENTRY } from '../cli/run.ts';
import { TestTerminal } from '../support/terminal.ts';

const SEQUENCES: Readonly<Record<string, string>> = {
  space: ' ', enter: '\r', tab: '\t', 'shift-tab': '\x1b[Z', esc: '\x1b', backspace: '\x7f',
  up: '\x1b[A', down: '\x1b[B', right: '\x1b[C', left: '\x1b[D', home: '\x1b[H', end: '\x1b[F',
  pageup: '\x1b[5~', pagedown: '\x1b[6~', delete: '\x1b[3~',
  f1: '\x1bOP', f2: '\x1bOQ', f3: '\x1bOR', f4: '\x1bOS', f5: '\x1b[15~', f6: '\x1b[17~', f7: '\x1b[18~',
  f8: '\x1b[19~', f9: '\x1b[20~',
}; // biome-ignore format: a table
const ENDS = new Set(['quit', 'suspend']);
const KEYS = KEYMAP.filter((k) => !ENDS.has(k.action)).flatMap((k) => k.keys);
const bytes = (key: string) => SEQUENCES[key] ?? key;

/** What no screen ever says. */
const NONSENSE = /undefined|NaN|\[object|Infinity/;

const dir = mkdtempSync(join(tmpdir(), 'virqtop-keys-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('the bytes of every key are known', () => {
  expect(KEYS.filter((key) => key.length > 1 && !(key in SEQUENCES))).toEqual([]);
  expect(KEYS.length).toBeGreaterThan(60);
});

test.each(['xen-pv', 'xen-hvm', 'kvm', 'xen-arm-v3'])('%s', { timeout: 120_000 }, async (scenario) => {
  const args = ['--delay', '0.1', '--speed', '0.01', '--config', join(dir, `${scenario}.yaml`)];
  const terminal = await TestTerminal.start([process.execPath, ENTRY, scenario, ...args], {
    columns: 80,
    rows: 24,
  });
  const whole = () =>
    terminal.lines().at(-1)!.includes('q quit') && /RUNNING|PAUSED|SEEKING|PAST/.test(terminal.lines()[0]!);
  try {
    await terminal.until(whole, 'the first screen', 30_000);
    for (const [columns, rows] of [
      [80, 24],
      [120, 40],
    ] as const) {
      terminal.resize(columns, rows);
      for (const view of VIEWS) {
        for (const key of KEYS) {
          terminal.press(bytes(view.key) + bytes(key));
          await setTimeout(4);
          expect([view.name, key, terminal.exitCode, NONSENSE.exec(terminal.text())?.[0]]).toEqual([
            view.name,
            key,
            undefined,
            undefined,
          ]);
          terminal.press('\x1b');
          await setTimeout(2);
        }
        // out of prompts and overlays, in the present, running
        terminal.press('\x1b\x1bL');
        await terminal.until(
          whole,
          `a whole screen after every key in ${view.name} at ${columns}x${rows}`,
          30_000,
        );
      }
    }
    terminal.press('\x1bq');
    expect(await terminal.exit(30_000)).toBe(0);
    expect([terminal.alternate, terminal.cursorShown]).toEqual([false, true]);
  } finally {
    terminal.close();
  }
});
