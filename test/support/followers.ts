/** Several who follow one machine. */
import type { TraceFollower } from '../../engine/exchange.ts';

/** @param followers one of them at most looks at signals */
export function together(followers: readonly TraceFollower[]): TraceFollower {
  const each = (tell: (follower: TraceFollower) => void) => followers.forEach(tell);
  const looking = followers.find(({ sample }) => sample);
  return {
    ...(looking && { sample: looking.sample! }),
    records: (rows, at, end) => each(({ records }) => records?.(rows, at, end)),
    release: (before) => each((follower) => follower.release(before)),
    flush: (now) => each((follower) => follower.flush(now)),
    end: (now) => each((follower) => follower.end(now)),
  };
}
