/** The socket of a running monitor or server: several who ask at once, each in order, none in the way of the others. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setImmediate as breathe } from 'node:timers/promises';
import type { Driver } from '../../tui/driver.ts';
import type { Follow } from './follow.ts';
import { listenAt } from './listen.ts';
import { makeOwnFolder, socketPath } from './place.ts';
import { answer } from './protocol.ts';

/** longest request, in characters */
const LONGEST = 65_536;
/** who may ask at the same time */
const MOST_ASKERS = 16;
/** bytes of events that may wait for one who does not read */
const MOST_WAITING = 1024 * 1024;

/** What the sockets are to control. */
export interface Controlled {
  readonly driver: Driver;
  quit(): void;
}

export class CtlService {
  private readonly askers = new Set<Socket>();
  private remove: () => void = () => {};
  private begin!: (controlled: Controlled) => void;
  private readonly ready = new Promise<Controlled>((resolve) => {
    this.begin = resolve;
  });
  // who has said everything still wants to read the answers
  private readonly server = createServer({ allowHalfOpen: true }, (socket) => this.accept(socket));

  /** Listens; who asks is answered once there is something to control. @throws UsageError, RunError */
  static async open(wanted: string, env: NodeJS.ProcessEnv): Promise<CtlService> {
    const service = new CtlService();
    const path = socketPath(wanted, env);
    if (!wanted.includes('/')) makeOwnFolder(env);
    service.remove = await listenAt(service.server, path);
    return service;
  }

  control(controlled: Controlled): void {
    this.begin(controlled);
  }

  close(): void {
    this.remove();
    this.server.close();
    for (const socket of this.askers) socket.destroySoon();
    // who does not read the last words goes without them
    setTimeout(() => {
      for (const socket of this.askers) socket.destroy();
    }, 500).unref();
  }

  private accept(socket: Socket): void {
    if (this.askers.size >= MOST_ASKERS) {
      socket.end(`${JSON.stringify({ ok: false, error: `${MOST_ASKERS} are connected already` })}\n`);
      return;
    }
    this.askers.add(socket);
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    const gone = new Promise<void>((resolve) => socket.on('close', resolve));
    void gone.then(() => this.askers.delete(socket));
    void this.serve(socket, gone);
  }

  /** One request after the other. */
  private async serve(socket: Socket, gone: Promise<void>): Promise<void> {
    const controlled = await Promise.race([this.ready, gone]);
    if (!controlled) return;
    const { driver, quit } = controlled;
    let stop: (() => void) | undefined;
    void gone.then(() => stop?.());
    const asker = {
      gone,
      quit: () => void setImmediate(quit),
      follow(follow: Follow) {
        stop?.();
        stop = driver.subscribe(() => {
          if (socket.writableLength > MOST_WAITING) socket.destroy();
          else send(socket, follow.next());
        });
      },
    };
    try {
      for await (const line of linesOf(socket)) {
        if (line === undefined) {
          send(socket, [{ ok: false, error: `a request has at most ${LONGEST} characters` }]);
          break;
        }
        if (line.trim() === '') continue;
        send(socket, [await answer(line, driver, asker)]);
        // the next one when this is read, and when others had their turn
        if (socket.writableNeedDrain) await Promise.race([once(socket, 'drain'), gone]);
        await breathe();
      }
    } catch {
      // the socket broke
    }
    // who has closed the way to us may still follow
    if (!stop) socket.end();
  }
}

function send(socket: Socket, lines: readonly object[]): void {
  if (lines.length === 0 || socket.destroyed || !socket.writable) return;
  socket.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** Lines of a bearable length; undefined, and then none any more, for one that is longer. */
async function* linesOf(socket: Socket): AsyncGenerator<string | undefined> {
  let rest = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield line.length > LONGEST ? undefined : line;
    if (rest.length > LONGEST) yield undefined;
  }
  if (rest !== '') yield rest;
}
