/**
 * What a socket is asked and answers: a line of JSON each. A request has `do` and may have an `id`, which comes back. Commands
 * of the machine go to it as they are; the others are the monitor's own.
 */

import { type Command, parseCommand } from '../../engine/index.ts';
import type { Driver } from '../../tui/driver.ts';
import { isSpeed } from '../../tui/speeds.ts';
import { type Follow, followOf } from './follow.ts';

export type Id = string | number;

export interface Reply {
  readonly id?: Id;
  readonly ok: boolean;
  readonly error?: string;
  readonly [more: string]: unknown;
}

/** One who asks. */
export interface Asker {
  /** events are to be sent from now on */
  follow(follow: Follow): void;
  /** the monitor, or the server, ends once the answer is out */
  quit(): void;
  /** gone already: no use in waiting for an answer */
  readonly gone: Promise<void>;
}

const LONGEST_ID = 200;

type Verb = (
  driver: Driver,
  request: Readonly<Record<string, unknown>>,
  asker: Asker,
) => Promise<object> | object;

class Wrong extends Error {}

const VERBS: Readonly<Record<string, Verb>> = {
  pause(driver) {
    driver.pause();
    return stateOf(driver);
  },
  run(driver) {
    driver.run();
    return stateOf(driver);
  },
  step(driver) {
    driver.step();
    return stateOf(driver);
  },
  async next(driver, _, { gone }) {
    driver.seek();
    await Promise.race([settled(driver), gone]);
    return stateOf(driver);
  },
  speed(driver, { speed }) {
    if (speed !== 'max' && !(typeof speed === 'number' && isSpeed(speed))) {
      throw new Wrong('speed: must be simulated seconds per second, 1e-6 to 1e6, or "max"');
    }
    driver.setSpeed(speed === 'max' ? Number.POSITIVE_INFINITY : speed);
    return stateOf(driver);
  },
  state: (driver) => stateOf(driver),
  snapshot: (driver) => ({ snapshot: driver.get().snapshot }),
  events(driver, request, asker) {
    const follow = followOf(driver, request);
    if (typeof follow === 'string') throw new Wrong(follow);
    asker.follow(follow);
    return stateOf(driver);
  },
  quit(driver, _, asker) {
    asker.quit();
    return stateOf(driver);
  },
};

/** Fields that a verb has beside `do` and `id`. */
const FIELDS: Readonly<Record<string, readonly string[]>> = { speed: ['speed'], events: ['of', 'domain'] };

const VERB_NAMES = Object.keys(VERBS);

/** Answers one line. Whatever it holds, nothing worse than a refusal comes of it. */
export async function answer(line: string, driver: Driver, asker: Asker): Promise<Reply> {
  let request: unknown;
  try {
    request = JSON.parse(line);
  } catch {
    return { ok: false, error: 'not a line of JSON' };
  }
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    return { ok: false, error: 'must be an object with do' };
  }
  const { id, ...rest } = request as Record<string, unknown>;
  const ours = isId(id) ? { id } : {};
  if (id !== undefined && !isId(id)) return { ok: false, error: 'id: must be a number or a short text' };
  const result = await perform(rest, driver, asker);
  return typeof result === 'string'
    ? { ...ours, ok: false, error: result }
    : { ...ours, ok: true, ...result };
}

function isId(id: unknown): id is Id {
  return typeof id === 'number' || (typeof id === 'string' && id.length <= LONGEST_ID);
}

/** @returns what to answer, or why nothing was done */
async function perform(
  request: Record<string, unknown>,
  driver: Driver,
  asker: Asker,
): Promise<object | string> {
  const { do: what } = request;
  if (typeof what === 'string' && Object.hasOwn(VERBS, what)) {
    const known = FIELDS[what] ?? [];
    const unknown = Object.keys(request).find((key) => key !== 'do' && !known.includes(key));
    if (unknown !== undefined)
      return `${what}: takes ${known.length > 0 ? known.join(' and ') : 'nothing else'}`;
    try {
      return await VERBS[what]!(driver, request, asker);
    } catch (error) {
      if (error instanceof Wrong) return error.message;
      throw error;
    }
  }
  const command = await parseCommand(request);
  if (typeof command === 'string') {
    return command.startsWith('do: ') ? `${command}; or of ${VERB_NAMES.join(', ')}` : command;
  }
  const { refused, ...done } = driver.do(command as Command);
  return refused ?? { ...done, ...stateOf(driver) };
}

function stateOf(driver: Driver) {
  const { snapshot, state, speed, ended } = driver.get();
  return { time: snapshot.time, state, speed: speed === Number.POSITIVE_INFINITY ? 'max' : speed, ended };
}

/** Until it runs to nowhere any more. */
function settled(driver: Driver): Promise<void> {
  return new Promise((resolve) => {
    if (driver.get().state !== 'seeking') {
      resolve();
      return;
    }
    const stop = driver.subscribe(() => {
      if (driver.get().state === 'seeking') return;
      stop();
      resolve();
    });
  });
}
