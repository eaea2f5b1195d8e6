/** Where a trace goes: standard output, a file that is there when it is whole, or files in a directory. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, parse } from 'node:path';
import type { TraceFiles } from '../../engine/index.ts';
import { type Output, OutputError } from '../output.ts';
import { printable, UsageError } from '../usage.ts';

const CHUNK = 1 << 20;

type Step = { readonly bytes: Uint8Array; readonly file: string } | { readonly heap: number };

/** Of several files the one that is the trace itself. */
const MAIN = '';

/** Takes what a writer gives and writes it when asked to. */
export class TraceSink implements TraceFiles {
  private steps: Step[] = [];
  private heaps: { readonly fd: number; size: number }[] = [];
  private dir: string | undefined;
  private readonly target: Target;
  private readonly forget = () => this.drop();

  /** @throws UsageError if nothing can be written there */
  constructor(out: Output, file: string | undefined, directory: boolean) {
    if (file === undefined) this.target = new Standard(out);
    else this.target = directory ? new Directory(file) : new File(file);
    process.once('exit', this.forget);
  }

  append(bytes: Uint8Array, file = MAIN): void {
    if (bytes.length > 0) this.steps.push({ bytes, file });
  }

  keep(heap: number, bytes: Uint8Array): void {
    const kept = this.heap(heap);
    writeAll(kept.fd, bytes);
    kept.size += bytes.length;
  }

  kept(heap: number): number {
    return this.heap(heap).size;
  }

  appendKept(heap: number): void {
    this.steps.push({ heap });
  }

  /** Everything that was given so far is written. */
  async flush(): Promise<void> {
    const { steps } = this;
    this.steps = [];
    for (const step of steps) {
      if ('bytes' in step) await this.target.write(step.bytes, step.file);
      else await this.copy(this.heap(step.heap));
    }
  }

  /** The trace is whole. */
  async close(): Promise<void> {
    await this.flush();
    this.target.done();
    this.dropHeaps();
    process.off('exit', this.forget);
  }

  /** It comes to nothing: no part of it stays. */
  drop(): void {
    this.target.drop();
    this.dropHeaps();
    process.off('exit', this.forget);
  }

  private heap(heap: number) {
    this.dir ??= mkdtempSync(join(tmpdir(), 'virqtop-trace-'));
    this.heaps[heap] ??= { fd: openSync(join(this.dir, String(heap)), 'wx+', 0o600), size: 0 };
    return this.heaps[heap]!;
  }

  private async copy({ fd, size }: { readonly fd: number; readonly size: number }): Promise<void> {
    for (let at = 0; at < size; ) {
      const chunk = new Uint8Array(Math.min(CHUNK, size - at));
      const n = readSync(fd, chunk, 0, chunk.length, at);
      await this.target.write(chunk.subarray(0, n), MAIN);
      at += n;
    }
  }

  private dropHeaps(): void {
    for (const kept of this.heaps) if (kept) closeSync(kept.fd);
    this.heaps = [];
    if (this.dir !== undefined) rmSync(this.dir, { recursive: true, force: true });
    this.dir = undefined;
  }
}

interface Target {
  write(bytes: Uint8Array, file: string): Promise<void> | void;
  done(): void;
  drop(): void;
}

/** What comes beside the trace has no place there. */
class Standard implements Target {
  constructor(private readonly out: Output) {}

  async write(bytes: Uint8Array, file: string): Promise<void> {
    if (file === MAIN) await this.out.write(bytes);
  }

  done(): void {}
  drop(): void {}
}

/** Written beside the name that it gets in the end; a device or a pipe is written to as it is. */
class File implements Target {
  private readonly open = new Map<string, { readonly fd: number; readonly part: string | undefined }>();

  constructor(private readonly name: string) {
    if (name === '') throw new UsageError('-o: the name of a file is empty');
    this.fileOf(this.path(MAIN));
  }

  write(bytes: Uint8Array, file: string): void {
    writeAll(this.fileOf(this.path(file)).fd, bytes);
  }

  done(): void {
    for (const [path, { fd, part }] of this.open) {
      closeSync(fd);
      if (part !== undefined) renameSync(part, path);
    }
    this.open.clear();
  }

  drop(): void {
    for (const { fd, part } of this.open.values()) {
      closeSync(fd);
      if (part !== undefined) rmSync(part, { force: true });
    }
    this.open.clear();
  }

  /** `trace.vcd`, and beside it `trace.gtkw`. */
  private path(file: string): string {
    if (file === MAIN) return this.name;
    const { dir, name } = parse(this.name);
    return join(dir, `${name}.${file}`);
  }

  private fileOf(path: string) {
    let open = this.open.get(path);
    if (open) return open;
    const special = statSync(path, { throwIfNoEntry: false });
    const direct = special !== undefined && !special.isFile();
    const part = direct ? undefined : join(dirname(path), `.virqtop-${randomBytes(6).toString('hex')}`);
    open = { fd: openedFor(path, () => openSync(part ?? path, part ? 'wx' : 'w')), part };
    this.open.set(path, open);
    return open;
  }
}

/** A new or empty directory; what it gets is in it from the start. */
class Directory implements Target {
  private readonly open = new Map<string, number>();
  private readonly made: boolean;

  constructor(private readonly name: string) {
    if (name === '') throw new UsageError('-o: the name of a directory is empty');
    const there = statSync(name, { throwIfNoEntry: false });
    if (there && !there.isDirectory()) throw new UsageError(`${printable(name)}: is a file, not a directory`);
    if (there && openedFor(name, () => readdirSync(name)).length > 0) {
      throw new UsageError(`${printable(name)}: the directory is not empty`);
    }
    this.made = !there;
    if (!there) openedFor(name, () => mkdirSync(name));
  }

  write(bytes: Uint8Array, file: string): void {
    let fd = this.open.get(file);
    if (fd === undefined) {
      fd = openedFor(this.name, () => openSync(join(this.name, file), 'wx'));
      this.open.set(file, fd);
    }
    writeAll(fd, bytes);
  }

  done(): void {
    for (const fd of this.open.values()) closeSync(fd);
    this.open.clear();
  }

  drop(): void {
    const files = [...this.open.keys()];
    this.done();
    for (const file of files) rmSync(join(this.name, file), { force: true });
    if (this.made) rmSync(this.name, { recursive: true, force: true });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such directory',
  ENOTDIR: 'no such directory',
  EISDIR: 'is a directory, not a file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'the name is too long',
};

function openedFor<T>(name: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UsageError(`${printable(name)}: ${REASONS[code] ?? `cannot be written (${code})`}`);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  } catch (error) {
    throw new OutputError(`cannot write the trace: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
}
