/** The whole monitor without a terminal: Ink draws into memory, keys and sizes come from the test. */
import { PassThrough, Writable } from 'node:stream';
import headless from '@xterm/headless';
import { type Instance, render } from 'ink';
import type { Machine } from '../../engine/machine/machine.ts';
import { App } from '../../tui/app.tsx';
import type { DemoScript } from '../../tui/demo.ts';
import { Driver, type DriverOptions } from '../../tui/driver.ts';
import { ASCII, BLOCKS, SLOW } from '../../tui/glyphs.ts';
import { Session } from '../../tui/session.ts';
import type { Depth } from '../../tui/theme.ts';
import { ManualHost } from './manual-host.ts';

export interface ScreenOptions extends DriverOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly ascii?: boolean;
  /** as `--slow` draws */
  readonly slow?: boolean;
  readonly depth?: Depth;
  readonly theme?: string;
  readonly demo?: DemoScript;
  /** looks at the machine of another one */
  readonly beside?: FakeScreen;
  /** nobody looks at the screen: only bytes are counted */
  readonly blind?: boolean;
}

/** A terminal's output that counts what it is sent. */
class Output extends Writable {
  readonly isTTY = true;
  bytes = 0;

  constructor(
    public columns: number,
    public rows: number,
    private readonly take: (text: string) => void,
  ) {
    super({ decodeStrings: false });
  }

  override _write(chunk: string | Buffer, _: string, done: () => void): void {
    const text = chunk.toString();
    this.bytes += Buffer.byteLength(text);
    this.take(text);
    done();
  }
}

export class FakeScreen {
  readonly host: ManualHost;
  readonly driver: Driver;
  readonly session: Session;
  readonly output: Output;
  /** how the session was left, if it was */
  left = '';
  error: Error | undefined;
  private readonly screen: InstanceType<typeof headless.Terminal>;
  private readonly ink: Instance;

  constructor(machine: Machine, options: ScreenOptions = {}) {
    const { columns = 120, rows = 40 } = options;
    this.screen = new headless.Terminal({ cols: columns, rows, allowProposedApi: true, convertEol: true });
    this.output = new Output(columns, rows, (text) => {
      if (!options.blind) this.screen.write(text);
    });
    this.host = options.beside?.host ?? new ManualHost();
    this.driver =
      options.beside?.driver ??
      new Driver(machine, this.host, {
        onError: (error) => {
          this.error = error;
        },
        ...options,
      });
    this.session = new Session(this.driver, {
      domain: 'dom0',
      theme: options.theme ?? 'default',
      depth: options.slow ? 0 : (options.depth ?? 1),
      glyphs: options.slow ? SLOW : options.ascii ? ASCII : BLOCKS,
      size: { columns, rows },
      demo: options.demo,
      quit: () => {
        this.left = 'quit';
      },
      suspend: () => {
        this.left = 'suspend';
      },
    });
    this.ink = render(<App watched={this.session} />, {
      stdout: this.output as unknown as NodeJS.WriteStream,
      stdin: new PassThrough() as unknown as NodeJS.ReadStream,
      alternateScreen: true,
      incrementalRendering: true,
      interactive: true,
      maxFps: 1000,
      patchConsole: false,
      exitOnCtrlC: false,
    });
  }

  press(...keys: string[]): void {
    for (const key of keys) this.session.press(key);
  }

  resize(columns: number, rows: number): void {
    this.output.columns = columns;
    this.output.rows = rows;
    this.screen.resize(columns, rows);
    this.ink.clear();
    this.session.resize({ columns, rows });
    this.output.emit('resize');
  }

  /** Everything that was published is drawn. */
  async drawn(): Promise<void> {
    await this.ink.waitUntilRenderFlush();
  }

  /** The lines of the screen without the blanks at their ends. */
  async lines(): Promise<string[]> {
    await this.drawn();
    await new Promise<void>((resolve) => this.screen.write('', resolve));
    const { active } = this.screen.buffer;
    return Array.from(
      { length: this.screen.rows },
      (_, y) => active.getLine(active.baseY + y)?.translateToString(true) ?? '',
    );
  }

  async text(): Promise<string> {
    return (await this.lines()).join('\n');
  }

  close(): void {
    this.driver.suspend();
    this.session.close();
    this.ink.unmount();
    this.screen.dispose();
  }
}
