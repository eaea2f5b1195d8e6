/** The monitor on a Xen host on ARM: list registers and lists of virtual CPUs, Xen with the physical GIC. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { buildMachine, builtinScenario } from '../../engine/index.ts';
import type { ArmSnapshot } from '../../engine/machine/inspect.ts';
import { armVcpu, busyArm, fakeXenArm } from '../support/arm-snapshots.ts';
import { fakeKvmMachine } from '../support/fake-kvm.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';

const SIZES = [
  [80, 24],
  [120, 40],
  [200, 60],
] as const;

let screen: FakeScreen;
afterEach(() => screen.close());

/** The pending view of a guest with this GIC. */
async function pending(arm: ArmSnapshot, options: ScreenOptions = {}): Promise<string[]> {
  const machine = fakeKvmMachine({
    change: ({ x86: _, ...guest }) => ({ ...guest, arm }),
  });
  screen = new FakeScreen(machine, options);
  screen.press('right', 'f3');
  return trimmed();
}

/** Xen, after the given keys. */
async function xen(keys: readonly string[], options: ScreenOptions = {}): Promise<string[]> {
  screen = new FakeScreen(fakeMachine({ xen: fakeXenArm }), options);
  screen.press('left', ...keys);
  return trimmed();
}

const trimmed = async () => (await screen.lines()).map((line) => line.trimEnd());

describe.each(SIZES)('at %ix%i', (columns, rows) => {
  const size = { columns, rows };
  const golden = (name: string) => join(import.meta.dirname, `golden/arm-${name}-${columns}x${rows}.txt`);

  test('list registers are drawn as in the golden text', async () => {
    const lines = await pending(busyArm(), size);
    await expect(lines.join('\n')).toMatchFileSnapshot(golden('list-registers'));
  });

  test('Xen’s interrupts and its GIC too', async () => {
    await expect((await xen([], size)).join('\n')).toMatchFileSnapshot(golden('xen-interrupts'));
    screen.close();
    await expect((await xen(['f3'], size)).join('\n')).toMatchFileSnapshot(golden('xen-gic'));
  });
});

describe('list registers', () => {
  test('each in its state, with both numbers, its priority and who it is for', async () => {
    const lines = await pending(busyArm());
    expect(lines[3]).toMatch(
      /^ vCPU 0 {2}running on CPU0, EL1 {2}live +I 1 {2}HCR En UIE {2}VMCR f04c000a {2}PMR f0 {2}AP0R - {2}AP1R a0$/,
    );
    for (const row of [
      '   0  active       36    36    a0  b0a0002400000024  virtio2',
      '   1  pending       1     -    a0  50a0000000000001',
      '   2  pending      78    78    a0  70a0004e0000004e  virtio0',
      '   3  pend+act     79    79    a0  f0a0004f0000004f  virtio1',
    ]) {
      expect(lines).toContain(row);
    }
  });

  test('one that the guest is done with is not yet what an old one is: Xen still counts it', async () => {
    const lines = await pending(busyArm());
    expect(lines).toContain('   0  done         79    79    a0  30a0004f0000004f  virtio1');
    expect(lines).toContain('   1  - stale -    27     -    a0  10a000000000001b  arch_timer');
    expect(lines.filter((line) => /^ {3}\d {2}empty$/.test(line)).length).toBe(2 + 4);
  });

  test('what waits for a register stands first, what is in flight with its own', async () => {
    const lines = await pending(busyArm());
    expect(lines.find((l) => l.startsWith(' waiting 27'))).toBe(
      ' waiting 27 arch_timer        in flight 36 virtio2 LR0, 1 LR1, 78 virtio0 LR2, 79 virtio1 LR3, 27 arch_timer no LR',
    );
  });

  test('so does what is queued still, and in no list', async () => {
    const lines = await pending({ ...busyArm(), vcpus: [armVcpu({ leftQueued: [27] })] });
    expect(lines).toContain(' waiting -                    in flight -   QUEUED left over 27 arch_timer');
  });

  test('saved ones are called as Xen prints them, and there is no HCR', async () => {
    const lines = await pending({ ...busyArm(), vcpus: [armVcpu()] });
    expect(lines.some((l) => /blocked, last on CPU1 {2}saved +I 0 {2}HCR - /.test(l))).toBe(true);
    expect(lines.some((l) => /^ {2}LR .*prio {2}VCPU_LR +what$/.test(l))).toBe(true);
    expect(lines.join('\n')).not.toContain('HW_LR');
  });

  test('on GICv2 they are of 32 bits, and there is one register of active priorities', async () => {
    const lr = { ...armVcpu().lrs[0]!, value: '9a013c4f', state: 'pending', virq: 79, pirq: 79 } as const;
    const one = armVcpu({ ap0: 1 << 20, live: true, hcr: 1, lrs: [{ ...lr, priority: 0xa0, used: true }] });
    const lines = await pending({ ...busyArm(), version: 2, vcpus: [one] });
    expect(lines).toContain('   0  pending      79    79    a0  9a013c4f  virtio1');
    expect(lines.some((l) => l.endsWith('PMR f0  APR a0'))).toBe(true);
  });

  test('up and down choose the virtual CPU in full; with no room the others have a line each', async () => {
    let lines = await pending(busyArm(), { columns: 80, rows: 20 });
    expect(lines.some((l) => /^ vCPU 1 {2}running on CPU2, EL2 {2}LR0 79 done +HCR En {2}I 0$/.test(l))).toBe(
      true,
    );
    screen.press('down', 'down');
    lines = await trimmed();
    expect(lines[3]).toMatch(/^ vCPU 2 {2}blocked, last on CPU1 {2}saved/);
    expect(lines.some((l) => /^ vCPU 0 .*LRs 36 1 78 79 .*waiting 27/.test(l))).toBe(true);
    screen.press('down');
    expect(await trimmed()).toEqual(lines);
  });

  test('sixteen of them on a small screen: those in use, and how many there are beside', async () => {
    const values = Array.from(
      { length: 16 },
      (_, n) => `30a000${(40 + n).toString(16)}000000${(40 + n).toString(16)}`,
    );
    const many = armVcpu({ lrMask: 0x8001, values });
    const lines = await pending({ ...busyArm(), vcpus: [many, many, many, many] }, { columns: 80, rows: 24 });
    const shown = lines
      .filter((l) => /^ {2,3}\d+ {2}(done|- stale)/.test(l))
      .map((l) => Number.parseInt(l, 10));
    expect(shown).toContain(0);
    expect(shown).toContain(15);
    const hidden = Number(
      lines
        .find((l) => l.includes('more list registers'))!
        .trim()
        .split(' ')[0],
    );
    expect(shown.length + hidden).toBe(16);
  });
});

