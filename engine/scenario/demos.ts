/** The demos that come with the program, in the order in which they are listed. */
import type { Demo } from './demo.ts';
import * as allOnCpu0 from './demos/all-on-cpu0.yaml';
import * as eventStorm from './demos/event-storm.yaml';
import * as lostIntx from './demos/lost-intx.yaml';
import * as lrExhaustion from './demos/lr-exhaustion.yaml';
import * as maskedMsix from './demos/masked-msix.yaml';
import * as nobodyCared from './demos/nobody-cared.yaml';
import * as raisedWhileActive from './demos/raised-while-active.yaml';
import * as stuckIsr from './demos/stuck-isr.yaml';
import * as twoLevelFifo from './demos/two-level-fifo.yaml';
import * as whereExits from './demos/where-exits-go.yaml';

/** As scenarios.mjs makes them of their files. */
const ALL = [
  nobodyCared,
  whereExits,
  lrExhaustion,
  raisedWhileActive,
  eventStorm,
  allOnCpu0,
  lostIntx,
  stuckIsr,
  twoLevelFifo,
  maskedMsix,
] as unknown as readonly {
  readonly default: Demo;
  readonly text: string;
}[];

export const DEMOS: readonly Demo[] = ALL.map((d) => d.default);
