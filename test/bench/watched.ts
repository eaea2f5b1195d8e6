/** A monitor that is drawn for nobody, and what it holds in memory. */
import { getHeapSpaceStatistics } from 'node:v8';
import { buildMachine, builtinScenario } from '../../engine/index.ts';
import type { Host } from '../../tui/beat.ts';
import { Driver } from '../../tui/driver.ts';
import { BLOCKS } from '../../tui/glyphs.ts';
import { screenLines } from '../../tui/screen.ts';
import { Session } from '../../tui/session.ts';
import { VIEWS } from '../../tui/views.ts';

export class Watched {
  readonly driver: Driver;
  private readonly session: Session;
  private drawn = 0;
  private measured = { cpu: process.cpuUsage(), at: performance.now(), drawn: 0 };

  constructor(host: Host, scenario: string) {
    const fail = (error: Error) => {
      throw error;
    };
    this.driver = new Driver(buildMachine(builtinScenario(scenario)!, 42), host, {
      delay: 0.1,
      onError: fail,
    });
    this.session = new Session(this.driver, {
      domain: 'dom0',
      theme: 'default',
      depth: 3,
      glyphs: BLOCKS,
      size: { columns: 120, rows: 40 },
      quit() {},
      suspend() {},
    });
    this.session.subscribe(() => {
      this.drawn += screenLines(this.session).length > 0 ? 1 : 0;
    });
  }

  run(): void {
    this.driver.run();
  }

  stop(): void {
    this.driver.suspend();
    this.session.close();
  }

  /** Fires something, and looks at every view, the first one last. */
  press(): void {
    this.session.press('3');
    for (const { key } of VIEWS.toReversed()) this.session.press(key);
  }

  /** Frames, and percent of a CPU, since this was asked last. */
  measure(): { readonly frames: number; readonly cpu: number } {
    const { cpu, at, drawn } = this.measured;
    const { user, system } = process.cpuUsage(cpu);
    const now = performance.now();
    this.measured = { cpu: process.cpuUsage(), at: now, drawn: this.drawn };
    return { frames: this.drawn - drawn, cpu: (user + system) / 10 / (now - at) };
  }
}

/** V8 goes on compiling what is hot for many minutes: its spaces of code and what belongs to it. */
const CODE = /^(code|trusted)_/;

/**
 * Bytes of data in use once all garbage is gone: in the heap, and with `beside` the checkpoints and histories outside
 * of it.
 */
export function heap(beside = false): number {
  if (!global.gc) throw new Error('memory is measured with node --expose-gc');
  for (let i = 0; i < 3; i++) global.gc();
  const code = getHeapSpaceStatistics()
    .filter((space) => CODE.test(space.space_name))
    .reduce((bytes, space) => bytes + space.space_used_size, 0);
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed - code + (beside ? external : 0);
}

/** The most that was held from the second minute on, against the first. */
export function grown([first = 1, ...others]: readonly number[]): number {
  return Math.max(first, ...others) / first;
}
