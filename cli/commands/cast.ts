/** --cast: the monitor as a watcher would see it, with what --fire does, written down for asciinema. */
import { takeSnapshot } from '../../engine/index.ts';
import { DEFAULT_SIZE, writeCast } from '../cast/file.ts';
import { Recording } from '../cast/record.ts';
import { chosenOf, machineOf } from '../machine.ts';
import type { Options } from '../options.ts';
import { UsageError } from '../usage.ts';

const DEFAULT_FOR = 10e9;

export async function cast(options: Options): Promise<number> {
  const { size = DEFAULT_SIZE, fire = [], for: time = DEFAULT_FOR } = options;
  const machine = await machineOf(options);
  const until = machine.clock.now + time;
  const late = fire.find((f) => f.at > until);
  if (late) {
    throw new UsageError(
      `--fire ${late.device}@${late.at / 1e9}: the recording ends at ${until / 1e9} s, see --for`,
    );
  }
  const domain =
    options.domain === undefined ? undefined : chosenOf(takeSnapshot(machine), options.domain).name;
  const recording = new Recording(size, `virqtop ${machine.scenario.name}, seed ${machine.seed}`, options);
  await writeCast(options.cast!, async () => {
    await recording.add({
      machine,
      until,
      domain,
      hideIdle: options.skipZero,
      speed: options.speed,
      delay: (options.delay ?? 0.5e9) / 1e9,
      fires: fire,
      marks: fire.map(({ device, at, times }) => ({
        at,
        label: `fire ${device}${times > 1 ? ` x${times}` : ''}`,
      })),
    });
    return recording.end();
  });
  return 0;
}
