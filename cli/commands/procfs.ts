/** `virqtop procfs`: a directory with /proc and /sys of each domain, kept up to date. */
import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { type DomainSnapshot, takeSnapshot } from '../../engine/index.ts';
import { whyNotWritten } from '../files.ts';
import { keepOnInterrupt } from '../interrupt.ts';
import { machineOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { Pace } from '../pace.ts';
import { Player } from '../player.ts';
import { debugFiles, type Files, liveFiles, processFiles, standingFiles } from '../procfs/files.ts';
import { Memory } from '../procfs/memory.ts';
import { Tree } from '../procfs/tree.ts';
import { checkMachine } from '../together.ts';
import { printable, UsageError } from '../usage.ts';

const DEFAULT_DELAY = 1e9;
/** simulated time after which the machine is saved again */
const SAVE_EVERY = 60e9;

export async function procfs(dir: string, options: Options): Promise<number> {
  checkMachine(options);
  makeRoot(dir);
  const { delay = DEFAULT_DELAY, iterations = Infinity, speed = 1 } = options;
  const machine = await machineOf(options);
  if (options.metrics) await (await import('../metrics.ts')).serveMetrics(machine, options.metrics);
  const tree = new Tree(dir);
  const memory = new Memory(dir, machine, options);
  const shown = memory.recall();
  const player = new Player(
    machine,
    options.fire?.filter((f) => f.at > machine.clock.now),
  );
  if (shown !== undefined) await player.advance(shown);
  const start = machine.clock.now;

  const enough = new AbortController();
  keepOnInterrupt();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => enough.abort());

  const write = ({ name }: DomainSnapshot, files: Files) => {
    for (const [path, text] of files) tree.write(`${name}/${path}`, text);
  };
  const publish = () => {
    const snapshot = takeSnapshot(machine);
    memory.show(snapshot.time);
    for (const domain of snapshot.domains) {
      write(domain, liveFiles(domain, snapshot));
      write(domain, debugFiles(domain, snapshot));
    }
  };
  const first = takeSnapshot(machine);
  for (const domain of first.domains) {
    write(domain, standingFiles(domain));
    write(domain, processFiles(domain, first));
  }
  memory.save();
  publish();
  let saved = start;
  const pace = new Pace(speed);
  for (let i = 1; i <= iterations; i++) {
    await pace.reach((i * delay) / 1e6, enough.signal);
    if (enough.signal.aborted) break;
    await player.advance(start + i * delay);
    publish();
    if (machine.clock.now - saved >= SAVE_EVERY) {
      memory.save();
      saved = machine.clock.now;
    }
  }
  memory.save();
  return 0;
}

/** The directory may be new, but not what it is in. */
function makeRoot(dir: string): void {
  if (dir === '') throw new UsageError('procfs: the name of the directory is empty');
  const wrong = (what: string) =>
    new UsageError(`${printable(dir)}: ${what}; must be a directory, or the name of a new one`);
  try {
    if (!existsSync(dir)) mkdirSync(dir);
    else if (!statSync(dir).isDirectory()) throw wrong('is a file');
    accessSync(dir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw error instanceof UsageError ? error : wrong(whyNotWritten(error));
  }
}
