/** A real `virqtop serve`, and the real OpenSSH client that comes to it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENTRY, finished, type Ran } from '../cli/run.ts';
import { TestTerminal } from './terminal.ts';

export const HAS_SSH = ['ssh', 'ssh-keygen'].every((program) => {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

export interface SshOptions {
  readonly key?: string;
  readonly user?: string;
  readonly password?: string;
  /** of ssh, before the host */
  readonly flags?: readonly string[];
  /** behind the host */
  readonly command?: readonly string[];
}

export class SshRig {
  readonly dir = mkdtempSync(join(tmpdir(), 'virqtop-serve-'));
  private server: ChildProcess | undefined;
  private readonly open: TestTerminal[] = [];
  /** what the server said on standard error */
  log = '';
  port = 0;
  /** its exit code, once it ended */
  ended: Promise<number | null> = Promise.resolve(null);

  file(name: string, text: string): string {
    const path = join(this.dir, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  /** Makes a pair of keys. @returns the private one; the public one has `.pub` behind it */
  key(name: string): string {
    const path = join(this.dir, name);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path]);
    return path;
  }

  async serve(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
    const all = [ENTRY, 'serve', '--ssh', '127.0.0.1:0', '--host-key', join(this.dir, 'host'), ...args];
    const server = spawn(process.execPath, all, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, HOME: this.dir, LC_ALL: 'C.UTF-8', NO_COLOR: '', FORCE_COLOR: '', ...env },
    });
    this.server = server;
    this.log = '';
    server.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    this.ended = new Promise((resolve) => server.on('close', resolve));
    await this.says(/ on 127\.0\.0\.1:\d+/);
    this.port = Number(/ on 127\.0\.0\.1:(\d+)/.exec(this.log)![1]);
  }

  /** Waits until the server has said it. */
  async says(text: RegExp, ms = 20_000): Promise<void> {
    const deadline = Date.now() + ms;
    while (!text.test(this.log)) {
      if (Date.now() > deadline || this.server?.exitCode != null) {
        throw new Error(`the server did not say ${text} but\n${this.log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.server!.kill(signal);
  }

  /** The command line of a client. */
  ssh({ key, user = 'guest', password, flags = [], command = [] }: SshOptions): string[] {
    const settings = [
      'StrictHostKeyChecking=no',
      `UserKnownHostsFile=${join(this.dir, 'known')}`,
      'GlobalKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
      'IdentitiesOnly=yes',
      'IdentityAgent=none',
      `PreferredAuthentications=${password === undefined ? 'publickey' : 'password'}`,
      'SendEnv=LANG LC_* NO_COLOR VIRQTOP_SLOW',
    ];
    return [
      'ssh', '-F', 'none', '-p', String(this.port),
      ...settings.flatMap((s) => ['-o', s]),
      ...(key === undefined ? [] : ['-i', key]),
      ...flags, `${user}@127.0.0.1`, ...command,
    ]; // biome-ignore format: a command line
  }

  /** A client in a terminal of its own. */
  async join(options: SshOptions, columns: number, rows: number, env: Record<string, string> = {}) {
    const terminal = await TestTerminal.start(this.ssh(options), {
      columns,
      rows,
      env: { ...this.typing(options), ...env },
    });
    this.open.push(terminal);
    return terminal;
  }

  /** A client without a terminal. */
  run(options: SshOptions): Promise<Ran> {
    const [ssh, ...args] = this.ssh(options);
    const env = { ...process.env, ...this.typing(options) };
    return finished(spawn(ssh!, args, { stdio: ['ignore', 'pipe', 'pipe'], env }));
  }

  /** Ends everything that still runs. */
  close(): void {
    for (const terminal of this.open) terminal.close();
    this.server?.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** What answers ssh when it asks for a password. */
  private typing({ password }: SshOptions): Record<string, string> {
    if (password === undefined) return {};
    const script = this.file('askpass', `#!/bin/sh\necho '${password}'\n`);
    execFileSync('chmod', ['700', script]);
    return { SSH_ASKPASS: script, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: 'none' };
  }
}
