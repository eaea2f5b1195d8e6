/** --as: what another program would print on the host, started at a moment. */
import { setImmediate } from 'node:timers/promises';
import { takeSnapshot } from '../../engine/index.ts';
import { imitationOf } from '../as/imitation.ts';
import { machineOf } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { Pace } from '../pace.ts';
import { Player } from '../player.ts';
import { checkLength, DEFAULT_DELAY } from './batch.ts';
import { DEFAULT_AT } from './look.ts';

export async function as(options: Options, out: Output): Promise<number> {
  const { at = DEFAULT_AT, delay = DEFAULT_DELAY } = options;
  const { once, looksFirst, make } = imitationOf(options.as!);
  const prints = options.iterations ?? (once ? 1 : Infinity);
  const looks = looksFirst ? prints + 1 : prints;
  checkLength(at, delay, options.iterations);
  const machine = await machineOf(options);
  const look = make(takeSnapshot(machine), options.domain);
  const player = new Player(machine, options.fire);
  player.checkEnd(at + delay * (looks - 1));
  const pace = options.realtime ? new Pace(options.speed ?? 1) : undefined;
  for (let i = 0; i < looks && at + i * delay <= Number.MAX_SAFE_INTEGER; i++) {
    await player.advance(at + i * delay);
    await pace?.reach((i * delay) / 1e6);
    await out.write(look(takeSnapshot(machine)));
    await setImmediate(); // a write to a pipe is done at once: let signals in
  }
  return 0;
}
