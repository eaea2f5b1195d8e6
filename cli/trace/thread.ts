/**
 * Writes a trace in a thread of its own, while the machine runs in this one: with two processors at hand a run that is
 * written takes hardly longer than one that is not. The bytes are the same.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import {
  DriverNames,
  followerFor,
  type LaneMemory,
  LaneStart,
  laneMemory,
  type ToldHost,
  type TraceFollower,
  type TraceFormat,
  type TraceHost,
  toldHost,
  WriterElsewhere,
} from '../../engine/exchange.ts';
import { OutputError, ReaderGone } from '../output.ts';
import { UsageError } from '../usage.ts';
import type { Destination } from './destination.ts';

/** the file that thread-main.ts becomes, beside the one that this becomes; there is none beside the sources */
const PROGRAM = new URL('./trace-thread.mjs', import.meta.url);
/** rows that it may have to write before the machine waits: it is slower in the beginning */
const WAITING = 1 << 18;
/** as long as which the machine waits at a time */
const PAUSE_MS = 1;
/** how long it may take to remove what was begun */
const PATIENCE_MS = 3000;

/** What the thread begins with. */
export interface ThreadData {
  /** a file's name, or the descriptor of standard output */
  readonly to: string | number;
  readonly directory: boolean;
  /** the first word: whether all comes to nothing; the second: whether it has */
  readonly fate: Int32Array;
}

export const FATE = { drop: 0, dropped: 1 } as const;

/** what goes wrong there and is said here: each is made of its message */
const ERRORS = { UsageError, OutputError, ReaderGone } as const;

export type ToThread =
  | { readonly kind: 'begin'; readonly format: string; readonly host: ToldHost; readonly memory: LaneMemory }
  | { readonly kind: 'close' | 'drop' };

export type FromThread =
  /** what has been asked for is done: the file is open, or closed */
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: keyof typeof ERRORS; readonly message: string };

export class WriterThread implements Destination {
  private readonly fate = new Int32Array(new SharedArrayBuffer(8));
  private readonly worker: Worker;
  private readonly memory = laneMemory();
  private readonly lane = new LaneStart(this.memory);
  private done = false;
  private failed: Error | undefined;
  private wake: () => void = () => {};
  private readonly forget = () => this.drop();

  private constructor(to: string | number, directory: boolean) {
    const workerData: ThreadData = { to, directory, fate: this.fate };
    this.worker = new Worker(PROGRAM, { workerData });
    this.worker.on('message', (message: FromThread) => {
      this.take(message);
      this.wake();
    });
    this.worker.on('error', (error) => this.fail(error));
    this.worker.on('exit', () => this.fail(new Error('the thread that writes the trace has ended')));
    process.once('exit', this.forget);
  }

  /** It can be started, and has a processor. */
  static get possible(): boolean {
    return availableParallelism() > 1 && existsSync(PROGRAM);
  }

  /** @throws UsageError if nothing can be written there */
  static async open(to: string | number, directory: boolean): Promise<WriterThread> {
    const thread = new WriterThread(to, directory);
    await thread.isDone();
    return thread;
  }

  writer(format: TraceFormat, host: TraceHost): TraceFollower {
    const { name, looks = false } = format;
    this.post({ kind: 'begin', format: name, host: toldHost(host, looks), memory: this.memory });
    const names = looks ? undefined : new DriverNames(host);
    return followerFor(format, host, new WriterElsewhere(this.lane, names));
  }

  async flush(): Promise<void> {
    await this.goneOn(WAITING);
  }

  /** The thread has so little left to do, at most. */
  private async goneOn(left: number): Promise<void> {
    while (!this.failed && this.lane.behind(left))
      await Promise.race([setTimeout(PAUSE_MS), this.something()]);
    if (this.failed) throw this.failed;
  }

  async close(): Promise<void> {
    await this.goneOn(0);
    this.post({ kind: 'close' });
    await this.isDone();
    process.off('exit', this.forget);
  }

  /** Waits until nothing is left of it, as the process may be about to end. */
  drop(): void {
    process.off('exit', this.forget);
    if (this.failed) return;
    Atomics.store(this.fate, FATE.drop, 1);
    this.lane.wake();
    this.post({ kind: 'drop' });
    Atomics.wait(this.fate, FATE.dropped, 0, PATIENCE_MS);
  }

  private post(message: ToThread): void {
    this.worker.postMessage(message);
  }

  private take(message: FromThread): void {
    if (message.kind === 'done') this.done = true;
    else this.fail(new ERRORS[message.error](message.message));
  }

  /** The first that goes wrong counts. */
  private fail(error: Error): void {
    this.failed ??= error;
    this.wake();
  }

  private async isDone(): Promise<void> {
    this.done = false;
    while (!this.done) {
      if (this.failed) throw this.failed;
      await this.something();
    }
  }

  /** It says something, or it ends. */
  private something(): Promise<void> {
    return new Promise((wake) => {
      this.wake = wake;
    });
  }
}
