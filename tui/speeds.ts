/** Which speeds of time, and which delays between frames, there may be. */

/** simulated seconds in a real one; beside these there is `max`, Infinity: as fast as the machine goes */
export const SLOWEST = 1e-6;
export const FASTEST = 1e6;

/** seconds: nobody sees more frames, or waits longer for one */
export const SHORTEST_DELAY = 0.05;
export const LONGEST_DELAY = 3600;

export function isSpeed(x: number): boolean {
  return x >= SLOWEST && x <= FASTEST;
}

export function isDelay(seconds: number): boolean {
  return seconds >= SHORTEST_DELAY && seconds <= LONGEST_DELAY;
}

/** Speeds that the keys step through. */
export const SPEEDS: readonly number[] = [
  1e-6,
  1e-5,
  1e-4,
  1e-3,
  0.01,
  0.1,
  0.2,
  0.5,
  1,
  2,
  5,
  10,
  100,
  1000,
  Number.POSITIVE_INFINITY,
];

/** Delays that the keys step through, in seconds. */
export const DELAYS: readonly number[] = [0.1, 0.2, 0.5, 1, 2, 3, 5, 10];

/** The neighbour of a value in an ascending list. */
export function stepThrough(list: readonly number[], value: number, direction: 1 | -1): number {
  const next = direction > 0 ? list.find((v) => v > value) : list.findLast((v) => v < value);
  return next ?? value;
}
