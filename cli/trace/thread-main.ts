/** The thread that writes a trace: what thread.ts starts. */
import { parentPort, workerData } from 'node:worker_threads';
import { LaneEnd, TRACE_FORMATS, WriterHere } from '../../engine/exchange.ts';
import { OutputError, ReaderGone } from '../output.ts';
import { UsageError } from '../usage.ts';
import { TraceSink } from './files.ts';
import { FATE, type FromThread, type ThreadData, type ToThread } from './thread.ts';

const { to, directory, fate } = workerData as ThreadData;
const port = parentPort!;

let sink: TraceSink | undefined;

function say(message: FromThread): void {
  port.postMessage(message);
}

const dropped = () => Atomics.load(fate, FATE.drop) !== 0;

async function take(message: ToThread): Promise<void> {
  if (!sink) return;
  if (message.kind === 'begin') write(message, sink);
  else if (message.kind === 'close') {
    await sink.close();
    say({ kind: 'done' });
    port.close();
  }
}

/** From the trace's beginning to its end, or until all comes to nothing: nobody else has work for this thread meanwhile. */
function write({ format, host, memory }: ToThread & { kind: 'begin' }, files: TraceSink): void {
  const { make } = TRACE_FORMATS.find(({ name }) => name === format)!;
  const writer = new WriterHere(host, (told) => make(told, files));
  const lane = new LaneEnd(memory);
  for (;;) {
    const { woken } = lane;
    if (dropped()) return;
    lane.take(writer.take);
    if (writer.ended) return;
    lane.wait(woken);
  }
}

/** No part of it stays. */
function drop(): void {
  sink?.drop();
  sink = undefined;
  Atomics.store(fate, FATE.dropped, 1);
  Atomics.notify(fate, FATE.dropped);
}

/** What is not an error of this program is said. */
function fail(error: unknown): void {
  drop();
  const known = error instanceof UsageError || error instanceof OutputError || error instanceof ReaderGone;
  if (!known) throw error;
  say({ kind: 'failed', error: error.name, message: error.message });
  port.close();
}

port.on('message', (message: ToThread) => {
  if (!dropped()) {
    take(message).catch(fail);
    return;
  }
  drop();
  port.close();
});

try {
  sink = new TraceSink(typeof to === 'string' ? to : { fd: to, over: dropped }, directory);
  say({ kind: 'done' });
} catch (error) {
  fail(error);
}
