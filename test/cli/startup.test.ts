/** What starting costs: asking for help is no reason to wait. */
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ENTRY } from './run.ts';

const RUNS = 11;

/** CPU milliseconds, user and system, of one run. */
function cpu(...args: string[]): number {
  const script = 'TIMEFORMAT="%3U %3S"; time "$@" >/dev/null';
  const { stderr } = spawnSync('bash', ['-c', script, 'bash', process.execPath, ...args], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const [user = Number.NaN, system = Number.NaN] = stderr.trim().split(' ').map(Number);
  return (user + system) * 1000;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

test.each([['--help'], ['--version']])(
  '%s takes at most twice the CPU of an empty Node program',
  (option) => {
    const empty: number[] = [];
    const ours: number[] = [];
    for (let i = 0; i < RUNS; i++) {
      empty.push(cpu('-e', '0'));
      ours.push(cpu(ENTRY, option));
    }
    expect(median(ours)).toBeGreaterThan(0);
    expect(median(ours) / median(empty)).toBeLessThan(2);
  },
);

/** CPU milliseconds that all threads of a process have used so far. */
function usedBy(pid: string): number {
  let ns = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return ns / 1e6;
}

/** CPU of a program in a terminal of its own when `sign` is on its screen. */
function cpuUntil(sign: string, ...args: string[]): Promise<number> {
  const command = `stty rows 40 cols 120; exec ${[process.execPath, ...args].map((a) => `'${a}'`).join(' ')}`;
  const terminal = spawn('script', ['-qfc', command, '/dev/null'], {
    env: { ...process.env, CI: 'false', TERM: 'xterm-256color', LC_ALL: 'C.UTF-8' },
  });
  return new Promise((resolve, reject) => {
    let seen = '';
    let used: number | undefined;
    terminal.stdout.on('data', (chunk) => {
      seen += chunk;
      if (used !== undefined || !seen.includes(sign)) return;
      const [child = ''] = readFileSync(`/proc/${terminal.pid}/task/${terminal.pid}/children`, 'utf8').split(
        ' ',
      );
      used = usedBy(child);
      terminal.stdin.write('q');
    });
    terminal.on('close', () =>
      used === undefined ? reject(new Error(`no ${sign} in ${seen}`)) : resolve(used),
    );
  });
}

test('the first frame of the monitor takes at most six times the CPU of an empty Node program', async () => {
  const empty: number[] = [];
  const ours: number[] = [];
  for (let i = 0; i < RUNS; i++) {
    empty.push(cpu('-e', '0'));
    ours.push(await cpuUntil('quit', ENTRY));
  }
  expect(median(ours) / median(empty)).toBeLessThan(6);
});
