/** Saving event channels in the middle of a case and going on with a copy changes nothing. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EvtchnReplay } from '../../../cli/vectors/evtchn.ts';
import type { EvtchnHost } from '../../../cli/vectors/evtchn-host.ts';
import { vectorLines } from '../../../cli/vectors/read.ts';
import type { Fields } from '../../../cli/vectors/suite.ts';
import type { Part, Plain } from '../../../engine/core/state.ts';
import { xen } from '../../../engine/index.ts';
import { Rig } from '../../support/evtchn-rig.ts';

/** All that has memory: the event channels, the domains' pages, the guests' own notes. */
function parts(host: EvtchnHost): Part[] {
  const guests = host.domains.map((d): Part => {
    const guest = host.guestOf(d);
    return {
      id: `guest${d.id}`,
      save: () => [Array.from(guest.ready), guest.heads.map((h) => Array.from(h))],
      restore(state) {
        const [ready, heads] = state as [number[], number[][]];
        guest.ready.set(ready);
        guest.heads.forEach((h, i) => {
          h.set(heads[i]!);
        });
      },
    };
  });
  return [host.evtchn, ...host.domains.flatMap((d) => [d.shared, d.memory]), ...guests];
}

function save(host: EvtchnHost): Record<string, Plain> {
  return JSON.parse(JSON.stringify(Object.fromEntries(parts(host).map((p) => [p.id, p.save()]))));
}

/** one case in so many: each is run twice over and saved thrice */
const EVERY = 4;

test.each(['evtchn-2l', 'evtchn-fifo'])('%s: a copy made halfway ends as the original', (suite) => {
  const file = join(import.meta.dirname, `../../vectors/${suite}.jsonl.gz`);
  for (const [i, { vector }] of [...vectorLines(file)].entries()) {
    if (i % EVERY !== 0) continue;
    const half = vector.ops.length >> 1;
    const original = new EvtchnReplay(vector.init);
    for (const op of vector.ops.slice(0, half)) expect(original.step(op)).toBeUndefined();

    const saved = save(original.host);
    const copy = new EvtchnReplay(vector.init);
    for (const op of vector.ops.slice(0, half)) copy.expect(op as Fields);
    for (const part of parts(copy.host)) part.restore(saved[part.id]!);
    expect(save(copy.host), vector.id).toEqual(saved);

    for (const op of vector.ops.slice(half)) {
      expect(copy.step(op), vector.id).toBeUndefined();
      expect(original.step(op), vector.id).toBeUndefined();
    }
    expect(save(copy.host), vector.id).toEqual(save(original.host));
  }
});

test('restoring into a machine that has run on takes it back', () => {
  const file = join(import.meta.dirname, '../../vectors/evtchn-fifo.jsonl.gz');
  const { vector } = vectorLines(file).next().value!;
  const run = new EvtchnReplay(vector.init);
  const early = save(run.host);
  for (const op of vector.ops) run.step(op);
  const late = save(run.host);
  expect(late).not.toEqual(early);
  for (const part of parts(run.host)) part.restore(early[part.id]!);
  // pages that were asked for stay, empty
  expect(save(run.host).evtchn).toEqual(early.evtchn);
  for (const d of run.host.domains) expect(d.shared.save()).toEqual(early[d.shared.id]);
  for (const part of parts(run.host)) part.restore(late[part.id]!);
  expect(save(run.host)).toEqual(late);
});

test('a reset that was interrupted can be continued in the copy', () => {
  const [from, to] = [new Rig('2-level'), new Rig('2-level')];
  for (let port = 1; port <= 70; port++) from.evtchn.bindIpi(1, 0);
  expect(from.evtchn.reset(1, xen.DOMID_SELF, () => true)).toBe(-xen.ERESTART);
  to.evtchn.restore(from.evtchn.save());
  expect(to.evtchn.reset(1, xen.DOMID_SELF)).toBe(-xen.EBUSY);
  expect(to.evtchn.resetCont(1, xen.DOMID_SELF)).toBe(0);
});
