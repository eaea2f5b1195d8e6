/** What the monitor holds does not grow with the time that it is open, though it can go back in time. */
import { execFileSync } from 'node:child_process';
import { afterAll, expect, test } from 'vitest';
import { bundleMonitor } from '../support/monitor-bundle.ts';

const bundle = await bundleMonitor('soak-main.ts');
afterAll(() => bundle.remove());

test('two minutes at 10 Hz: at most 1.05 times what it was after one; and all of them can be gone back to', () => {
  const args = ['--expose-gc', bundle.path, 'xen-pv-2.6.18'];
  const { grown, frames, past, back } = JSON.parse(
    execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 }),
  );
  expect(grown).toBeLessThanOrEqual(1.05);
  expect(frames).toBeGreaterThanOrEqual(1200);
  expect(past).toBeNull();
  expect(back.state).toBe('paused');
  expect(back.time).toBeLessThan(25e9);
  // of CPU time: the machine runs again from a checkpoint that may be 30 simulated seconds away
  expect(back.ms).toBeLessThan(4000);
});
