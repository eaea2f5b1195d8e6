/** The suites evtchn-2l and evtchn-fifo: Xen's event channels. */
import type { Difference } from './blocks.ts';
import { EvtchnHost } from './evtchn-host.ts';
import { OPS, type Op } from './evtchn-ops.ts';
import { EvtchnState } from './evtchn-state.ts';
import { compareResults } from './results.ts';
import { BadVector, type Fields, isFields, type Mismatch, type Suite, type Vector } from './suite.ts';

/** A case under way: the model, and what the vector expects of it. */
export class EvtchnReplay {
  readonly host: EvtchnHost;
  private readonly states: ReadonlyMap<number, EvtchnState>;

  /** @throws BadVector */
  constructor(init: Fields) {
    this.host = new EvtchnHost(init);
    this.states = new Map(
      this.host.domains.map((d) => [d.id, new EvtchnState(d, this.host.guestOf(d))] as const),
    );
  }

  /** Runs an operation; the first result or state element that is not as it should be. @throws BadVector */
  step(op: unknown): Difference | undefined {
    const { fields, spec } = parse(op);
    const results = spec.run(this.host, fields);
    this.expect(fields);
    return compareResults(fields, spec.args, { ...results, ...this.host.takeNotes() }) ?? this.compareState();
  }

  /** Takes over what the vector says of the state after an operation. @throws BadVector */
  expect(op: Fields): void {
    const { s } = op;
    if (!Array.isArray(s)) throw new BadVector('"s" must be a list');
    for (const entry of s) {
      if (!Array.isArray(entry)) throw new BadVector('"s" must be a list of lists');
      const [key, domain, ...numbers] = entry as unknown[];
      const state = this.states.get(domain as number);
      if (typeof key !== 'string' || !state || numbers.length < 2 || !numbers.every(Number.isInteger)) {
        throw new BadVector('each of "s" must be a key, a domain, indices and values');
      }
      state.apply(key, numbers as number[]);
    }
  }

  private compareState(): Difference | undefined {
    for (const state of this.states.values()) {
      const difference = state.difference();
      if (difference) return difference;
    }
    return undefined;
  }
}

function parse(op: unknown): { fields: Fields; spec: Op } {
  if (!isFields(op)) throw new BadVector('an operation must be an object');
  const { o } = op;
  const spec = typeof o === 'string' ? OPS.get(o) : undefined;
  if (!spec) throw new BadVector(`unknown operation ${JSON.stringify(o)}`);
  return { fields: op, spec };
}

function replay(vector: Vector): Mismatch | undefined {
  const run = new EvtchnReplay(vector.init);
  for (const [i, op] of vector.ops.entries()) {
    const difference = run.step(op);
    if (difference) return { case: vector.id, op: i, name: String((op as Fields).o), ...difference };
  }
  return undefined;
}

export const evtchn2l: Suite = { name: 'evtchn-2l', replay };
export const evtchnFifo: Suite = { name: 'evtchn-fifo', replay };
