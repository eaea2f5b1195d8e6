/** The suites vgic-core, vgic-quirk and vgic-v3: Xen's virtual GIC on both versions of the machine's. */
import { compareResults } from './results.ts';
import { BadVector, isFields, type Mismatch, type Suite, type Vector } from './suite.ts';
import { VgicMachine } from './vgic-host.ts';
import { vgicOp } from './vgic-ops.ts';
import { VgicExpected } from './vgic-state.ts';

function replay(version: 2 | 3, { id, init, ops }: Vector): Mismatch | undefined {
  const machine = new VgicMachine(version, init);
  const expected = new VgicExpected(machine);
  for (const [i, op] of ops.entries()) {
    if (!isFields(op)) throw new BadVector('an operation must be an object');
    if (!Array.isArray(op.s)) throw new BadVector('"s" must be a list');
    const { args, run } = vgicOp(version, op.o);
    const results = { ...run(machine, op), k: machine.takeKicks() };
    for (const entry of op.s) expected.apply(entry);
    const difference = compareResults(op, args, results) ?? expected.difference();
    if (difference) return { case: id, op: i, name: String(op.o), ...difference };
  }
  return undefined;
}

function suite(name: string, version: 2 | 3): Suite {
  return { name, replay: (vector) => replay(version, vector) };
}

export const vgicCore = suite('vgic-core', 2);
export const vgicQuirk = suite('vgic-quirk', 2);
export const vgicV3 = suite('vgic-v3', 3);
