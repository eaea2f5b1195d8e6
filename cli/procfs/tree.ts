/** Writes files so that nobody ever reads half of one. */
import { closeSync, ftruncateSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder } from '../files.ts';
import { printable, UsageError } from '../usage.ts';

/**
 * What a directory tree is written by: new files take the place of old ones. They are made at its root: to a program that
 * looks into a folder, every file there is one of those it is about.
 */
export class Tree {
  private readonly last = new Map<string, string>();

  constructor(readonly root: string) {}

  /** @throws UsageError if that cannot be written */
  write(path: string, text: string): void {
    if (this.last.get(path) === text) return;
    const file = join(this.root, path);
    const fresh = join(this.root, `.${process.pid}.new`);
    attempt(file, () => {
      if (!this.last.has(path)) makeFolder(dirname(file));
      writeFileSync(fresh, text);
      renameSync(fresh, file);
    });
    this.last.set(path, text);
  }
}

/** A file that stays the same one, because it is mounted over another; its text keeps its length. */
export class PinnedFile {
  private readonly fd: number;
  private length = 0;

  constructor(file: string) {
    makeFolder(dirname(file));
    this.fd = attempt(file, () => openSync(file, 'w'));
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    writeSync(this.fd, bytes, 0, bytes.length, 0);
    if (bytes.length < this.length) ftruncateSync(this.fd, bytes.length);
    this.length = bytes.length;
  }

  close(): void {
    closeSync(this.fd);
  }
}

function attempt<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`${printable(file)}: cannot be written (${code ?? String(error)})`);
  }
}