describe('Xen', () => {
  test('counts by INTID: who has it, and what it does at the GIC now', async () => {
    const lines = await xen([]);
    expect(lines[3]).toMatch(/^ ?INTID▲ +CPU0 +CPU1 +CPU2 +CPU3 +\/s {2}30 s +PLA {2}WHAT +OWNER$/);
    const row = (intid: number) => lines.find((l) => new RegExp(`^[ >]+${intid} `).test(l))!;
    expect(row(36)).toMatch(/ PLA {2}SPI level +dom0:36 virtio2$/);
    expect(row(79)).toMatch(/ \.\.A {2}SPI edge +dom0:79 virtio1$/);
    expect(row(27)).toMatch(/ PL\. {2}PPI level +Xen virtimer$/);
    expect(lines.join('\n')).not.toMatch(/NMI|pending EOI/);
    expect(lines).toContain(' list registers  CPU0 dom0.0 4 of 4 UIE  CPU1 -  CPU2 dom0.1 1 of 4  CPU3 -');
  });

  test('has no log of a hook', async () => {
    const lines = await xen([]);
    expect(lines.join('\n')).not.toMatch(/H hook/);
    screen.press('f7');
    expect(await screen.text()).toMatch(/ MODE +VCPU +FUNCTION +WHAT /);
  });

  test('its GIC: of private interrupts those of the chosen CPU, and of others what is going on', async () => {
    const lines = await xen(['f3']);
    expect(lines).toContain('    27  1    pending   high  level   a0          Xen virtimer');
    expect(lines).toContain('    36  -    pend+act  high  level   a0   CPU0   dom0:36 virtio2');
    expect(lines).toContain('    79  -    active    low   edge    a0   CPU2   dom0:79 virtio1');
    expect(lines.filter((l) => l.endsWith('Xen GIC_SGI_EVENT_CHECK')).length).toBe(1);
    expect(lines.some((l) => /^ CPU 1 .*next 27 {2}signals IRQ/.test(l))).toBe(true);
    screen.press('down');
    expect((await trimmed()).some((l) => /^ softirqs raised +SCHEDULE/.test(l))).toBe(true);
  });
});

describe('the machine that runs out of list registers', () => {
  test('is shown with all of them full, UIE set and what waits', async () => {
    const machine = buildMachine(builtinScenario('xen-arm-lr-exhaustion')!, 42);
    const full = () =>
      machine.platform.domains()[0]!.arm!.vcpus.find((v) => v.hcr === 3 && v.waiting.length > 0);
    while (!full()) machine.step();
    const { vcpu, waiting } = full()!;
    screen = new FakeScreen(machine);
    screen.press('f3', ...Array.from({ length: vcpu }, () => 'down'));
    const lines = await trimmed();
    expect(lines.some((l) => new RegExp(`^ vCPU ${vcpu} .* HCR En UIE `).test(l))).toBe(true);
    expect(lines.some((l) => l.startsWith(` waiting ${waiting[0]} `))).toBe(true);
    expect(
      lines.filter((l) => /^ {3}[01] {2}(pending|active|pend\+act) .* a0 /.test(l)).length,
    ).toBeGreaterThan(1);
  });
});
