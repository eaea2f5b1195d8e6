/**
 * A real terminal for tests, without native modules: script(1) makes the pseudo-terminal, @xterm/headless
 * draws what comes out of it, stty(1) changes its size and tells its modes.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import headless from '@xterm/headless';

export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const ROOT = join(import.meta.dirname, '../..');

/** Words as a shell takes them. */
export function quoted(words: readonly string[]): string {
  return words.map((w) => `'${w.replaceAll("'", "'\\''")}'`).join(' ');
}

export class TestTerminal {
  private readonly screen: InstanceType<typeof headless.Terminal>;
  private readonly dir = mkdtempSync(join(tmpdir(), 'virqtop-tty-'));
  private readonly child: ChildProcess;
  private readonly ended: Promise<number>;
  private device = '';
  /** everything the program wrote */
  output = '';
  /** of the program, which may be a shell */
  pid = 0;
  exitCode: number | undefined;

  private constructor(command: readonly string[], options: TerminalOptions) {
    const { columns = 80, rows = 24 } = options;
    this.screen = new headless.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 200 });
    const start = [
      `stty rows ${rows} cols ${columns}`,
      `tty > ${quoted([join(this.dir, 'tty')])}`,
      `echo $$ > ${quoted([join(this.dir, 'pid')])}`,
      `exec ${quoted(command)}`,
    ].join('; ');
    const env: Record<string, string | undefined> = {
      ...process.env,
      // an environment of its own: Ink draws nothing where CI is set, vitest sets FORCE_COLOR and NODE_ENV
      CI: 'false',
      NODE_ENV: 'production',
      TERM: 'xterm-256color',
      LANG: 'C.UTF-8',
      LC_ALL: 'C.UTF-8',
      COLORTERM: undefined,
      FORCE_COLOR: undefined,
      NO_COLOR: undefined,
      NODE_OPTIONS: undefined,
      VITEST: undefined,
      // whoever runs the tests may have a configuration file
      XDG_CONFIG_HOME: join(this.dir, 'config'),
      ...options.env,
    };
    this.child = spawn('script', ['-qfe', '-c', start, '/dev/null'], { cwd: ROOT, env });
    const take = (data: Buffer) => {
      this.output += data.toString('latin1');
      this.screen.write(data);
    };
    this.child.stdout!.on('data', take);
    this.child.stderr!.on('data', take);
    this.child.stdin!.on('error', () => {});
    this.screen.onData((answer) => this.press(answer));
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code) => {
        this.exitCode = code ?? -1;
        resolve(this.exitCode);
      });
    });
  }

  static async start(command: readonly string[], options: TerminalOptions = {}): Promise<TestTerminal> {
    const terminal = new TestTerminal(command, options);
    const file = (name: string) => {
      const path = join(terminal.dir, name);
      return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
    };
    await terminal.until(() => file('pid') !== '', 'the program to start');
    terminal.device = file('tty');
    terminal.pid = Number(file('pid'));
    return terminal;
  }

  /** Types. */
  press(keys: string): void {
    this.child.stdin!.write(keys);
  }

  /** The terminal itself is gone: its window was closed, the connection broke. */
  hangUp(): void {
    this.child.kill('SIGKILL');
  }

  /** The program stands still; script(1), who sees that, does too. The answer lets both go on. */
  freeze(): () => void {
    this.signal('SIGSTOP');
    return () => {
      this.signal('SIGCONT');
      this.child.kill('SIGCONT');
    };
  }

  resize(columns: number, rows: number): void {
    this.screen.resize(columns, rows);
    execFileSync('stty', ['-F', this.device, 'rows', String(rows), 'cols', String(columns)]);
  }

  signal(signal: NodeJS.Signals, pid = this.pid): void {
    process.kill(pid, signal);
  }

  /** Processes that the program started. */
  children(): number[] {
    const path = `/proc/${this.pid}/task/${this.pid}/children`;
    return readFileSync(path, 'utf8').trim().split(/\s+/).map(Number);
  }

  /** The lines on the screen, without the blanks at their ends. */
  lines(): string[] {
    const { active } = this.screen.buffer;
    return Array.from(
      { length: this.screen.rows },
      (_, y) => active.getLine(active.baseY + y)?.translateToString(true) ?? '',
    );
  }

  text(): string {
    return this.lines().join('\n');
  }

  get alternate(): boolean {
    return this.screen.buffer.active.type === 'alternate';
  }

  /** Was the cursor shown or hidden last? */
  get cursorShown(): boolean {
    return this.output.lastIndexOf('\x1b[?25h') >= this.output.lastIndexOf('\x1b[?25l');
  }

  /** Does the line discipline echo and wait for whole lines, as a shell wants it? */
  get cooked(): boolean {
    const modes = execFileSync('stty', ['-F', this.device, '-a'], { encoding: 'utf8' });
    return /(^|\s)icanon/.test(modes) && /(^|\s)echo(\s|$)/.test(modes);
  }

  /** Waits until the screen shows the text. */
  async shows(text: string | RegExp, ms = 15_000): Promise<string> {
    const found = () => (typeof text === 'string' ? this.text().includes(text) : text.test(this.text()));
    await this.until(found, String(text), ms);
    return this.text();
  }

  async until(condition: () => boolean, what: string, ms = 15_000): Promise<void> {
    const deadline = Date.now() + ms;
    while (!condition()) {
      if (Date.now() > deadline || this.exitCode !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (condition()) return;
        throw new Error(
          `waited up to ${ms} ms for ${what} in vain (exit code ${this.exitCode}); the screen shows:\n${this.text()}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  }

  /** The exit code of the program, once everything it wrote is on the screen. */
  async exit(ms = 15_000): Promise<number> {
    await this.until(() => this.exitCode !== undefined, 'the program to end', ms);
    const code = await this.ended;
    await new Promise<void>((resolve) => this.screen.write('', resolve));
    return code;
  }

  /** Ends whatever still runs in it. */
  close(): void {
    if (this.exitCode === undefined) {
      try {
        process.kill(this.pid, 'SIGKILL');
      } catch {
        // it ended by itself
      }
      this.child.kill('SIGKILL');
    }
    this.screen.dispose();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
