/** What starting costs: asking for help is no reason to wait. */
import { spawnSync } from 'node:child_process';
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
