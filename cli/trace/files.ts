/** Where a trace goes: standard output, a file that is there when it is whole, or files in a directory. */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, parse } from 'node:path';
import {
  type TraceFiles,
  type TraceFollower,
  type TraceFormat,
  type TraceHost,
  writing,
} from '../../engine/exchange.ts';
import { Output } from '../output.ts';
import { printable, UsageError } from '../usage.ts';
import { Chunks, chunksTo, piecesOf, writeAll, writeOutput } from './chunks.ts';
import type { Destination } from './destination.ts';

/** Of several files the one that is the trace itself. */
const MAIN = '';
/** A heap of what follows the head, beside those that are numbered from 0 on. */
const BODY = -1;

/** What is kept for later, in a file that nobody else sees. */
interface Heap {
  readonly fd: number;
  readonly chunks: Chunks;
  size: number;
}

/** Standard output, for a thread that does nothing but write. */
export interface Descriptor {
  readonly fd: number;
  /** nothing more is wanted */
  readonly over: () => boolean;
}

/** Takes what a writer gives. */
export class TraceSink implements TraceFiles, Destination {
  private readonly heaps = new Map<number, Heap>();
  /** its head is to come, and nothing can be written before that */
  private headless = false;
  private dir: string | undefined;
  private readonly target: Target;
  private readonly forget = () => this.drop();

  /** @throws UsageError if nothing can be written there */
  constructor(to: string | Output | Descriptor, directory: boolean) {
    if (typeof to !== 'string') this.target = to instanceof Output ? new Standard(to) : new Through(to);
    else this.target = directory ? new Directory(to) : new File(to);
    process.once('exit', this.forget);
  }

  writer(format: TraceFormat, host: TraceHost): TraceFollower {
    return writing(format, host, this);
  }

  append(bytes: Uint8Array, file = MAIN): void {
    if (this.headless && file === MAIN) this.keep(BODY, bytes);
    else this.target.append(bytes, file);
  }

  headLater(size: number): void {
    this.headless = !this.target.skip(size);
  }

  head(bytes: Uint8Array): void {
    if (!this.headless) {
      this.target.fill(bytes);
      return;
    }
    this.headless = false;
    this.append(bytes);
    this.appendKept(BODY);
  }

  keep(heap: number, bytes: Uint8Array): void {
    const kept = this.heap(heap);
    kept.chunks.append(bytes);
    kept.size += bytes.length;
  }

  kept(heap: number): number {
    return this.heaps.get(heap)?.size ?? 0;
  }

  appendKept(heap: number): void {
    const kept = this.heaps.get(heap);
    if (!kept) return;
    kept.chunks.flush();
    this.target.appendFile(kept.fd);
  }

  async flush(): Promise<void> {
    await this.target.flush();
  }

  async close(): Promise<void> {
    await this.target.done();
    this.dropHeaps();
    process.off('exit', this.forget);
  }

  drop(): void {
    this.target.drop();
    this.dropHeaps();
    process.off('exit', this.forget);
  }

  private heap(heap: number): Heap {
    let kept = this.heaps.get(heap);
    if (kept) return kept;
    this.dir ??= mkdtempSync(join(tmpdir(), 'virqtop-trace-'));
    const fd = openSync(join(this.dir, String(heap)), 'wx+', 0o600);
    kept = { fd, chunks: chunksTo(fd), size: 0 };
    this.heaps.set(heap, kept);
    return kept;
  }

  private dropHeaps(): void {
    for (const { fd } of this.heaps.values()) closeSync(fd);
    this.heaps.clear();
    if (this.dir !== undefined) rmSync(this.dir, { recursive: true, force: true });
    this.dir = undefined;
  }
}

interface Target {
  append(bytes: Uint8Array, file: string): void;
  /** Leaves so many bytes free at the beginning of the trace; false if it cannot come back to them. */
  skip(size: number): boolean;
  fill(bytes: Uint8Array): void;
  /** The next bytes of the trace itself are those of that file. */
  appendFile(fd: number): void;
  flush(): Promise<void> | void;
  done(): Promise<void> | void;
  drop(): void;
}

/** Standard output: nobody comes back to what has been written, and what comes beside the trace has no place there. */
abstract class OneWay implements Target {
  private readonly chunks = new Chunks((bytes) => this.put(bytes));

