/** Who may come in: keys first, passwords if there are any, three wrong ones at most. */
import type ssh2 from 'ssh2';
import type { AuthorizedKey } from './authorized-keys.ts';
import type { Passwords } from './passwords.ts';

/** Who logged in, and what they may do. */
export interface Login {
  readonly user: string;
  /** a key with its fingerprint, or `password` */
  readonly by: string;
  /** may act on the machine; others watch */
  readonly controls: boolean;
  /** asked for what suits a slow line, by the name */
  readonly slow: boolean;
}

export interface Access {
  readonly keys: readonly AuthorizedKey[];
  readonly passwords: Passwords;
  /** blobs of keys, in base64, and users with passwords of their own that control the machine */
  readonly controlKeys: ReadonlySet<string>;
  readonly controlUsers: ReadonlySet<string>;
}

/** wrong passwords, or signatures, before the connection is cut */
const TRIES = 3;
/** keys that a client may offer: an agent can have many */
const OFFERS = 20;
/** ms that a wrong password costs */
const PENALTY = 400;

export class LoginDesk {
  private failures = 0;
  private offers = 0;

  constructor(
    private readonly access: Access,
    private readonly accepted: (login: Login) => void,
    /** too many tries */
    private readonly enough: (user: string) => void,
  ) {}

  readonly ask = (context: ssh2.AuthContext): void => {
    if (context.method === 'publickey') this.askKey(context);
    else if (context.method === 'password') this.askPassword(context);
    else this.refuse(context);
  };

  private askKey(context: ssh2.PublicKeyAuthContext): void {
    const { key, signature, blob, hashAlgo } = context;
    const found = this.access.keys.find((known) => known.blob.equals(key.data));
    // RSA with SHA-1 is as good as forged
    const outdated = key.algo === 'ssh-rsa' && signature !== undefined && hashAlgo === undefined;
    if (!found || outdated) {
      if (++this.offers > OFFERS) this.enough(context.username);
      else this.refuse(context);
      return;
    }
    if (signature === undefined || blob === undefined) {
      context.accept(); // it may go on and sign
      return;
    }
    if (found.key.verify(blob, signature, hashAlgo) !== true) {
      this.fail(context);
      return;
    }
    const comment = found.comment === '' ? '' : ` (${found.comment})`;
    const controls = this.access.controlKeys.has(found.blob.toString('base64'));
    this.let(context, `${found.fingerprint}${comment}`, controls);
  }

  private askPassword(context: ssh2.PasswordAuthContext): void {
    const { passwords, controlUsers } = this.access;
    const { name } = nameOf(context.username);
    if (passwords.accepts(name, context.password)) this.let(context, 'password', controlUsers.has(name));
    else this.fail(context);
  }

  private let(context: ssh2.AuthContext, by: string, controls: boolean): void {
    const { name, slow } = nameOf(context.username);
    this.accepted({ user: name, by, controls, slow });
    context.accept();
  }

  private fail(context: ssh2.AuthContext): void {
    if (++this.failures >= TRIES) setTimeout(() => this.enough(context.username), PENALTY);
    else setTimeout(() => this.refuse(context), PENALTY);
  }

  private refuse(context: ssh2.AuthContext): void {
    const methods: ssh2.AuthenticationType[] = [];
    if (this.access.keys.length > 0) methods.push('publickey');
    if (!this.access.passwords.none) methods.push('password');
    context.reject(methods);
  }
}

/** `slow`, or a name with `+slow` behind it, asks for what suits a slow line. */
export function nameOf(user: string): { name: string; slow: boolean } {
  if (user === 'slow') return { name: user, slow: true };
  return user.endsWith('+slow')
    ? { name: user.slice(0, -'+slow'.length), slow: true }
    : { name: user, slow: false };
}
