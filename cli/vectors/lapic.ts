/** The suite lapic: KVM's local APICs, up to four of them. */
import { KvmChips } from './kvm-chips.ts';
import { BadVector, type Fields, type Suite } from './suite.ts';
import { replayX86, type X86Model } from './x86-replay.ts';

function model(init: Fields): X86Model {
  const chips = new KvmChips(init);
  return {
    state: chips.state(),
    run: (name, args) => {
      const done = chips.run(name, args);
      if (!done) throw new BadVector(`unknown operation ${JSON.stringify(name)}`);
      chips.settle();
      return done.r;
    },
  };
}

export const lapic: Suite = {
  name: 'lapic',
  replay: (vector, meta) => replayX86(vector, meta, model(vector.init)),
};
