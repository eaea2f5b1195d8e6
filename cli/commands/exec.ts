/** `virqtop exec`: a program that finds the simulated host where it looks for its own interrupts. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { takeSnapshot } from '../../engine/index.ts';
import { keepOnInterrupt } from '../interrupt.ts';
import { domainOf, machineOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { Pace } from '../pace.ts';
import { Player } from '../player.ts';
import { Affinities } from '../procfs/affinities.ts';
import { DEBUGFS, debugFiles, liveFiles, standingFiles } from '../procfs/files.ts';
import { findWay, type Mount, runCovered } from '../procfs/namespace.ts';
import { StandIns } from '../procfs/stand-ins.ts';
import { SteadyText } from '../procfs/steady.ts';
import { PinnedFile, Tree } from '../procfs/tree.ts';
import { checkMachine } from '../together.ts';
import { UsageError } from '../usage.ts';

/** simulated time at which the command starts, and between two updates */
const DEFAULT_AT = 10e9;
const DEFAULT_DELAY = 100e6;

/** real ms after which the files are written anew, though the machine is behind */
const MOST_MS = 50;

/** exit code where there are no namespaces to be had */
const FAILED = 1;

export async function exec(command: readonly string[], options: Options): Promise<number> {
  checkMachine(options);
  if (command.length === 0)
    throw new UsageError("exec: no command; must be as in 'virqtop exec -- mpstat -I ALL 1 3'");
  const { at = DEFAULT_AT, delay = DEFAULT_DELAY, speed = 1 } = options;
  const machine = await machineOf(options);
  const player = new Player(machine, options.fire);
  await player.advance(at);

  const standIns = new StandIns();
  const look = () => {
    const snapshot = standIns.renumber(takeSnapshot(machine));
    return { domain: domainOf(snapshot, options.domain), snapshot };
  };
  const { domain, snapshot } = look();
  const root = mkdtempSync(join(tmpdir(), 'virqtop-'));
  try {
    const isKvmHost = debugFiles(domain, snapshot).size > 0;
    if (isKvmHost) await standIns.start(snapshot);
    const debugfs = new Tree(root);
    const pinned = [...liveFiles(domain, snapshot).keys()].map((path) => ({
      path,
      file: new PinnedFile(join(root, path)),
      lay: layoutOf(path),
    }));
    const affinities = new Affinities(root);
    affinities.open(domain);
    const update = () => {
      const now = look();
      affinities.follow(machine, now.domain);
      const texts = liveFiles(now.domain, now.snapshot);
      for (const { path, file, lay } of pinned) file.write(lay(texts.get(path)!));
      for (const [path, text] of debugFiles(now.domain, now.snapshot)) debugfs.write(path, text);
    };
    update();
    for (const [path, text] of standingFiles(domain)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const mounts: Mount[] = [
      ...pinned.map(({ path }): Mount => [join(root, path), `/${path}`]),
      [join(root, 'proc/cpuinfo'), '/proc/cpuinfo'],
      [join(root, 'irq'), '/proc/irq'],
      [join(root, 'sys/devices/system/cpu'), '/sys/devices/system/cpu'],
    ];
    if (isKvmHost) mounts.push([join(root, DEBUGFS), `/${DEBUGFS}`]);
    const found = findWay(mounts);
    if ('refused' in found) {
      process.stderr.write(
        `virqtop: exec needs a mount namespace, which this system refuses (${found.refused})\n`,
      );
      return FAILED;
    }
    const over = new AbortController();
    keepOnInterrupt();
    const ended = runCovered(found.way, mounts, command).finally(() => over.abort());
    await keepUp();
    return await ended;

    /** Lets the machine run at its pace until the command has ended. */
    async function keepUp(): Promise<void> {
      const pace = new Pace(speed);
      while (!over.signal.aborted) {
        await pace.reach((machine.clock.now + delay - at) / 1e6, over.signal);
        // however late a turn comes, what is read is of now, or of as much as a turn has time for
        const due = at + Math.floor(pace.elapsed * 1e6);
        const enough = performance.now() + MOST_MS;
        do {
          await player.advance(Math.max(machine.clock.now, Math.min(machine.clock.now + delay, due)));
          await setImmediate();
        } while (!over.signal.aborted && machine.clock.now < due && performance.now() < enough);
        update();
      }
    }
  } finally {
    standIns.end();
    rmSync(root, { recursive: true, force: true });
  }
}

/** /proc/interrupts and /proc/softirqs keep their numbers in columns by themselves. */
function layoutOf(path: string): (text: string) => string {
  if (!/\/(stat|uptime)$/.test(path)) return (text) => text;
  const steady = new SteadyText();
  return (text) => steady.lay(text);
}
