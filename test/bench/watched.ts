/** A monitor that is drawn for nobody, and what it holds in memory. */
import { buildMachine, builtinScenario } from '../../engine/index.ts';
import { Driver, type Host } from '../../tui/driver.ts';
import { BLOCKS } from '../../tui/glyphs.ts';
import { screenLines } from '../../tui/screen.ts';
import { Session } from '../../tui/session.ts';

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

  /** Fires something, and looks at another view. */
  press(): void {
    this.session.press('3');
    this.session.press('tab');
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

/** Bytes in use in the heap once all garbage is gone. Checkpoints are outside of it, and have a bound of their own. */
export function heap(): number {
  if (!global.gc) throw new Error('memory is measured with node --expose-gc');
  for (let i = 0; i < 3; i++) global.gc();
  return process.memoryUsage().heapUsed;
}

/** The most that was held from the second minute on, against the first. */
export function grown([first = 1, ...others]: readonly number[]): number {
  return Math.max(first, ...others) / first;
}
