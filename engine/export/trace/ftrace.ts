/** The text of tracefs's file `trace`: a line an event, times in microseconds. */
import type { Ns } from '../../core/clock.ts';
import { ROW, type TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { Label, putLabel } from './bytes.ts';
import { six } from './digits.ts';
import { EventStream } from './events.ts';
import { Printer } from './phrase.ts';
import { Text } from './text.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

const WHO = 16;
const SECOND: Ns = 1e9;
/** of eight bytes, in the head of a line if no name is too long */
const HEAD = 6;

export class FtraceWriter implements TraceWriter {
  readonly record: TakeRow;
  private readonly out = new Text();
  private readonly who = new Map<number, string>();

  constructor(
    host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const { out, who } = this;
    const stream = new EventStream(host, ({ id }, { rows, at, cpu, pid, values, base, strings }) => {
      const line = lines[cpu]!;
      const time = rows[at + ROW.time]!;
      if (line.pid !== pid || time < line.second || time >= line.second + SECOND) this.begin(line, pid, time);
      const printer = printers[id]!;
      const view = out.viewFor(line.room + printer.room(strings));
      const micros = ((time - line.second) / 1000) | 0;
      const place = six(view, putHead(view, out.length, line.head), micros);
      out.length = printer.write(view, place, values, base, strings);
      out.spill(files);
    });
    const lines = Array.from({ length: stream.cpus }, (_, cpu) => new CpuLine(cpu));
    /** by the events' ids */
    const printers: Printer[] = [];
    for (const { id, name, text } of stream.types)
      printers[id] = new Printer(text.within(`: ${name}: `, '\n'));
    const name = (pid: number, comm: string) => `${comm.padStart(WHO)}-${String(pid).padEnd(7)}`;
    who.set(0, name(0, '<idle>'));
    for (const [pid, comm] of stream.names()) who.set(pid, name(pid, comm));
    this.record = stream.record;
    out.text(headerOf(host));
  }

  /** Another task on the CPU, or another second. */
  private begin(line: CpuLine, pid: number, time: Ns): void {
    const second = Math.floor(time / SECOND);
    if (line.second !== second * SECOND) line.heads.clear();
    line.second = second * SECOND;
    line.pid = pid;
    let head = line.heads.get(pid);
    if (!head) {
      const cpu = String(line.cpu).padStart(3, '0');
      head = new Label(`${this.who.get(pid)} [${cpu}] d.... ${String(second).padStart(5)}.`);
      line.heads.set(pid, head);
    }
    line.head = head;
    line.room = head.eights.length * 8 + 8;
  }

  flush(): void {}

  end(): void {
    this.out.handOver(this.files);
  }
}

/** How the lines of a CPU begin, up to the seconds; microseconds are those of the local clock, cut off behind the point. */
class CpuLine {
  second: Ns = -SECOND;
  pid = -1;
  head = new Label('');
  /** bytes that it takes at most, and the microseconds */
  room = 0;
  /** of this second, by pid */
  readonly heads = new Map<number, Label>();

  constructor(readonly cpu: number) {}
}

/** As putLabel does. */
function putHead(view: DataView, at: number, head: Label): number {
  const { eights, length } = head;
  if (eights.length !== HEAD) return putLabel(view, at, head);
  view.setFloat64(at, eights[0]!, true);
  view.setFloat64(at + 8, eights[1]!, true);
  view.setFloat64(at + 16, eights[2]!, true);
  view.setFloat64(at + 24, eights[3]!, true);
  view.setFloat64(at + 32, eights[4]!, true);
  view.setFloat64(at + 40, eights[5]!, true);
  return at + length;
}

function headerOf({ scenario, seed, system, cpus }: TraceHost): string {
  return `# tracer: nop
#
# virqtop: ${scenario}, seed ${seed}, ${system}; CPU ${cpus} stands for what is outside of the CPUs
#
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
`;
}
