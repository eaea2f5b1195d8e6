/**
 * The hold model: pop the earliest of N timers, queue it again a random while later. It is what an event
 * queue does all day; `hold.c` does the same with bare doubles.
 */
import { Clock, Priority } from '../../engine/core/clock.ts';
import { type Bench, best, inUnit, nsPer, type Result } from './bench.ts';
import { CProgram } from './c-program.ts';
import source from './hold.c';

const SIZES = [64, 1_024, 16_384];
const EVENTS = 2_000_000;
const ROUNDS = 5;
/** times the C figure */
const LIMIT = 2.5;

export const hold: Bench = {
  name: 'hold',
  run() {
    const c = CProgram.compile(source);
    try {
      return SIZES.map((size) => compare(size, c));
    } finally {
      c?.remove();
    }
  },
};

/** Turn and turn about, so that both meet the same company on the CPU. */
function compare(size: number, c: CProgram | undefined): Result {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { ns, end } = run(size);
    ours.push(ns);
    if (!c) continue;
    const [figure, cEnd] = c.run(size, EVENTS).map(Number);
    if (cEnd !== end) throw new Error(`hold with ${size} timers ends at ${end}, in C at ${cEnd}`);
    theirs.push(figure!);
  }
  const title = `hold, ${size.toLocaleString('en')} timers, per event`;
  const measured = inUnit(best(ours), 'ns');
  if (!c) return { title, measured, beside: 'no C compiler' };
  return {
    title,
    measured,
    beside: `${inUnit(best(theirs), 'ns')} in C`,
    gate: { value: best(ours) / best(theirs), limit: LIMIT, unit: 'x C' },
  };
}

function run(size: number): { ns: number; end: number } {
  let random = 2463534242 | 0;
  const delay = () => {
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    return ((random >>> 0) / 4294967296) * 1000;
  };
  const clock = new Clock();
  for (let i = 0; i < size; i++) {
    const task = clock.task(`timer${i}`, Priority.outside, () => task.after(delay()));
    task.after(delay());
  }
  const ns = nsPer(EVENTS, () => {
    for (let i = 0; i < EVENTS; i++) clock.step();
  });
  return { ns, end: clock.now };
}
