/** The SSH server: connections come in, are counted, and end together. */
import { createServer, type Server, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { printable } from '../usage.ts';
import type { Address } from './address.ts';
import { Client, type Front } from './client.ts';
import type { Access } from './login.ts';
import type { House, Visitor } from './visitor.ts';

export interface ServerOptions {
  readonly house: House;
  readonly access: Access;
  /** the private key, in OpenSSH's format */
  readonly hostKey: string;
  readonly maxSessions: number;
  readonly log: (line: string) => void;
}

/** connections that have not logged in */
const MOST_STRANGERS = 20;
/** ms for the login; where it may have to be typed, more */
const GRACE = { keys: 10_000, passwords: 30_000 };

/** Modern ones, and of these those that Node has from OpenSSL. */
const ALGORITHMS: ssh2.Algorithms = {
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group16-sha512',
    'diffie-hellman-group14-sha256',
  ],
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes192-ctr', 'aes256-ctr'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'],
  compress: ['none', 'zlib@openssh.com'],
};

export class SshServer implements Front {
  readonly house: House;
  readonly access: Access;
  readonly grace: number;
  readonly log: (line: string) => void;
  private readonly listener: Server;
  private readonly protocol: ssh2.Server;
  /** by address and port of the other end */
  private readonly clients = new Map<string, Client>();
  private visitors = 0;
  private stopping = false;

  constructor(private readonly options: ServerOptions) {
    this.house = options.house;
    this.access = options.access;
    this.log = options.log;
    this.grace = options.access.passwords.none ? GRACE.keys : GRACE.passwords;
    this.protocol = new ssh2.Server(
      { hostKeys: [options.hostKey], ident: 'virqtop', algorithms: ALGORITHMS },
      (connection, { ip, port }) => this.clients.get(nameOf(ip, port))?.serve(connection),
    );
    this.listener = createServer((socket) => this.connect(socket));
  }

  /** @returns where it listens */
  listen({ host, port }: Address): Promise<Address> {
    return new Promise((resolve, reject) => {
      this.listener.once('error', reject);
      this.listener.listen(port, host, () => {
        this.listener.off('error', reject);
        this.listener.on('error', (error) => this.log(`cannot accept a connection: ${error.message}`));
        const { address: at, port: real } = this.listener.address() as { address: string; port: number };
        resolve({ host: at, port: real });
      });
    });
  }

  /** Every session ends with the line and the exit code. */
  async stop(line: string, code: number): Promise<void> {
    this.stopping = true;
    this.listener.close();
    await Promise.all([...this.clients.values()].map((client) => client.end(line, code)));
    if (this.clients.size === 0) return;
    await new Promise<void>((resolve) => this.listener.on('close', resolve));
  }

  full(): string | undefined {
    const { maxSessions } = this.options;
    if (this.stopping) return 'the server stops';
    return this.visitors < maxSessions ? undefined : `full: ${maxSessions} watch already`;
  }

  joined({ from }: Client, { login: { user, by, controls } }: Visitor): void {
    this.visitors++;
    const may = controls ? 'controls' : 'watches';
    this.log(`${shown(user)} from ${from} ${may}, by ${shown(by)}; ${this.count()}`);
  }

  left({ from }: Client, { login: { user } }: Visitor): void {
    this.visitors--;
    this.log(`${shown(user)} from ${from} left; ${this.count()}`);
  }

  private count(): string {
    return this.visitors === 1 ? '1 viewer' : `${this.visitors} viewers`;
  }

  private connect(socket: Socket): void {
    const strangers = [...this.clients.values()].filter((client) => !client.login).length;
    socket.on('error', () => socket.destroy());
    if (this.stopping || strangers >= MOST_STRANGERS) {
      socket.destroy();
      return;
    }
    const name = nameOf(socket.remoteAddress, socket.remotePort);
    this.clients.set(name, new Client(this, socket));
    socket.on('close', () => this.clients.delete(name));
    this.protocol.injectSocket(socket);
  }
}

function nameOf(address: string | undefined, port: number | undefined): string {
  return `${address} ${port}`;
}

function shown(text: string): string {
  return printable(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
