/** The monitor from start to stop: one machine, one terminal, one exit code. */
import type { Machine, Place } from '../engine/index.ts';
import type { DemoScript } from './demo.ts';
import { Driver } from './driver.ts';
import { clockTime, sanitize } from './format.ts';
import type { Cue, ScriptedFire } from './frame.ts';
import type { Recorded, Scribe } from './journal.ts';
import { type LookOptions, lookOf } from './look.ts';
import { preferencesOf, printedPreferences, readPreferences } from './preferences.ts';
import { REAL_HOST } from './real-host.ts';
import { Session } from './session.ts';
import { type Outcome, onTerminal } from './stage.ts';

export type { DemoScript, Scene } from './demo.ts';
export type { Cue, ScriptedFire } from './frame.ts';
export type { Preferences } from './preferences.ts';
export { THEMES } from './theme.ts';

/** The configuration file, as whoever may touch files hands it over. */
export interface Config {
  /** its name */
  readonly file: string;
  /** what it says, as YAML has it; undefined where there is none */
  readonly data?: unknown;
  /** why nothing can be made of it */
  readonly problem?: string | undefined;
  save(preferences: Record<string, unknown>): Promise<void>;
}

/** Unless an option says otherwise, what the configuration file says; else what stands here. */
export interface MonitorOptions extends LookOptions {
  /** told when there is something to look at or to control from elsewhere */
  readonly attend?: ((driver: Driver, quit: () => void) => void) | undefined;
  /** the domain shown first; otherwise the machine's first */
  readonly domain?: string | undefined;
  /** seconds between frames, 1 */
  readonly delay?: number | undefined;
  /** simulated seconds per second, 1; Infinity: as fast as possible */
  readonly speed?: number | undefined;
  /** idle rows are hidden from the start */
  readonly hideIdle?: boolean | undefined;
  /** fired by itself at its simulated time */
  readonly scriptedFires?: readonly ScriptedFire[] | undefined;
  /** what a demo says and shows, and what it does */
  readonly demo?: { readonly script: DemoScript; readonly cues: readonly Cue[] } | undefined;
  /** an earlier run, which is repeated before anything new */
  readonly recorded?: Recorded | undefined;
  /** writes down what is done, and where it ended */
  readonly recorder?: (Scribe & { end(place: Place): void }) | undefined;
  /** undefined: none is read, and W writes none */
  readonly config?: Config | undefined;
}

/** Runs the monitor on the process's terminal until it is quit. @returns the exit code */
export async function runMonitor(machine: Machine, options: MonitorOptions = {}): Promise<number> {
  const { code, error } = await monitor(machine, options);
  if (error) process.stderr.write(`virqtop: ${describe(error, machine)}\n`);
  return code;
}

async function monitor(machine: Machine, options: MonitorOptions): Promise<Outcome> {
  const { config } = options;
  const { preferences, problems } = readPreferences(config?.data);
  const { ascii = preferences.ascii ?? false, theme = preferences.theme } = options;
  const run: { driver?: Driver } = {};
  const outcome = await onTerminal(({ size, end, suspend }) => {
    const driver = new Driver(machine, REAL_HOST, {
      speed: options.speed ?? preferences.speed,
      delay: options.delay ?? preferences.delay,
      fires: options.scriptedFires,
      cues: options.demo?.cues,
      recorded: options.recorded,
      scribe: options.recorder,
      onError: (error) => end(1, error),
    });
    const session: Session = new Session(driver, {
      ...lookOf({ ...options, ascii, theme }, process.env),
      size,
      domain: options.domain ?? driver.get().snapshot.domains[0]!.name,
      preferences,
      notice: config ? configNotice(config, problems) : '',
      hideIdle: options.hideIdle,
      demo: options.demo && untilNext(options.demo.script, () => end(0)),
      save: config && (() => config.save(printedPreferences(preferencesOf(session, ascii)))),
      configFile: config?.file,
      quit: () => end(0),
      suspend,
    });
    run.driver = driver;
    options.attend?.(driver, () => end(0));
    return { session, driver };
  });
  if (run.driver) options.recorder?.end(run.driver.end);
  return outcome;
}

/** The monitor ends where the next run of a demo begins. */
function untilNext(script: DemoScript, end: () => void): DemoScript {
  const { next } = script;
  if (!next) return script;
  return {
    ...script,
    next: {
      name: next.name,
      begin() {
        next.begin();
        end();
      },
    },
  };
}

/** What is wrong with the file, in one line. */
function configNotice({ file, problem }: Config, problems: readonly string[]): string {
  const all = problem === undefined ? problems : [problem];
  if (all.length === 0) return '';
  const more = all.length > 1 ? ` (and ${all.length - 1} more)` : '';
  return `${file.split('/').at(-1)}: ${all[0]}${more}`;
}

/** One line: what went wrong, and where to find it again. */
export function describe(error: Error, machine: Machine): string {
  const message = sanitize(error.message.split('\n')[0] ?? '') || error.name;
  const { now, events } = machine.clock;
  return `${message} (${machine.scenario.name}, seed ${machine.seed}, t ${clockTime(now, 9)}, event ${events})`;
}
