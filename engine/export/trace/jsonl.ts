/** JSON lines: the first says what is traced, then a line a record with its words as they are. */
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { encode } from './bytes.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

export class JsonLinesWriter implements TraceWriter {
  readonly record: TakeRow;
  private text: string;

  constructor(
    host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const { kind, scenario, seed, system, cpus, domains, vcpus, exits } = host;
    const names = vcpus.map((v) => v.name);
    this.text = `${JSON.stringify({ kind, scenario, seed, system, cpus, domains, vcpus: names, exits: Object.fromEntries(exits) })}\n`;
    const heads = host.points.map(({ name }) => `,"event":${JSON.stringify(name)},"journey":`);
    const keys = host.points.map(({ args }) =>
      args.map((arg, i) => `${i ? ',' : ',"args":{'}${JSON.stringify(arg)}:`),
    );
    const ends = host.points.map(({ args }) => (args.length > 0 ? '}}\n' : ',"args":{}}\n'));
    this.record = (rows, at) => {
      const point = rows[at + ROW.point]!;
      const words = keys[point]!;
      let line = `{"time":${rows[at]},"cpu":${rows[at + ROW.cpu]}${heads[point]!}${rows[at + ROW.journey]}`;
      for (let i = 0; i < words.length; i++) line += words[i]! + rows[at + ROW.args + i]!;
      this.text += line + ends[point]!;
    };
  }

  flush(): void {
    if (this.text === '') return;
    this.files.append(encode(this.text));
    this.text = '';
  }

  end(): void {
    this.flush();
  }
}
