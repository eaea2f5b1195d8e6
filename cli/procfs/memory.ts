/**
 * What a directory remembers of the run that filled it, so that the next one goes on where it ended: whoever reads the
 * counters never sees one go back. The machine itself is saved now and then; runs are the same each time, so that from
 * there it is simulated up to the moment that was shown last.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine, SavedMachine } from '../../engine/index.ts';
import type { Options } from '../options.ts';
import { printable, UsageError } from '../usage.ts';
import { VERSION } from '../version.ts';

const FOLDER = '.virqtop';

interface Saved {
  readonly version: string;
  readonly run: string;
  readonly machine: SavedMachine;
}

export class Memory {
  private readonly folder: string;
  private readonly run: string;

  constructor(
    root: string,
    private readonly machine: Machine,
    { fire = [], import: captures = [] }: Options,
  ) {
    this.folder = join(root, FOLDER);
    const { scenario, seed } = machine;
    this.run = createHash('sha256')
      .update(JSON.stringify([scenario, seed, fire, captures]))
      .digest('hex');
  }

  /**
   * Brings the machine back to where it was saved last.
   * @returns the simulated time that was shown last; undefined if this is the first run here
   * @throws UsageError if another run filled the directory
   */
  recall(): number | undefined {
    if (!existsSync(this.folder)) return undefined;
    try {
      const saved = JSON.parse(readFileSync(join(this.folder, 'machine'), 'utf8')) as Saved;
      if (saved.version === VERSION && saved.run === this.run) {
        this.machine.restore(saved.machine);
        return Math.max(this.machine.clock.now, this.shown());
      }
    } catch {
      // as good as another's
    }
    throw new UsageError(
      `${printable(this.folder)}: of another run; take another directory, or remove this one to begin anew`,
    );
  }

  /** The machine as it is now. */
  save(): void {
    const saved: Saved = { version: VERSION, run: this.run, machine: this.machine.save() };
    this.write('machine', JSON.stringify(saved));
  }

  /** Somebody may have seen the counters of this moment. */
  show(time: number): void {
    this.write('time', `${time}\n`);
  }

  private shown(): number {
    const time = Number(readFileSync(join(this.folder, 'time'), 'utf8'));
    return Number.isSafeInteger(time) ? time : 0;
  }

  private write(name: string, text: string): void {
    if (!existsSync(this.folder)) mkdirSync(this.folder);
    writeFileSync(join(this.folder, `${name}.new`), text);
    renameSync(join(this.folder, `${name}.new`), join(this.folder, name));
  }
}
