/** QEMU's qtest server: what the real chips say to the same commands. */
import { spawn, spawnSync } from 'node:child_process';
import { Qtest } from '../../cli/qtest/protocol.ts';
import type { QtestMachine } from '../../engine/index.ts';

export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0;
}

/** What QEMU says to these commands, its processor stopped; it does not end by itself. */
export function askQemu(program: string, machine: string, commands: readonly string[]): Promise<string[]> {
  const args = [
    '-machine',
    `${machine},accel=tcg`,
    '-S',
    '-nodefaults',
    '-display',
    'none',
    '-qtest',
    'stdio',
  ];
  return new Promise((done, fail) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    const patience = setTimeout(() => child.kill('SIGKILL'), 15_000);
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      const answers = text.split('\n').filter((line) => /^(OK|FAIL|ERR)/.test(line));
      if (answers.length >= commands.length) child.kill('SIGKILL');
    });
    child.on('error', fail);
    child.on('close', () => {
      clearTimeout(patience);
      done(text.split('\n').filter((line) => line !== ''));
    });
    child.stdin.write(`${commands.join('\n')}\n`);
  });
}

/** What ours say. */
export function askOurs(machine: QtestMachine, commands: readonly string[]): string[] {
  const lines: string[] = [];
  const session = new Qtest(machine, (line) => lines.push(line));
  for (const command of commands) session.line(command);
  return lines;
}

/** Where QEMU's chips and ours really differ, and what is done about it in a comparison. */
export interface Difference {
  readonly what: string;
  readonly why: string;
  readonly here: string;
}
