/** JSON lines: the first says what is traced, then a line a record with its words as they are. */
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { decimal, Phrase, Printer } from './phrase.ts';
import { Text } from './text.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

export class JsonLinesWriter implements TraceWriter {
  readonly record: TakeRow;
  private readonly out = new Text();

  constructor(
    host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const { out } = this;
    const { kind, scenario, seed, system, cpus, domains, vcpus, exits } = host;
    const names = vcpus.map((v) => v.name);
    out.text(
      `${JSON.stringify({ kind, scenario, seed, system, cpus, domains, vcpus: names, exits: Object.fromEntries(exits) })}\n`,
    );
    const lines = host.points.map(({ name, args }) => new Printer(lineOf(name, args)));
    this.record = (rows, at) => {
      lines[rows[at + ROW.point]!]!.print(out, rows, at, []);
      out.spill(files);
    };
  }

  flush(): void {}

  end(): void {
    this.out.handOver(this.files);
  }
}

function lineOf(name: string, args: readonly string[]): Phrase {
  const event = `,"event":${JSON.stringify(name)},"journey":`;
  const keys = args.map((arg, i) => `${i ? ',' : ',"args":{'}${JSON.stringify(arg)}:`);
  const end = args.length > 0 ? '}}\n' : ',"args":{}}\n';
  const { time, cpu, journey } = ROW;
  return new Phrase(
    ['{"time":', ',"cpu":', event, ...keys, end],
    [time, cpu, journey, ...args.map((_, i) => ROW.args + i)].map((place) => decimal(place)),
  );
}
