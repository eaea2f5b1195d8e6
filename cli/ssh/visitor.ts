/** One SSH session: a viewer of the machine, from the first frame to the line that says why it is over. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerChannel } from 'ssh2';
import type { Driver } from '../../tui/driver.ts';
import type { Turns } from '../../tui/gate.ts';
import { KeyInput } from '../../tui/key-input.ts';
import { type LookOptions, lookOf } from '../../tui/look.ts';
import { Session } from '../../tui/session.ts';
import { type Screen, sizeOf, Viewer } from '../../tui/viewer.ts';
import { Allowance } from './allowance.ts';
import { ChannelScreen } from './channel-screen.ts';
import type { Login } from './login.ts';

/** What all visitors share. */
export interface House {
  readonly driver: Driver;
  readonly turns: Turns;
  readonly domain: string;
  readonly hideIdle: boolean | undefined;
  /** where a visitor's own terminal and wishes say nothing */
  readonly look: LookOptions;
  /** of clients that send none */
  readonly locale: string;
  /** ms without a key after which a visitor has to leave; Infinity: never */
  readonly idle: number;
}

/** What the client told of its terminal. */
export interface Pty {
  columns: number;
  rows: number;
  term: string;
  /** variables that it sent, of those that are wanted */
  readonly env: Record<string, string>;
}

/** keys that count at once, and each second: more than anybody types */
const KEYS = { most: 120, perSecond: 60 };
/** ms between two changes of the size that are looked at */
const RESIZE_MS = 50;
/** ms that a screen has to take the last frame */
const FAREWELL_MS = 500;

export class Visitor {
  private readonly screen: ChannelScreen;
  private readonly session: Session;
  private readonly viewer: Viewer;
  private readonly input: KeyInput;
  private readonly keys = new Allowance(KEYS.most, KEYS.perSecond);
  private idleTimer: NodeJS.Timeout | undefined;
  private resizeTimer: NodeJS.Timeout | undefined;
  private over: Promise<void> | undefined;

  /** @param ended the visitor left or was made to leave, and everything of theirs is gone */
  constructor(
    private readonly house: House,
    readonly login: Login,
    private readonly channel: ServerChannel,
    socket: Socket,
    private readonly pty: Pty,
    private readonly ended: () => void,
  ) {
    this.screen = new ChannelScreen(channel, socket, pty.columns, pty.rows);
    const slow = house.look.slow || login.slow || pty.env.VIRQTOP_SLOW === '1';
    const screen = this.screen as unknown as Screen;
    this.session = new Session(house.driver, {
      size: sizeOf(screen),
      ...lookOf({ ...house.look, slow }, { LANG: house.locale, ...pty.env, TERM: pty.term }),
      domain: house.domain,
      hideIdle: house.hideIdle,
      watches: !login.controls,
      quit: () => void this.end('', 0),
      suspend: () => this.session.update({ notice: 'there is no shell behind this: q leaves' }),
    });
    this.viewer = new Viewer(this.session, screen, {
      turns: house.turns,
      ended: (error) =>
        void this.end(error ? `virqtop: cannot draw: ${error.message.split('\n')[0]}` : '', error ? 1 : 0),
    });
    this.input = new KeyInput((key) => {
      if (this.keys.take()) this.session.press(key);
    });
  }

  async open(): Promise<void> {
    const { channel } = this;
    channel.setEncoding('utf8');
    channel.on('data', (text: string) => {
      this.stayAwake();
      this.input.push(text);
    });
    channel.on('end', () => void this.end('', 0));
    channel.on('close', () => void this.end('', 0));
    channel.on('error', () => void this.end('', 0));
    this.stayAwake();
    await this.viewer.open();
  }

  /** The terminal has another size; of many changes in a row the last counts. */
  resize(columns: number, rows: number): void {
    Object.assign(this.pty, { columns, rows });
    this.resizeTimer ??= setTimeout(() => {
      this.resizeTimer = undefined;
      if (!this.over && this.screen.resize(this.pty.columns, this.pty.rows)) this.viewer.resize();
    }, RESIZE_MS);
  }

  /** Gives the terminal back, says why if there is something to say, and ends the session. */
  end(line: string, code: number): Promise<void> {
    this.over ??= this.leave(line, code);
    return this.over;
  }

  private async leave(line: string, code: number): Promise<void> {
    const { channel } = this;
    clearTimeout(this.idleTimer);
    clearTimeout(this.resizeTimer);
    this.input.stop();
    await Promise.race([this.viewer.close().catch(() => {}), sleep(FAREWELL_MS)]);
    if (channel.writable) {
      if (line !== '') channel.write(`${line}\r\n`);
      channel.exit(code);
      channel.end();
    }
    this.ended();
  }

  private stayAwake(): void {
    const { idle } = this.house;
    if (idle === Number.POSITIVE_INFINITY) return;
    clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(() => void this.end(`virqtop: no key for ${minutes(idle)}`, 1), idle);
  }
}

function minutes(ms: number): string {
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1000} s`;
}
