/**
 * One connection: the handshake and the login in limited time, then sessions with a terminal, and nothing else. No
 * command, subsystem, agent, X11 or forwarding: what is not asked for below is refused by the protocol's own answer.
 */
import type { Socket } from 'node:net';
import type ssh2 from 'ssh2';
import type { ServerChannel } from 'ssh2';
import { printable } from '../usage.ts';
import { addressText } from './address.ts';
import { Allowance } from './allowance.ts';
import { type Access, type Login, LoginDesk } from './login.ts';
import { type House, type Pty, Visitor } from './visitor.ts';

/** What the server is to a connection. */
export interface Front {
  readonly house: House;
  readonly access: Access;
  /** ms for the handshake and the login, then again until there is a session */
  readonly grace: number;
  /** Is there room for one more visitor? If not, why. */
  full(): string | undefined;
  joined(client: Client, visitor: Visitor): void;
  left(client: Client, visitor: Visitor): void;
  log(line: string): void;
}

/** bytes from a client that are read at once, and each second: a handshake, keys, changes of size */
const INPUT = { most: 262_144, perSecond: 65_536 };
/** sessions that one connection may have, as with ControlMaster */
const SESSIONS = 4;
/** ms for the other end to close the connection, or for the last bytes to leave */
const LINGER_MS = 2000;
/** ms without a packet after which the system asks whether the other end is there */
const KEEPALIVE_MS = 30_000;
/** longest value of a variable of the client's that is looked at */
const LONGEST_VALUE = 200;
/** variables of the client's that are looked at */
const WANTED = /^(?:LANG|LC_ALL|LC_CTYPE|COLORTERM|NO_COLOR|VIRQTOP_SLOW)$/;

export class Client {
  readonly from: string;
  login: Login | undefined;
  private readonly visitors = new Set<Visitor>();
  private readonly input = new Allowance(INPUT.most, INPUT.perSecond);
  private sessions = 0;
  private timer: NodeJS.Timeout;
  private thaw: NodeJS.Timeout | undefined;

  constructor(
    private readonly front: Front,
    private readonly socket: Socket,
  ) {
    const { remoteAddress = '?', remotePort = 0 } = socket;
    this.from = addressText({ host: remoteAddress.replace(/^::ffff:(?=\d+\.)/, ''), port: remotePort });
    this.timer = setTimeout(() => socket.destroy(), front.grace);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    socket.on('data', (data: Buffer) => this.bound(data.length));
    socket.on('close', () => this.stop());
  }

  /** The other end speaks SSH. */
  serve(connection: ssh2.Connection): void {
    const desk = new LoginDesk(
      this.front.access,
      (login) => {
        this.login = login;
      },
      (user) => {
        this.front.log(`login as ${printable(user.slice(0, 60))} from ${this.from} refused: too many tries`);
        this.socket.destroy();
      },
    );
    connection.on('error', () => this.socket.destroy());
    connection.on('authentication', desk.ask);
    connection.on('ready', () => this.expectSession());
    connection.on('session', (accept, reject) => {
      if (this.sessions >= SESSIONS) reject();
      else this.session(accept() as unknown as ssh2.Session);
    });
  }

  /**
   * Everybody of this connection leaves. Who has been told so closes it: if this end did, a byte that is still to come from
   * there would reset it, and the other end might not come to read how it ended.
   */
  async end(line: string, code: number): Promise<void> {
    const visitors = [...this.visitors];
    await Promise.all(visitors.map((visitor) => visitor.end(line, code)));
    if (visitors.length === 0) this.socket.destroySoon();
    const linger = setTimeout(() => this.socket.destroy(), LINGER_MS);
    this.socket.once('close', () => clearTimeout(linger));
  }

  private session(session: ssh2.Session): void {
    this.sessions++;
    let pty: Pty | undefined;
    let visitor: Visitor | undefined;
    const env: Record<string, string> = {};
    session.on('pty', (accept, _, info) => {
      const { cols, rows } = info;
      const { term } = info as unknown as { term?: string };
      pty = { columns: cols, rows, term: term ?? '', env };
      accept?.();
    });
    session.on('env', (accept, reject, { key, val }: { key: string; val: string }) => {
      if (!WANTED.test(key) || val.length > LONGEST_VALUE) {
        reject?.();
        return;
      }
      env[key] = val;
      accept?.();
    });
    session.on('window-change', (accept, _, { cols, rows }) => {
      if (visitor) visitor.resize(cols, rows);
      else if (pty) Object.assign(pty, { columns: cols, rows });
      accept?.();
    });
    session.on('shell', (accept) => {
      const channel = accept();
      const refusal = pty ? this.front.full() : 'needs a terminal: ssh -t';
      if (!channel) return;
      if (!pty || refusal !== undefined) this.refuse(channel, refusal!);
      else visitor = this.admit(channel, pty);
    });
    session.on('exec', (accept) => {
      const channel = accept();
      if (channel) this.refuse(channel, 'takes no command here: ssh without one shows the monitor');
    });
    session.on('close', () => {
      this.sessions--;
      void visitor?.end('', 0);
      this.expectSession();
    });
  }

  private admit(channel: ServerChannel, pty: Pty): Visitor {
    clearTimeout(this.timer);
    const { front, socket } = this;
    const visitor: Visitor = new Visitor(front.house, this.login!, channel, socket, pty, () => {
      this.visitors.delete(visitor);
      front.left(this, visitor);
      this.expectSession();
    });
    this.visitors.add(visitor);
    front.joined(this, visitor);
    visitor.open().catch((error: Error) => visitor.end(`virqtop: ${printable(error.message)}`, 1));
    return visitor;
  }

  private refuse(channel: ServerChannel, why: string): void {
    channel.on('error', () => {});
    channel.stderr.write(`virqtop: ${why}\r\n`);
    channel.exit(1);
    channel.end();
    channel.resume();
  }

  /** A connection on which nothing happens is closed. */
  private expectSession(): void {
    clearTimeout(this.timer);
    if (this.visitors.size > 0 || this.socket.destroyed) return;
    this.timer = setTimeout(() => this.socket.destroy(), this.front.grace);
  }

  /** Whoever sends too much is not listened to for a while; the sender is held up by its own system. */
  private bound(bytes: number): void {
    const wait = this.input.spend(bytes);
    if (wait === 0 || this.thaw) return;
    this.socket.pause();
    this.thaw = setTimeout(() => {
      this.thaw = undefined;
      this.socket.resume();
    }, wait);
  }

  private stop(): void {
    clearTimeout(this.timer);
    clearTimeout(this.thaw);
    for (const visitor of [...this.visitors]) void visitor.end('', 0);
  }
}
