/** Two minutes of the monitor at 10 Hz by a watcher's time of its own: what it holds after each, as JSON. */
import { grown, heap, Watched } from '../bench/watched.ts';
import { ManualHost } from './manual-host.ts';

const host = new ManualHost();
const watched = new Watched(host, process.argv[2]!);
watched.run();
const sizes: number[] = [];
for (let minute = 0; minute < 2; minute++) {
  for (let n = 0; n < 600; n++) host.pass(100);
  watched.press();
  sizes.push(heap(true));
}
const { frames } = watched.measure();
const { past } = watched.driver.get();
// all of it can be gone back to
for (let n = 0; n < 1000; n++) watched.driver.scrub(-1);
const start = process.cpuUsage();
host.pass(10_000);
const back = watched.driver.get();
process.stdout.write(
  JSON.stringify({
    grown: grown(sizes),
    sizes,
    frames,
    past,
    back: { time: back.snapshot.time, state: back.state, ms: process.cpuUsage(start).user / 1000 },
  }),
);
