/** The second door to the engine: files that other tools wrote or will read. A program that exchanges none loads none of it. */

export {
  DriverNames,
  type ToldHost,
  toldHost,
  WriterElsewhere,
  WriterHere,
} from './export/trace/elsewhere.ts';
export { TraceExporter, type TraceFollower } from './export/trace/exporter.ts';
export { followerFor, TRACE_FORMATS, type TraceFormat, writing } from './export/trace/formats.ts';
export { LaneEnd, type LaneMemory, LaneStart, laneMemory } from './export/trace/lane.ts';
export { ReplayTally, vectorKey } from './export/trace/replay-tally.ts';
export type { TraceFiles } from './export/trace/writer.ts';
export type { RecordedGuest, RecordedSource, Tally, TraceCapture } from './import/capture.ts';
export { EXIT_CLASSES, type ExitClass } from './import/exits.ts';
export { readTrace } from './import/import-trace.ts';
export { importHost } from './machine/build-import.ts';
export type { TraceHost } from './machine/inspect-trace.ts';
export { replayMachine } from './machine/replay/build.ts';
export { BEGIN as REPLAY_BEGIN } from './machine/replay/outside.ts';
export { traceHost } from './machine/trace-host.ts';
