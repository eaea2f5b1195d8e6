/** A writer elsewhere gives the bytes that one beside the machine gives. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  PieceReader,
  TRACE_FORMATS,
  TraceExporter,
  type TraceFiles,
  type TraceFormat,
  type TraceHost,
  type TraceWriter,
  toldHost,
  traceHost,
  WriterElsewhere,
} from '../../../engine/exchange.ts';
import { buildMachine, builtinScenario } from '../../../engine/index.ts';

/** All that is asked of it, in order. */
class Digest implements TraceFiles {
  private readonly hash = createHash('sha256');
  private readonly sizes: number[] = [];
  bytes = 0;

  append(bytes: Uint8Array, file = 'main'): void {
    this.bytes += bytes.length;
    this.hash.update(`append ${file}`).update(bytes);
  }

  headLater(size: number): void {
    this.hash.update(`later ${size}`);
  }

  head(bytes: Uint8Array): void {
    this.hash.update('head').update(bytes);
  }

  keep(heap: number, bytes: Uint8Array): void {
    this.sizes[heap] = this.kept(heap) + bytes.length;
    this.hash.update(`keep ${heap}`).update(bytes);
  }

  kept(heap: number): number {
    return this.sizes[heap] ?? 0;
  }

  appendKept(heap: number): void {
    this.bytes += this.kept(heap);
  }

  text(): string {
    return this.hash.digest('hex');
  }
}

/** What is given to it goes through what can be sent only; a piece's memory is used again. */
function elsewhere(format: TraceFormat, host: TraceHost, files: TraceFiles): TraceWriter {
  const reader = new PieceReader(structuredClone(toldHost(host)), (told) => format.make(told, files));
  let blank: Float64Array | undefined;
  return new WriterElsewhere(
    host,
    () => blank,
    (piece) => {
      const sent = structuredClone(piece, { transfer: [piece.rows.buffer as ArrayBuffer] });
      reader.take(sent);
      blank = sent.rows.fill(NaN);
    },
  );
}

for (const scenario of ['kvm', 'xen-mixed']) {
  test(`${scenario}, from boot on: every format that is written of records alone`, () => {
    const machine = buildMachine(builtinScenario(scenario)!, 42);
    const host = traceHost(machine);
    const pairs = TRACE_FORMATS.filter((format) => !format.looks && !format.refuses?.(host)).map((format) => {
      const [here, there] = [new Digest(), new Digest()];
      return { format, here, there, writers: [format.make(host, here), elsewhere(format, host, there)] };
    });
    const writers = pairs.flatMap((pair) => pair.writers);
    const exporter = new TraceExporter(machine.shop.trace, machine.clock, {
      record: (rows, at) => {
        for (const writer of writers) writer.record!(rows, at);
      },
      flush: (now) => {
        for (const writer of writers) writer.flush(now);
      },
      end: (now) => {
        for (const writer of writers) writer.end(now);
      },
    });
    for (let now = 20e6; now <= 120e6; now += 20e6) {
      machine.runUntil(now);
      exporter.advance(now);
    }
    exporter.end(120e6);
    for (const { format, here, there } of pairs) {
      expect([format.name, there.bytes > 10_000]).toEqual([format.name, true]);
      expect([format.name, there.text()]).toEqual([format.name, here.text()]);
    }
  });
}
