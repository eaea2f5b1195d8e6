/** The thread that writes a trace: what thread.ts starts. */
import { parentPort, workerData } from 'node:worker_threads';
import { PieceReader, TRACE_FORMATS } from '../../engine/exchange.ts';
import { OutputError } from '../output.ts';
import { UsageError } from '../usage.ts';
import { TraceSink } from './files.ts';
import { FATE, type FromThread, type ThreadData, type ToThread } from './thread.ts';

const { file, directory, fate } = workerData as ThreadData;
const port = parentPort!;

let sink: TraceSink | undefined;
let reader: PieceReader | undefined;

function say(message: FromThread, ...transfer: ArrayBuffer[]): void {
  port.postMessage(message, transfer);
}

async function take(message: ToThread): Promise<void> {
  if (!sink) return;
  const { kind } = message;
  if (kind === 'begin') {
    const { make } = TRACE_FORMATS.find(({ name }) => name === message.format)!;
    const files = sink;
    reader = new PieceReader(message.host, (host) => make(host, files));
  } else if (kind === 'piece') {
    const { piece } = message;
    reader!.take(piece);
    say({ kind: 'back', rows: piece.rows }, piece.rows.buffer as ArrayBuffer);
  } else if (kind === 'close') {
    await sink.close();
    say({ kind: 'done' });
    port.close();
  }
}

/** No part of it stays. */
function drop(): void {
  sink?.drop();
  sink = undefined;
  Atomics.store(fate, FATE.dropped, 1);
  Atomics.notify(fate, FATE.dropped);
}

/** What is the user's to mend is said; everything else is an error of this program. */
function fail(error: unknown): void {
  drop();
  if (!(error instanceof UsageError || error instanceof OutputError)) throw error;
  say({ kind: 'failed', error: error.name, message: error.message });
  port.close();
}

port.on('message', (message: ToThread) => {
  if (Atomics.load(fate, FATE.drop) === 0) {
    take(message).catch(fail);
    return;
  }
  drop();
  port.close();
});

try {
  sink = new TraceSink(file, directory);
  say({ kind: 'done' });
} catch (error) {
  fail(error);
}
