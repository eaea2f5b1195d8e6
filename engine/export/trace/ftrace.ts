/** The text of tracefs's file `trace`: a line an event, times in microseconds. */
import type { Ns } from '../../core/clock.ts';
import type { TakeRow } from '../../core/trace.ts';
import type { TraceHost } from '../../snapshot.ts';
import { encode } from './bytes.ts';
import { EventStream } from './events.ts';
import type { TraceFiles, TraceWriter } from './writer.ts';

const WHO = 16;
const MICRO = 1_000_000;

export class FtraceWriter implements TraceWriter {
  readonly record: TakeRow;
  private text: string;
  /** seconds as they are printed, and what second that is */
  private second = -1;
  private seconds = '';

  constructor(
    host: TraceHost,
    private readonly files: TraceFiles,
  ) {
    const who = new Map<number, string>();
    const stream = new EventStream(host, (type, event) => {
      const { pid, cpu } = event;
      if (on[cpu] !== pid) {
        on[cpu] = pid;
        heads[cpu] = `${who.get(pid)} [${String(cpu).padStart(3, '0')}] d.... `;
      }
      const { name, text } = type;
      this.text += `${heads[cpu]!}${this.stamp(event.time)}: ${name}: ${text(event.values, event.strings)}\n`;
    });
    /** by CPU: who was on it last, and how its lines began */
    const on: number[] = new Array(stream.cpus).fill(-1);
    const heads: string[] = new Array(stream.cpus).fill('');
    const name = (pid: number, comm: string) => `${comm.padStart(WHO)}-${String(pid).padEnd(7)}`;
    who.set(0, name(0, '<idle>'));
    for (const [pid, comm] of stream.comms()) who.set(pid, name(pid, comm));
    this.record = stream.record;
    this.text = headerOf(host);
  }

  /** Seconds and microseconds, as the local clock's; the fraction of a microsecond is cut off. */
  private stamp(time: Ns): string {
    const us = Math.floor(time / 1000);
    const second = Math.floor(us / MICRO);
    if (second !== this.second) {
      this.second = second;
      this.seconds = `${String(second).padStart(5)}.`;
    }
    return this.seconds + String(us - second * MICRO + MICRO).slice(1);
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
