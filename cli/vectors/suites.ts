/** The suites that have a model. */
import { evtchn2l, evtchnFifo } from './evtchn.ts';
import { i8259 } from './i8259.ts';
import { ioapic, routing } from './ioapic.ts';
import { lapic } from './lapic.ts';
import type { Suite } from './suite.ts';
import { vgicCore, vgicQuirk, vgicV3 } from './vgic.ts';
import { xen } from './xen.ts';

const ALL: readonly Suite[] = [
  evtchn2l,
  evtchnFifo,
  i8259,
  ioapic,
  lapic,
  routing,
  vgicCore,
  vgicQuirk,
  vgicV3,
  xen,
];

export const SUITES: ReadonlyMap<string, Suite> = new Map(ALL.map((suite) => [suite.name, suite]));
