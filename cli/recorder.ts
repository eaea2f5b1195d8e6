/**
 * --record: what is done to the machine, written down line by line as it is done, so that what there is of the file
 * can be replayed whatever ends the program.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { type Done, type Machine, type Place, type RecordingHead, recordingLine } from '../engine/index.ts';
import type { Scribe } from '../tui/journal.ts';
import { whyNotWritten } from './files.ts';
import { printable, RunError, UsageError } from './usage.ts';
import { VERSION } from './version.ts';

export class Recorder implements Scribe {
  private fd = -1;

  /** @param settled what the options have done to the machine already */
  constructor(
    private readonly file: string,
    private readonly scenario: RecordingHead['scenario'],
    private readonly machine: Machine,
    private readonly settled: readonly Done[] = [],
  ) {}

  /** All is well so far: the run begins. @throws UsageError where it cannot be written */
  begin(): void {
    const { file, scenario, settled, machine } = this;
    try {
      this.fd = openSync(file, 'w');
    } catch (error) {
      throw new UsageError(`--record ${printable(file)}: ${whyNotWritten(error)}`);
    }
    this.write(recordingLine.head({ virqtop: VERSION, scenario, seed: machine.seed }));
    for (const done of settled) this.did(done);
  }

  did(done: Done): void {
    this.write(recordingLine.command(done, done.command));
  }

  wentBack(to: Place & { readonly done: number }): void {
    this.write(recordingLine.back(to, this.settled.length + to.done));
  }

  /** The run ends here. */
  end(place: Place): void {
    this.write(recordingLine.end(place));
    closeSync(this.fd);
  }

  private write(line: string): void {
    try {
      writeSync(this.fd, `${line}\n`);
    } catch (error) {
      throw new RunError(`--record ${printable(this.file)}: ${whyNotWritten(error)}`);
    }
  }
}
