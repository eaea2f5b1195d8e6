/** The text of tracefs's file `trace`: a line an event, times in microseconds. */
import type { Ns } from '../../core/clock.ts';
import type { TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { encode } from './bytes.ts';
import { EventStream } from './events.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

const WHO = 16;

export class FtraceWriter implements TraceWriter {
  readonly record: TakeRow;
  private text: string;

  constructor(
    host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const who = new Map<number, string>();
    const stream = new EventStream(host, (type, event) => {
      const cpu = String(event.cpu).padStart(3, '0');
      this.text += `${who.get(event.pid)} [${cpu}] d.... ${stamp(event.time)}: ${type.name}: ${type.text(event.values, event.strings)}\n`;
    });
    const name = (pid: number, comm: string) => `${comm.padStart(WHO)}-${String(pid).padEnd(7)}`;
    who.set(0, name(0, '<idle>'));
    for (const [pid, comm] of stream.comms()) who.set(pid, name(pid, comm));
    this.record = stream.record;
    this.text = headerOf(host);
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

/** Seconds and microseconds, as the local clock's; the fraction of a microsecond is cut off. */
function stamp(time: Ns): string {
  const us = Math.floor(time / 1000);
  const rest = us % 1_000_000;
  return `${String((us - rest) / 1_000_000).padStart(5)}.${String(rest).padStart(6, '0')}`;
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