  protected abstract put(bytes: Uint8Array): void;

  append(bytes: Uint8Array, file: string): void {
    if (file === MAIN) this.chunks.append(bytes);
  }

  skip(): boolean {
    return false;
  }

  fill(): void {}

  appendFile(fd: number): void {
    for (const bytes of piecesOf(fd)) this.append(bytes, MAIN);
  }

  flush(): Promise<void> | void {}

  done(): Promise<void> | void {
    this.chunks.flush();
  }

  drop(): void {}
}

/** At the reader's pace: what comes in between waits. */
class Standard extends OneWay {
  private waiting: Iterable<Uint8Array>[] = [];

  constructor(private readonly out: Output) {
    super();
  }

  protected override put(bytes: Uint8Array): void {
    this.waiting.push([bytes.slice()]);
  }

  override appendFile(fd: number): void {
    super.done();
    this.waiting.push(piecesOf(fd));
  }

  override async flush(): Promise<void> {
    const { waiting } = this;
    this.waiting = [];
    for (const pieces of waiting) for (const bytes of pieces) await this.out.write(bytes);
  }

  override async done(): Promise<void> {
    super.done();
    await this.flush();
  }
}

/** By a thread that may wait for the reader. */
class Through extends OneWay {
  constructor(private readonly to: Descriptor) {
    super();
  }

  protected override put(bytes: Uint8Array): void {
    writeOutput(this.to.fd, bytes, this.to.over);
  }
}

interface OpenFile {
  readonly fd: number;
  readonly chunks: Chunks;
  /** its name until it is whole; undefined: its own */
  readonly part: string | undefined;
}

/** Written beside the name that it gets in the end; a device or a pipe is written to as it is. */
class File implements Target {
  private readonly open = new Map<string, OpenFile>();

  constructor(private readonly name: string) {
    if (name === '') throw new UsageError('-o: the name of a file is empty');
    this.fileOf(this.path(MAIN));
  }

  append(bytes: Uint8Array, file: string): void {
    this.fileOf(this.path(file)).chunks.append(bytes);
  }

  skip(size: number): boolean {
    const { part, chunks } = this.fileOf(this.name);
    if (part === undefined) return false;
    chunks.append(new Uint8Array(size));
    return true;
  }

  fill(bytes: Uint8Array): void {
    const { fd, chunks } = this.fileOf(this.name);
    chunks.flush();
    writeAll(fd, bytes, 0);
  }

  appendFile(fd: number): void {
    for (const bytes of piecesOf(fd)) this.append(bytes, MAIN);
  }

  flush(): void {}

  done(): void {
    for (const { chunks } of this.open.values()) chunks.flush();
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

  private fileOf(path: string): OpenFile {
    let open = this.open.get(path);
    if (open) return open;
    const special = statSync(path, { throwIfNoEntry: false });
    const direct = special !== undefined && !special.isFile();
    const part = direct ? undefined : join(dirname(path), `.virqtop-${randomBytes(6).toString('hex')}`);
    const fd = openedFor(path, () => openSync(part ?? path, part ? 'wx' : 'w'));
    open = { fd, chunks: chunksTo(fd), part };
    this.open.set(path, open);
    return open;
  }
}

/** A new or empty directory; what it gets is in it from the start. */
class Directory implements Target {
  private readonly open = new Map<string, Omit<OpenFile, 'part'>>();
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

  append(bytes: Uint8Array, file: string): void {
    let open = this.open.get(file);
    if (!open) {
      const fd = openedFor(this.name, () => openSync(join(this.name, file), 'wx'));
      open = { fd, chunks: chunksTo(fd) };
      this.open.set(file, open);
    }
    open.chunks.append(bytes);
  }

  skip(): boolean {
    return false;
  }

  fill(): void {}

  appendFile(fd: number): void {
    for (const bytes of piecesOf(fd)) this.append(bytes, MAIN);
  }

  flush(): void {}

  done(): void {
    for (const { chunks } of this.open.values()) chunks.flush();
    this.close();
  }

  drop(): void {
    const files = [...this.open.keys()];
    this.close();
    for (const file of files) rmSync(join(this.name, file), { force: true });
    if (this.made) rmSync(this.name, { recursive: true, force: true });
  }

  private close(): void {
    for (const { fd } of this.open.values()) closeSync(fd);
    this.open.clear();
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
