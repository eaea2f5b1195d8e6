/** --cast: a recording that players take, the same in every run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import headless from '@xterm/headless';
import { afterAll, expect, test } from 'vitest';
import { called } from './call.ts';

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-cast-'));
afterAll(() => rmSync(DIR, { recursive: true }));

type Event = readonly [time: number, code: string, data: string];

function read(file: string): { header: Record<string, unknown>; events: Event[] } {
  const [header, ...events] = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { header, events };
}

/** The screen when the player has come so far. */
async function screenAt(
  events: readonly Event[],
  columns: number,
  rows: number,
  until: number,
): Promise<string[]> {
  const terminal = new headless.Terminal({ cols: columns, rows, allowProposedApi: true });
  for (const [time, code, data] of events) {
    if (code !== 'o' || time > until) continue;
    await new Promise<void>((done) => terminal.write(data, done));
  }
  const { active } = terminal.buffer;
  return Array.from({ length: rows }, (_, y) => active.getLine(active.baseY + y)!.translateToString(true));
}

const MONITOR = [
  'kvm',
  '--fire',
  'vm1.kbd@1',
  '--fire',
  'vm1.disk@1.5sx10',
  '--for',
  '2s',
  '--size',
  '80x24',
];

test('the monitor with what is fired, played back', async () => {
  const file = join(DIR, 'a.cast');
  const { code, stdout, stderr } = await called(...MONITOR, '--cast', file);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
  const { header, events } = read(file);
  expect(header).toEqual({
    version: 2,
    width: 80,
    height: 24,
    title: 'virqtop kvm, seed 42',
    env: { TERM: 'xterm-256color' },
  });
  expect(events.filter(([, c]) => c === 'm')).toEqual([
    [1, 'm', 'fire vm1.kbd'],
    [1.5, 'm', 'fire vm1.disk x10'],
  ]);
  const times = events.map(([time]) => time);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  const screen = await screenAt(events, 80, 24, 1.4);
  expect(screen[0]).toMatch(/^kvm .* RUNNING/);
  expect(screen.join('\n')).toContain('last fired: 1 vm1.kbd');
  expect(screen[23]).toMatch(/q quit *$/);
  // the last line of the file brings the prompt below
  const end = await screenAt(events, 80, 24, 1.999);
  expect(end.join('\n')).toContain('vm1.disk, 10 times so far');
});

test('the same seed gives the same bytes', async () => {
  const [one, two] = [join(DIR, 'a.cast'), join(DIR, 'b.cast')];
  await called(...MONITOR, '--cast', two);
  expect(readFileSync(one, 'utf8')).toBe(readFileSync(two, 'utf8'));
});

test('as fast as possible too', async () => {
  const file = join(DIR, 'max.cast');
  await called('kvm', '--speed', 'max', '--for', '1s', '--cast', file, '--color', 'never', '--ascii');
  const { events } = read(file);
  expect(events[0]![2]).not.toMatch(/\x1b\[3\dm|[^\x00-\x7f]/);
  expect(events.at(-1)![0]).toBeLessThan(1);
});

test('a demo: both runs, their captions, a mark at each step; asciinema takes it', async () => {
  const file = join(DIR, 'demo.cast');
  const { code, stderr } = await called('demo', 'nobody-cared', '--cast', file, '--size', '80x24');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { events } = read(file);
  const marks = events.filter(([, c]) => c === 'm');
  expect(marks.map(([, , label]) => label)).toEqual(
    expect.arrayContaining(['unserved: fire vm1.usb', 'served: fire vm1.usb']),
  );
  const fired = marks.find(([, , label]) => label === 'unserved: fire vm1.usb')!;
  const screen = await screenAt(events, 80, 24, fired[0] + 1);
  expect(screen.join('\n')).toContain('A USB transfer ends');
  const over = marks.find(([, , label]) => label.startsWith('served: '))!;
  expect((await screenAt(events, 80, 24, over[0] - 1)).join('\n')).toMatch(/> 11 +100,000 .* PM\. /);
  expect(readFileSync(file).length).toBeLessThan(200_000);

  const player = spawnSync('sh', ['-c', 'command -v asciinema && command -v script']);
  if (player.status !== 0) return;
  const played = execFileSync('script', ['-qec', `asciinema cat ${file}`, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  }).toString();
  expect(played).toContain('A USB transfer ends');
});

// 10 hours would take the test's time: where it cannot be written is said before anything is recorded
test.each([
  [
    ['--cast', join(DIR, 'no', 'such.cast'), '--for', '10h'],
    `--cast ${join(DIR, 'no', 'such.cast')}: no such directory`,
  ],
  [['--cast', DIR, '--for', '10h'], `--cast ${DIR}: is a directory, not a file`],
  [['--cast', 'x', '-b'], '--batch: does not go with --cast'],
  [['--size', '80x24'], '--size: goes with --cast'],
  [['--for', '2s'], '--for: goes with --cast, or the command compare'],
  [['--cast', 'x', '--size', '80'], "--size '80': must be COLUMNSxROWS, from 60x15 to 500x200"],
  [['--cast', 'x', '--for', '1s', '--fire', 'kbd@2'], '--fire kbd@2: the recording ends at 1 s, see --for'],
])('%j is refused, and leaves nothing behind', async (args, message) => {
  const before = readdirSync(DIR);
  const { code, stdout, stderr } = await called('xen-pv', ...args);
  expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: '', stderr: `virqtop: ${message}\n` });
  expect(readdirSync(DIR)).toEqual(before);
});
