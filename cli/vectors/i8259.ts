/** The suite i8259: KVM's two 8259As. */
import { I8259Pair, KVM_PIC } from '../../engine/index.ts';
import { BadVector, type Suite } from './suite.ts';
import { argument, replayX86, type Value, type X86Model } from './x86-replay.ts';

/** The elements of the state under the names that the vectors have for them. */
export function picState(pic: I8259Pair): Map<string, () => Value> {
  const state = new Map<string, () => Value>();
  for (const [prefix, chip] of [
    ['m', pic.master],
    ['s', pic.slave],
  ] as const) {
    const add = (name: string, value: () => number | boolean) =>
      state.set(`${prefix}.${name}`, () => Number(value()));
    add('irr', () => chip.irr);
    add('imr', () => chip.imr);
    add('isr', () => chip.isr);
    add('last', () => chip.last);
    add('elcr', () => chip.elcr);
    add('padd', () => chip.priorityAdd);
    add('base', () => chip.base);
    add('rr', () => chip.readIsr);
    add('poll', () => chip.poll);
    add('smm', () => chip.specialMask);
    add('init', () => chip.init);
    add('aeoi', () => chip.autoEoi);
    add('raeoi', () => chip.rotateOnAutoEoi);
    add('sfnm', () => chip.specialFullyNested);
    add('init4', () => chip.icw4);
  }
  state.set('out', () => Number(pic.intr));
  return state;
}

/** Operations on the ports and inputs of the two chips; undefined: not one of them. */
export function runPic(pic: I8259Pair, name: string, args: readonly unknown[]): { r?: number } | undefined {
  const n = (i: number) => argument(args, i);
  switch (name) {
    case 'out':
      pic.write(n(0), n(1));
      return {};
    case 'in':
      return { r: pic.read(n(0)) };
    case 'line':
      return { r: pic.setIrq(n(0), n(2) !== 0, n(1)) };
    case 'pack':
      return { r: pic.ack() };
    default:
      return undefined;
  }
}

/** Nobody needs to be told of anything. */
function model(): X86Model {
  // a virtual CPU's LINT0 takes the 8259s' interrupts after reset
  const pic = new I8259Pair('vm', KVM_PIC, { intr: () => {}, inUse: () => true });
  return {
    state: picState(pic),
    run: (name, args) => {
      const done = runPic(pic, name, args);
      if (!done) throw new BadVector(`unknown operation ${JSON.stringify(name)}`);
      return done.r;
    },
  };
}

export const i8259: Suite = {
  name: 'i8259',
  replay: (vector, meta) => replayX86(vector, meta, model()),
};
