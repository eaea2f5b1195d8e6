/** Keys that do something to interrupts, and the view of devices and workloads, on machines that are simulated. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { buildMachine, builtinScenario } from '../../engine/index.ts';
import { cpuListText, parseCpuList } from '../../tui/cpu-list.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';

let screen: FakeScreen;

afterEach(() => screen?.close());

async function show(
  scenario: string,
  keys: readonly string[],
  options: ScreenOptions = {},
): Promise<string[]> {
  const machine = buildMachine(builtinScenario(scenario)!, 7);
  machine.runUntil(50_000_000);
  screen = new FakeScreen(machine, { delay: 0.5, ...options });
  screen.press(...keys);
  return screen.lines();
}

async function run(ms: number): Promise<string[]> {
  screen.driver.run();
  screen.host.pass(ms);
  screen.driver.pause();
  return screen.lines();
}

const selected = async () => (await screen.lines()).find((l) => l.startsWith('>') && !l.includes('<'))!;
const notice = async () => (await screen.lines()).find((l) => />\w+</.test(l))!;
const type = (text: string) => screen.press(...text);

describe('the selected row', () => {
  test('x raises it: its path is followed at once; m disables it, and it is seen to wait', async () => {
    await show('xen-pv', []);
    // irq 1, the keyboard of dom0
    screen.press('home');
    expect(await selected()).toMatch(/^> +1 .* \.\.\. +xen-pirq .*i8042/);
    screen.press('x');
    expect(screen.driver.get().snapshot.lastFired).toMatchObject({ device: 'dom0 irq 1' });
    expect((await screen.lines()).join('\n')).toContain('last fired: dom0 irq 1');
    await run(100);
    expect(screen.driver.get().snapshot.lastFired!.latency).toBeGreaterThan(0);
    screen.press('m');
    expect(await notice()).toContain('dom0: disable_irq(1)');
    await run(200);
    screen.press('x');
    await run(100);
    expect(await selected()).toMatch(/ PM\. +xen-pirq/);
    screen.press('m');
    expect(await notice()).toContain('dom0: enable_irq(1)');
    await run(200);
    expect(await selected()).toMatch(/ \.\.\. +xen-pirq/);
  });

  test('B raises it ten times more', async () => {
    await show('kvm', ['j', 'x', 'B']);
    await run(20);
    const { books } = screen.driver.get().snapshot;
    const raised = books.filter((a) => a.source === 'kbd').reduce((n, a) => n + a.raised, 0);
    expect(raised).toBe(11);
  });

  test('a types its CPUs; what is wrong is said in a line', async () => {
    await show('xen-pv', ['a']);
    expect((await screen.lines()).join('\n')).toContain('CPUs of dom0 irq 1, as 0-1,3:');
    type('1-2');
    screen.press('enter');
    expect(await notice()).toContain('dom0: echo 1-2 > /proc/irq/1/smp_affinity_list');
    await run(200);
    const { irqStates } = screen.driver.get().snapshot.domains[0]!;
    expect(irqStates.find((s) => s.row.irq === 1)!.affinity).toEqual([1, 2]);
    screen.press('a');
    screen.press('ctrl-u');
    type('7');
    screen.press('enter');
    expect(await notice()).toContain('there is no CPU 7: 0 to 3');
    screen.press('f5', 'm');
    expect(await notice()).toContain('Interrupts (F2) has the rows for that');
  });

  test('what the real system refuses is refused in words', async () => {
    await show('xen-arm-v3', ['N']);
    expect(await notice()).toContain('this ARM has no NMI');
    screen.press('/', ...'arch_timer', 'enter', 'a', ...'1', 'enter');
    expect(await notice()).toContain('every CPU has its own, it cannot be moved (-EIO)');
    screen.press('x');
    expect(await notice()).toContain('the virtual timer raises it when it is due');
  });
});

test('i sends a reschedule IPI, N an NMI: to the processor that Pending shows', async () => {
  await show('kvm', ['right', 'f3', 'i']);
  expect(await notice()).toContain('vm1: reschedule IPI from 1 to 0');
  screen.press('f2', 'i');
  expect(await notice()).toContain('vm1: reschedule IPI from 0 to 1');
  screen.press('f5');
  expect((await screen.lines()).join('\n')).toMatch(/device sh +a process on vm1\.0/);
  await run(50);
  const hops = screen.driver.get().snapshot.lastFired!.hops.map((hop) => hop.name);
  expect(hops).toEqual(expect.arrayContaining(['smp_send_reschedule', 'scheduler_ipi']));
  const nmis = () =>
    screen.driver.get().snapshot.domains[1]!.interrupts.arch.find((row) => row.label === 'NMI')!.counts[0];
  const before = nmis()!;
  screen.press('N');
  await run(50);
  expect(nmis()).toBe(before + 1);
});

describe('Devices', () => {
  test.each([
    [80, 24],
    [120, 40],
    [200, 60],
  ] as const)('at %ix%i it is drawn as in the golden text', async (columns, rows) => {
    // before anything has happened: what costs how much is not looked at here
    screen = new FakeScreen(buildMachine(builtinScenario('kvm')!, 7), { columns, rows, ascii: true });
    screen.press('f8', 'j', 'S');
    const lines = await screen.lines();
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(
      join(import.meta.dirname, `golden/devices-${columns}x${rows}.txt`),
    );
  });

  test('S makes the selected device storm, and a badge says so until it is quiet', async () => {
    await show('kvm', ['f8', '/', ...'vm1.mouse', 'enter', 'S']);
    expect((await screen.lines())[0]).toContain(' STORM vm1.mouse ');
    expect(await selected()).toContain('10,000/s');
    screen.press('(');
    expect(await selected()).toContain('5,000/s');
    screen.press('v', ...'250', 'enter');
    expect(await selected()).toContain('250/s');
    await run(200);
    expect(screen.driver.get().snapshot.books.find((a) => a.source === 'vm1.mouse')!.raised).toBeGreaterThan(
      30,
    );
    screen.press('S');
    expect((await screen.lines())[0]).not.toContain('STORM');
    screen.press('(');
    expect(await notice()).toContain('vm1.mouse does not storm: S starts that');
  });

  test('workloads are halved, doubled, and told how many a second', async () => {
    await show('kvm', ['f8', '/', ...'device0', 'enter']);
    expect(await selected()).toContain('8/s');
    screen.press(')');
    expect(await selected()).toContain('16/s');
    screen.press('v', ...'many', 'enter');
    expect(await notice()).toContain('no number: "many"');
    screen.press('v', ...'0', 'enter');
    expect(await selected()).toContain(' 0/s');
    screen.press('S');
    expect(await notice()).toContain('device0 is a workload');
  });
});

test('lists of CPUs are read as smp_affinity_list is', () => {
  expect(parseCpuList('0-1,3', 4)).toEqual([0, 1, 3]);
  expect(parseCpuList(' 2 , 0 - 0', 4)).toEqual([0, 2]);
  expect(parseCpuList('3-1', 4)).toBe('3-1 goes backwards; it is written as 1-3');
  expect(parseCpuList('x', 4)).toBe('no list of CPUs: "x"; it is written as 0-1,3');
  expect(parseCpuList('0,', 4)).toContain('no list of CPUs');
  expect(parseCpuList('0-99999999', 4)).toContain('no list of CPUs');
  expect(parseCpuList('1', 1)).toBe('there is no CPU 1: only CPU 0');
  expect(cpuListText([0, 1, 3, 5, 6, 7])).toBe('0-1,3,5-7');
});
