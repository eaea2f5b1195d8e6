/**
 * Records what a watcher of the monitor would see, without a terminal and without waiting: the driver runs against a
 * watcher's time that passes by itself, so that the same machine and the same script give the same bytes.
 */
import { setImmediate } from 'node:timers/promises';
import type { Machine } from '../../engine/index.ts';
import {
  type DemoScript,
  Driver,
  type DriverOptions,
  lookOf,
  Session,
  screenLines,
} from '../../tui/recording.ts';
import type { Options } from '../options.ts';
import { Asciicast, type CastSize } from './asciicast.ts';
import { WatcherTime } from './watcher.ts';

/** ms between two pictures at least: twenty a second */
const PICTURE = 50;
/** pictures between two looks at the world outside */
const STRIDE = 20;
/** ms that a watcher reads before he lets a pause go on: to begin with, and for each letter */
const READING = 1500;
const A_LETTER = 35;

/** One machine of a recording. */
export interface Scene extends DriverOptions {
  readonly machine: Machine;
  readonly domain?: string | undefined;
  readonly demo?: DemoScript | undefined;
  readonly hideIdle?: boolean | undefined;
  /** simulated ns at which it is over */
  readonly until: number;
  /** places to jump to, by simulated time */
  readonly marks: readonly { readonly at: number; readonly label: string }[];
}

export class Recording {
  private readonly cast: Asciicast;
  private readonly time = new WatcherTime();

  constructor(
    private readonly size: CastSize,
    title: string,
    private readonly options: Options,
  ) {
    this.cast = new Asciicast(size, title);
  }

  async add(scene: Scene): Promise<void> {
    const { machine, until, marks } = scene;
    let failed: Error | undefined;
    const driver = new Driver(machine, this.time, {
      ...scene,
      onError: (error) => {
        failed ??= error;
      },
    });
    const session = this.session(driver, scene);
    let changed = true;
    session.subscribe(() => {
      changed = true;
    });
    const left = [...marks].sort((a, b) => a.at - b.at);
    driver.run();
    for (let n = 1; ; n++) {
      if (changed) this.cast.show(this.time.ms, screenLines(session));
      changed = false;
      for (; left.length > 0 && left[0]!.at <= machine.clock.now; left.shift()) {
        this.cast.mark(this.time.ms, left[0]!.label);
      }
      if (failed) throw failed;
      if (machine.clock.now >= until) break;
      if (driver.get().state === 'paused') this.read(session);
      this.time.pass(PICTURE);
      if (n % STRIDE === 0) await setImmediate();
    }
    driver.suspend();
    if (scene.demo) this.time.pass(readingTime(session));
    session.close();
  }

  end(): string {
    return this.cast.end(this.time.ms);
  }

  /** The watcher reads, then presses space. */
  private read(session: Session): void {
    this.time.pass(readingTime(session));
    session.press('space');
  }

  private session(driver: Driver, { demo, domain, hideIdle }: Scene): Session {
    return new Session(driver, {
      // the terminal that plays it is not this one
      ...lookOf(this.options, { TERM: 'xterm-256color', LANG: 'C.UTF-8' }),
      domain: domain ?? driver.get().snapshot.domains[0]!.name,
      size: this.size,
      hideIdle,
      demo,
      quit() {},
      suspend() {},
    });
  }
}

function readingTime({ director }: Session): number {
  return READING + A_LETTER * (director?.caption.text.length ?? 0);
}
