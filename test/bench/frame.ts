/**
 * What a frame of the monitor costs: snapshot, history, React, Ink and the bytes written, at 120x40 with
 * every row changing ten times a second. CPU time, not waiting.
 */

import type { Machine } from '../../engine/machine/machine.ts';
import { fakeXenArm, turningArm } from '../support/arm-snapshots.ts';
import { fakeKvmMachine } from '../support/fake-kvm.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen } from '../support/fake-screen.tsx';
import { fakeXen } from '../support/xen-snapshots.ts';
import { type Bench, inUnit, type Result } from './bench.ts';

const FRAMES = 150;
const WARM_UP = 100;
/** ms of CPU time */
const LIMIT = 10;

export const frame: Bench = {
  name: 'frame',
  async run() {
    const guest = () => fakeKvmMachine({ vcpus: 8, posted: true });
    const xen = () =>
      fakeMachine({
        everyRow: 100,
        xen: (seconds, hook) => fakeXen({ seconds, hook, records: Math.floor(seconds * 5000) }),
      });
    let looks = 0;
    const onArm = () =>
      fakeKvmMachine({ change: ({ x86: _, ...rest }) => ({ ...rest, arm: turningArm(8, looks++) }) });
    return [
      await measure('every row changing, 10 Hz', fakeMachine({ everyRow: 100 }), []),
      await measure('exits of 8 vCPUs', guest(), ['right', 'f4']),
      await measure('pending on 8 vCPUs', guest(), ['right', 'f3']),
      await measure('vectors of Xen', xen(), ['left']),
      await measure('log of the trace', fakeMachine({ everyRow: 100 }), ['f7']),
      await measure('log of the trace, filtered', fakeMachine({ everyRow: 100 }), [
        'f7',
        '/',
        '1',
        '2',
        'enter',
      ]),
      await measure('log of the hook', xen(), ['left', 'f7', 'H']),
      await measure('list registers of 8 vCPUs', onArm(), ['right', 'f3']),
      await measure('INTIDs of Xen', fakeMachine({ everyRow: 100, xen: fakeXenArm }), ['left']),
    ];
  },
};

/** @param keys that lead to the view */
async function measure(title: string, machine: Machine, keys: readonly string[]): Promise<Result> {
  const screen = new FakeScreen(machine, { columns: 120, rows: 40, delay: 0.1, blind: true });
  screen.press(...keys);
  screen.driver.run();
  try {
    const costs: number[] = [];
    let bytes = 0;
    for (let n = 0; n < WARM_UP + FRAMES; n++) {
      const sent = screen.output.bytes;
      const start = process.cpuUsage();
      screen.host.pass(100);
      await screen.drawn();
      const { user, system } = process.cpuUsage(start);
      if (n < WARM_UP) continue;
      costs.push((user + system) / 1000);
      bytes += screen.output.bytes - sent;
    }
    costs.sort((a, b) => a - b);
    const median = costs[FRAMES >> 1]!;
    return {
      title: `frame at 120x40, ${title}`,
      measured: inUnit(median, 'ms'),
      beside: `${Math.round(bytes / FRAMES).toLocaleString('en')} bytes each`,
      gate: { value: median, limit: LIMIT, unit: 'ms CPU' },
    };
  } finally {
    screen.close();
  }
}
