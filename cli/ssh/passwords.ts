/** Who may log in with which password: lines USER:PASSWORD, `*` for whoever has no line of their own. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { printable, UsageError } from '../usage.ts';

/** Stands for any user. */
const ANYBODY = '*';
const LINE = /^([^\s:]+):(.+)$/;

export class Passwords {
  /** digests: all of one length, so that comparing them takes always the same time */
  private readonly digests = new Map<string, Buffer>();

  get none(): boolean {
    return this.digests.size === 0;
  }

  /** Has this user a line of their own? */
  names(user: string): boolean {
    return user !== ANYBODY && this.digests.has(user);
  }

  /** @throws UsageError naming the line */
  addLines(text: string, file: string): void {
    text.split(/\r?\n/).forEach((line, i) => {
      if (line.trim() === '' || line.startsWith('#')) return;
      const [, user, password] = LINE.exec(line) ?? [];
      const at = `--password-file ${printable(file)}:${i + 1}`;
      if (user === undefined) throw new UsageError(`${at}: must be USER:PASSWORD, with * for any user`);
      if (this.digests.has(user)) throw new UsageError(`${at}: a second line for ${printable(user)}`);
      this.digests.set(user, digest(password!));
    });
  }

  /** A password that anybody may use. */
  addForAnybody(password: string): void {
    this.digests.set(ANYBODY, digest(password));
  }

  accepts(user: string, password: string): boolean {
    const wanted = this.names(user) ? this.digests.get(user) : this.digests.get(ANYBODY);
    const equal = timingSafeEqual(digest(password), wanted ?? digest(''));
    return wanted !== undefined && equal;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
