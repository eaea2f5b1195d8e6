/**
 * The terminal as the monitor borrows it: raw keys in, sizes and signals noticed, and everything given
 * back whatever happens. Ink owns the alternate screen and the cursor; raw mode and signals are ours.
 */
import type { ReadStream, WriteStream } from 'node:tty';
import { KeyInput } from './key-input.ts';

/** ms to wait for the stop signal to be obeyed; a process group nobody would wake ignores it */
const STOP_MS = 200;

/** Ways out by signal and their exit codes; an interrupt is the same as Ctrl-C. */
const FATAL: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 0, SIGHUP: 129, SIGTERM: 143 };

export interface TerminalHooks {
  readonly key: (key: string) => void;
  readonly resize: () => void;
  /** the monitor is to end: a signal, the end of input, an error nobody caught */
  readonly end: (code: number, error?: Error) => void;
  /** Ctrl-Z or SIGTSTP: leaves the screen; the answer comes back to it */
  readonly leave: () => Promise<() => Promise<void>>;
}

export class Terminal {
  private readonly input: KeyInput;
  private readonly undo: (() => void)[] = [];
  private away = false;

  constructor(
    private readonly stdin: ReadStream,
    private readonly stdout: WriteStream,
    private readonly hooks: TerminalHooks,
  ) {
    this.input = new KeyInput(hooks.key);
  }

  /** Takes the terminal. */
  start(): void {
    const { stdin, stdout, hooks } = this;
    for (const signal of Object.keys(FATAL) as NodeJS.Signals[]) {
      this.on(process, signal, () => hooks.end(FATAL[signal]!));
    }
    this.on(process, 'SIGTSTP', () => this.suspend());
    this.on(process, 'SIGCONT', () => this.wakeUp());
    this.on(process, 'uncaughtException', (error: Error) => hooks.end(1, error));
    this.on(stdout, 'error', () => hooks.end(0));
    this.on(stdout, 'resize', () => hooks.resize());
    this.on(stdin, 'data', (chunk: string) => this.input.push(chunk));
    this.on(stdin, 'end', () => hooks.end(0));
    this.on(stdin, 'close', () => hooks.end(0));
    this.on(stdin, 'error', () => hooks.end(0));
    stdin.setEncoding('utf8');
    this.listen(true);
  }

  /** Gives it back. Errors of a terminal that went away are still swallowed. */
  stop(): void {
    this.input.stop();
    for (const undo of this.undo.splice(0)) undo();
    this.stdout.on('error', () => {});
    this.stdin.on('error', () => {});
    this.listen(false);
    this.stdin.unref();
  }

  /** Stops the process as the shell expects of Ctrl-Z; goes on when it is continued. */
  async suspend(): Promise<void> {
    if (this.away) return;
    this.away = true;
    const comeBack = await this.hooks.leave();
    this.listen(false);
    await this.stopProcess();
    this.listen(true);
    this.away = false;
    await comeBack();
    // the size may have changed meanwhile, which a stopped process is not told
    process.emit('SIGWINCH');
  }

  /** The whole process group stops, so that the shell notices even behind npm or a parent process. */
  private stopProcess(): Promise<void> {
    const handlers = process.listeners('SIGTSTP');
    process.removeAllListeners('SIGTSTP');
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        process.off('SIGCONT', done);
        for (const handler of handlers)
          if (!process.listeners('SIGTSTP').includes(handler)) process.on('SIGTSTP', handler);
        resolve();
      };
      const timer = setTimeout(done, STOP_MS);
      process.on('SIGCONT', done);
      process.kill(0, 'SIGTSTP');
    });
  }

  /** Continued after a stop that could not be seen coming: the shell used the terminal since. */
  private async wakeUp(): Promise<void> {
    if (this.away) return;
    this.away = true;
    const comeBack = await this.hooks.leave();
    this.listen(false);
    this.listen(true);
    this.away = false;
    await comeBack();
  }

  private listen(on: boolean): void {
    const { stdin } = this;
    try {
      if (stdin.isTTY) stdin.setRawMode(on);
    } catch {
      // the terminal is gone: nothing is left to restore
    }
    if (on) stdin.resume();
    else stdin.pause();
  }

  private on(emitter: NodeJS.EventEmitter, event: string, listener: (...args: never[]) => void): void {
    const typed = listener as (...args: unknown[]) => void;
    emitter.on(event, typed);
    this.undo.push(() => emitter.off(event, typed));
  }
}
