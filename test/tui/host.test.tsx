/** The view of the host: its CPUs, and where the time of all virtual CPUs goes. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Machine } from '../../engine/machine/machine.ts';
import { fakeKvmMachine } from '../support/fake-kvm.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';

/** A host whose virtual CPUs run a third of the time and wait for a CPU a fifth of it, the second waits now. */
function hostMachine(cpus: number, vcpus: number): Machine {
  const machine = fakeKvmMachine({ cpus, vcpus });
  const { platform, clock } = machine;
  const [cpusOf, domainsOf] = [platform.cpus.bind(platform), platform.domains.bind(platform)];
  platform.cpus = () =>
    cpusOf().map((cpu) => ({
      ...cpu,
      level: cpu.mode === 'guest' ? 'non-root' : 'root',
      task: cpu.mode === 'guest' ? `CPU ${cpu.cpu}/KVM` : null,
      queue: cpu.cpu === 1 ? ['vm1 CPU 1/KVM', 'vhost-1'] : [],
      switches: Math.floor((clock.now / 1e9) * 1000 * (cpu.cpu + 1)),
      exits: Math.floor((clock.now / 1e9) * 250 * cpu.cpu),
    }));
  platform.domains = () =>
    domainsOf().map((domain) => ({
      ...domain,
      vcpus: domain.vcpus.map((v) => {
        if (domain.id === 0) return v;
        const [running, runnable] = [clock.now / 3 / domain.id, v.vcpu === 1 ? clock.now / 5 : 0];
        const times = { running, runnable, blocked: clock.now - running - runnable, offline: 0 };
        const state =
          v.vcpu === 1 ? ('runnable' as const) : v.vcpu === 0 ? ('running' as const) : ('blocked' as const);
        return { ...v, state, times, wakeUps: Math.floor(clock.now / 1e7) };
      }),
    }));
  return machine;
}

let screen: FakeScreen;
afterEach(() => screen.close());

async function show(
  cpus: number,
  vcpus: number,
  options: ScreenOptions = {},
  ...keys: string[]
): Promise<string[]> {
  screen = new FakeScreen(hostMachine(cpus, vcpus), { delay: 0.5, ...options });
  screen.press('f9', ...keys);
  screen.driver.run();
  screen.host.pass(4000);
  screen.driver.pause();
  return screen.lines();
}

describe.each([
  [80, 24],
  [120, 40],
  [200, 60],
] as const)('at %ix%i', (columns, rows) => {
  test.each([
    [4, 3],
    [16, 12],
    [64, 40],
  ])('%i CPUs are drawn as in the golden text', async (cpus, vcpus) => {
    const lines = await show(cpus, vcpus, { columns, rows, ascii: true });
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(
      join(import.meta.dirname, `golden/host-${cpus}-${columns}x${rows}.txt`),
    );
  });
});

test('it is the same whichever domain is chosen', async () => {
  const body = (lines: string[]) => lines.slice(3, -4);
  const first = body(await show(4, 3));
  screen.press('right');
  expect(body(await screen.lines())).toEqual(first);
  expect(await screen.text()).toMatch(/>vm1<.*\[Host\]/);
});

test('s orders virtual CPUs by what they do, a filter chooses among them', async () => {
  await show(4, 3, {}, 's', 's', 's', 's');
  expect(screen.session.tableState?.sort.column).toBe('steal');
  const rows = () =>
    screen.lines().then((all) => all.filter((l) => /vm\d\.\d .*(running|runnable|blocked)/.test(l)));
  expect((await rows())[0]).toMatch(/^>vm1\.1 +runnable +\d+ +33% +20% +47%/);
  screen.press('/', 'r', 'u', 'n', 'n', 'a', 'b', 'l', 'e', 'enter');
  expect(await rows()).toHaveLength(1);
});

test('a platform that tells nothing of it has no such view', async () => {
  screen = new FakeScreen(fakeKvmMachine(), { delay: 0.5 });
  screen.press('f9');
  expect(await screen.text()).toContain('host has no view Host');
});

test('whole lines, the keys at the bottom, at any size and number of CPUs', async () => {
  for (const [columns, rows] of [
    [60, 15],
    [61, 20],
    [160, 50],
  ] as const) {
    for (const cpus of [1, 2, 9, 64, 256]) {
      const lines = await show(cpus, 4, { columns, rows });
      const what = `${cpus} CPUs at ${columns}x${rows}`;
      expect(lines, what).toHaveLength(rows);
      expect(lines.at(-1), what).toMatch(/q quit$/);
      expect(
        lines.some((l) => l.startsWith(' vCPU')),
        what,
      ).toBe(true);
      expect(
        lines.filter((l) => l.includes('nothing fired yet')),
        what,
      ).toHaveLength(1);
      screen.close();
    }
  }
  await show(4, 3);
});
