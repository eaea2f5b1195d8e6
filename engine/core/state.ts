/**
 * Saving and restoring a machine.
 *
 * A part is anything with memory: a chip, a guest, a stream of random numbers. It gives its state as plain
 * data and takes it back into a freshly built copy of itself. Wiring (who calls whom) is never saved: it
 * comes from building the same scenario again.
 */

/** What a part may save: data that survives JSON unchanged. */
export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

export interface Part {
  /** unique in the machine, stable between builds of one scenario */
  readonly id: string;
  /** may be the part's own memory: whoever keeps it copies it */
  save(): Plain;
  /** @param state not to be kept: it may be restored again */
  restore(state: Plain): void;
  /** As `save`, without memories that change nothing of what follows: running on makes them anew. */
  brief?(): Plain;
}

/** All parts of one machine, in the order they were built. */
export class Parts {
  private readonly all = new Map<string, Part>();

  add<P extends Part>(part: P): P {
    if (this.all.has(part.id)) throw new Error(`part ${part.id} exists already`);
    this.all.set(part.id, part);
    return part;
  }

  /** A copy: it does not change when the parts run on. */
  save(): { readonly [id: string]: Plain } {
    const out: Record<string, Plain> = {};
    for (const [id, part] of this.all) out[id] = copyOf(part.save());
    return out;
  }

  /** In brief, as text of JSON. */
  brief(): string {
    const out: Record<string, Plain> = {};
    for (const [id, part] of this.all) out[id] = part.brief ? part.brief() : part.save();
    return JSON.stringify(out);
  }

  /** @throws Error naming the part if the state is of another scenario; nothing is changed then */
  restore(state: { readonly [id: string]: Plain }): void {
    for (const id of Object.keys(state)) {
      if (!this.all.has(id)) throw new Error(`saved state has a part ${id} that this machine lacks`);
    }
    for (const id of this.all.keys()) {
      if (!Object.hasOwn(state, id)) throw new Error(`saved state lacks the part ${id}`);
    }
    for (const [id, part] of this.all) part.restore(state[id]!);
  }
}

function copyOf(state: Plain): Plain {
  if (typeof state !== 'object' || state === null) return state;
  if (Array.isArray(state)) return copyOfList(state);
  const out: Record<string, Plain> = {};
  const from = state as { readonly [key: string]: Plain };
  for (const key of Object.keys(from)) out[key] = copyOf(from[key]!);
  return out;
}

/** Most of what is saved is lists of numbers, which are copied at one go. */
function copyOfList(list: readonly Plain[]): Plain {
  const out = list.slice();
  for (let i = 0; i < out.length; i++) {
    const one = out[i];
    if (typeof one === 'object' && one !== null) out[i] = copyOf(one);
  }
  return out;
}

/** Typed arrays travel as lists of numbers. */
export function saveArray(a: ArrayLike<number>): number[] {
  const out = new Array<number>(a.length);
  for (let i = 0; i < a.length; i++) out[i] = a[i]!;
  return out;
}

export function restoreArray(into: { set(from: ArrayLike<number>): void }, from: Plain): void {
  into.set(from as number[]);
}
