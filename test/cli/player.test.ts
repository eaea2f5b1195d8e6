/** Running a machine to a moment, firing on the way. */
import { expect, test } from 'vitest';
import { Player } from '../../cli/player.ts';
import { ms } from '../../engine/core/clock.ts';
import { takeSnapshot } from '../../engine/snapshot.ts';
import { fakeMachine } from '../support/fake-machine.ts';

const fire = (device: string, at: number, times = 1) => ({ device, at, times });

test('devices are fired at their moment, earliest first', async () => {
  const machine = fakeMachine();
  const player = new Player(machine, [fire('disk', ms(30), 2), fire('kbd', ms(10)), fire('nic', ms(60))]);
  await player.advance(ms(20));
  expect(machine.lastFired).toMatchObject({ device: 'kbd', start: ms(10) });
  await player.advance(ms(50));
  expect(machine.lastFired).toMatchObject({ device: 'disk', start: ms(30) });
  const fired = machine.devices().filter((d) => d.fired > 0);
  expect(fired.map((d) => [d.name, d.fired])).toEqual([
    ['kbd', 1],
    ['disk', 2],
  ]);
  expect(machine.clock.now).toBe(ms(50));
});

test('those of one moment are fired in the order of the command line, also at the end of a stretch', async () => {
  const machine = fakeMachine();
  const player = new Player(machine, [fire('nic', ms(10)), fire('kbd', ms(10))]);
  await player.advance(ms(10));
  expect(machine.lastFired?.device).toBe('kbd');
});

test('where the stretches end does not change what happens', async () => {
  const plan = [fire('kbd', ms(7)), fire('disk', ms(33), 3)];
  const [a, b] = [fakeMachine(), fakeMachine()];
  await new Player(a, plan).advance(ms(100));
  const player = new Player(b, plan);
  for (let t = 0; t <= 100; t += 4) await player.advance(ms(t));
  expect(takeSnapshot(b)).toEqual(takeSnapshot(a));
});

test('while a long stretch runs, the world outside gets its turn', async () => {
  let turns = 0;
  const beat = setInterval(() => {
    turns++;
  }, 5);
  await new Player(fakeMachine()).advance(ms(100_000));
  clearInterval(beat);
  expect(turns).toBeGreaterThan(0);
});

test('a device that would be fired after the end is the mistake of who asked for it', () => {
  const player = new Player(fakeMachine(), [fire('kbd', ms(10)), fire('disk', ms(2500))]);
  expect(() => player.checkEnd(ms(2500))).not.toThrow();
  expect(() => player.checkEnd(ms(2000))).toThrow('--fire disk@2.5: the run ends at 2 s');
});
