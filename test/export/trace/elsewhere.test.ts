/** A writer elsewhere gives the bytes that one beside the machine gives. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  DriverNames,
  followerFor,
  LaneEnd,
  LaneStart,
  laneMemory,
  TRACE_FORMATS,
  TraceExporter,
  type TraceFiles,
  type TraceFollower,
  type TraceFormat,
  type TraceHost,
  toldHost,
  traceHost,
  WriterElsewhere,
  WriterHere,
  writing,
} from '../../../engine/exchange.ts';
import { buildMachine, builtinScenario } from '../../../engine/index.ts';
import { together } from '../../support/followers.ts';

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

/** What is given to it goes through what two threads can share only. */
function elsewhere(format: TraceFormat, host: TraceHost, files: TraceFiles): TraceFollower {
  const { looks = false } = format;
  const memory = laneMemory(1024);
  const writer = new WriterHere(structuredClone(toldHost(host, looks)), (told) => format.make(told, files));
  const end = new LaneEnd(memory);
  const start = new (class extends LaneStart {
    override wake(): void {
      end.take(writer.take);
    }
  })(memory);
  return followerFor(format, host, new WriterElsewhere(start, looks ? undefined : new DriverNames(host)));
}

/** All formats, from boot on. */
function written(
  scenario: string,
  make: (format: TraceFormat, host: TraceHost, files: TraceFiles) => TraceFollower,
): [name: string, bytes: number, digest: string][] {
  const machine = buildMachine(builtinScenario(scenario)!, 42);
  const host = traceHost(machine);
  const formats = TRACE_FORMATS.filter((format) => !format.refuses?.(host));
  const files = formats.map(() => new Digest());
  const followers = formats.map((format, i) => make(format, host, files[i]!));
  const exporter = new TraceExporter(machine.shop.trace, machine.clock, together(followers));
  for (let now = 20e6; now <= 120e6; now += 20e6) {
    machine.runUntil(now);
    exporter.advance(now);
  }
  exporter.end(120e6);
  return formats.map(({ name }, i) => [name, files[i]!.bytes, files[i]!.text()]);
}

test.each(['kvm', 'xen-mixed'])('%s, from boot on: every format', (scenario) => {
  const here = written(scenario, writing);
  expect(here.filter(([, bytes]) => bytes < 10_000)).toEqual([]);
  expect(written(scenario, elsewhere)).toEqual(here);
});
