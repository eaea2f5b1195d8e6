/** Xen as a domain of its own in the monitor: its interrupts, what waits, and the log of the hook. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { fakeKvmMachine } from '../support/fake-kvm.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';
import { machineOf, XEN_4_17 } from '../support/quiet.ts';
import { type FakeXenOptions, fakeXen, onX86 } from '../support/xen-snapshots.ts';

const SIZES = [
  [80, 24],
  [120, 40],
  [200, 60],
] as const;

const STACKS: FakeXenOptions['pendingEoi'] = [
  [],
  [
    { irq: 16, vector: 0x49, ready: true },
    { irq: 23, vector: 0x51, ready: false },
  ],
];

let screen: FakeScreen;
afterEach(() => screen.close());

/** Xen, after the given keys. The hook writes 100 records a second while it is on. */
function show(keys: readonly string[], options: ScreenOptions = {}, fake: FakeXenOptions = {}): void {
  const machine = fakeMachine({
    ...(fake.cpus !== undefined && { cpus: fake.cpus }),
    xen: (seconds, on) =>
      fakeXen({
        seconds,
        pendingEoi: STACKS,
        hook: on,
        records: on ? Math.floor(seconds * 100) : 0,
        ...fake,
      }),
  });
  screen = new FakeScreen(machine, { delay: 0.5, ...options });
  screen.press('left', ...keys);
}

async function run(ms: number): Promise<string[]> {
  screen.driver.run();
  screen.host.pass(ms);
  screen.driver.pause();
  return screen.lines();
}

const domainLine = async () => (await screen.lines()).find((l) => l.includes('>'))!;
const rowOf = (lines: readonly string[], label: string) =>
  lines.find((l) => l.replace(/^>/, ' ').trimStart().startsWith(`${label} `))?.trimEnd();

describe.each(SIZES)('at %ix%i', (columns, rows) => {
  test.each([
    ['interrupts', []],
    ['pending', ['f3']],
    ['events', ['f7', 'H']],
  ] as const)('%s are drawn as in the golden text', async (name, keys) => {
    show(keys, { columns, rows, ascii: true });
    const text = `${(await run(4000)).join('\n')}\n`;
    const golden = join(import.meta.dirname, `golden/xen-${name}-${columns}x${rows}.txt`);
    await expect(text).toMatchFileSnapshot(golden);
  });
});

test('at every size whole lines, the keys at the bottom', async () => {
  for (const key of ['f2', 'f3', 'f7']) {
    for (const cpus of [1, 2, 9, 64]) {
      for (const [columns, rows] of [
        [60, 15],
        [61, 20],
        [100, 30],
        [160, 50],
        [250, 80],
      ] as const) {
        show([key, 'H', 'j'], { columns, rows }, { cpus });
        const lines = await run(1000);
        const what = `${key}, ${cpus} CPUs at ${columns}x${rows}`;
        expect(lines, what).toHaveLength(rows);
        expect(lines.at(-1), what).toMatch(/q quit$/);
        expect(
          lines.filter((l) => l.includes('nothing fired yet')),
          what,
        ).toHaveLength(1);
        expect(
          lines.some((l) => /VECTOR|softirqs raised/.test(l)),
          what,
        ).toBe(true);
        screen.close();
      }
    }
  }
  show([]);
});

test('colour is never alone, and ASCII is enough', async () => {
  for (const keys of [[], ['f3'], ['f7', 'H']]) {
    show(keys, { ascii: true, depth: 0 });
    const plain = await run(2000);
    expect(plain.join('\n')).toMatch(/^[ -~\n]*$/);
    screen.close();
    show(keys, { ascii: true, depth: 3, theme: 'okabe-ito' });
    expect(await run(2000)).toEqual(plain);
    screen.close();
  }
  show([]);
});

describe('Xen among the domains', () => {
  test('stands behind them; its views are its own', async () => {
    show([]);
    expect(await domainLine()).toMatch(
      /^ dom0 +dom1 +dom2 +>Xen< +\[Interrupts\] +Pending +Path +Events +Devices +(hypervisor 4\.17, 4 CPUs {2})?\d+ of 16 rows$/,
    );
    screen.press('f4');
    expect(await domainLine()).toContain('Xen has no view Exits');
    screen.press('left');
    expect(await domainLine()).toMatch(/>dom2< .*\[Interrupts\] +Path +Events +Devices {2,}PV guest/);
    screen.press('f4');
    expect(await domainLine()).toContain('dom2 has no view Exits');
    screen.press('right', 'right');
    expect(await domainLine()).toMatch(/>dom0</);
  });

  test('a host without Xen has no such tab, and no hook', async () => {
    screen = new FakeScreen(fakeKvmMachine(), {});
    screen.press('H');
    expect(await domainLine()).toContain("the hook is Xen's on x86: this is KVM, Linux 6.1 x86_64");
    expect(await screen.text()).not.toMatch(/\bXen<|H hook/);
  });
});

describe('its interrupts', () => {
  test('vectors with what they are and whose, NMIs and softirqs below, counts and rates of each CPU', async () => {
    show([], { columns: 130 });
    const lines = await run(4000);
    expect(lines[3]).toMatch(/^ ?VECTOR▲ +CPU0 +CPU1 +CPU2 +CPU3 +\/s {2}30 s +PER {2}WHAT +OWNER/);
    expect(rowOf(lines, '0xd0')).toMatch(
      / 480 +480 +480 +480 +\+?480 .* \.\.\. {2}irq 29 PCI-MSI\/-X +dom0:642 nvme0q3$/,
    );
    expect(rowOf(lines, 'NMI')).toMatch(/ 0 +0 +0 +0 +0 .* do_nmi$/);
    expect(rowOf(lines, 'soft 3')).toMatch(/ 20,000 +20,000 .* P\.\. {2}softirq SCHEDULE$/);
    const labels = lines.slice(4, 20).map((l) => l.slice(1, 8).trim());
    expect(labels.slice(-9)).toEqual(['0xfc', 'NMI', ...[0, 1, 2, 3, 4, 5, 6].map((n) => `soft ${n}`)]);
  });

  test('E and R mark what is on a stack of pending EOIs, which stand in a line below', async () => {
    show([]);
    const lines = await run(1000);
    expect(rowOf(lines, '0x49')).toContain(' ..R ');
    expect(rowOf(lines, '0x51')).toContain(' .E. ');
    expect(rowOf(lines, '0xa0')).toContain(' ... ');
    expect(lines.find((l) => l.startsWith(' pending EOI'))?.trimEnd()).toBe(
      ' pending EOI  CPU1 0x51 irq 23, 0x49 irq 16 ready',
    );
    screen.close();
    show([], {}, { pendingEoi: [] });
    expect(await screen.text()).toMatch(/^ pending EOI {2}none *$/m);
  });

  test('the brakes that have been used stand behind, with what they hold back now', async () => {
    show(
      [],
      {},
      {
        pendingEoi: [],
        brakes: [
          { name: 'irq_ratelimit', count: 1234, irqs: [29, 7] },
          { name: 'irq_guest_eoi_timer', count: 0, irqs: [] },
        ],
      },
    );
    expect(await screen.text()).toMatch(/^ pending EOI {2}none {2}irq_ratelimit 1,234 now irq 29, 7 *$/m);
  });

  test('are a table like any: order, filter, idle rows', async () => {
    show([]);
    await run(3000);
    const first = async () => (await screen.lines())[4]!.slice(1, 8).trim();
    screen.press('s');
    expect(await first()).toBe('0xfa');
    screen.press('/', 'd', 'o', 'm', '1', ':', 'enter');
    expect(await domainLine()).toContain('filter /dom1:/  1 of 16 rows');
    expect(await first()).toBe('0x49');
    screen.press('esc', 'z');
    expect(await domainLine()).toContain('idle hidden  8 of 16 rows');
  });
});

describe('what waits', () => {
  test('the physical local APICs and the IOAPIC, softirqs that are raised, the stack from its top', async () => {
    show(['f3', 'j']);
    await run(1000);
    const lines = (await screen.lines()).map((l) => l.trimEnd());
    expect(lines.slice(3, 7)).toEqual([
      expect.stringMatching(/^ CPU 1 {2}(idle|guest, dom\d\.\d) {2}xAPIC +IF 1 {2}TPR 00 {2}PPR 50$/),
      expect.stringMatching(
        /^ softirqs raised {2}SCHEDULE {2,}event checks of all CPUs: 427 sent, 9,573 saved by mwait$/,
      ),
      ' pending EOI  0x51  waits for its guests  irq 23 IO-APIC-level  dom0:23 uhci_hcd:usb3',
      '              0x49  ready, below another  irq 16 IO-APIC-level  dom0:16 i801_smbus, dom1:16',
    ]);
    const text = lines.join('\n');
    expect(text).toMatch(/ISR 51 dom0:23 uhci_hcd:usb3/);
    expect(text).toMatch(
      / 16 {2}49 L02 {2}\w+ +level-lo .* waits for EOI of 49, dom0:16 i801_smbus, dom1:16/,
    );
    expect(text).toMatch(/^ CPU 3 .* IF 0$/m);
  });

  test('of the other CPUs a line, with the vectors on their stacks', async () => {
    show(['f3'], { columns: 80, rows: 24 });
    expect(await screen.text()).toMatch(
      /^ softirqs raised {2}- +event checks of all CPUs: 427 sent, .*\n pending EOI {2}- *$/m,
    );
    expect(await screen.text()).toMatch(
      /^ CPU 1 .* EOI 51 49 {2}IRR - {3}ISR 51 {2}TMR - {3}PPR 50 {2}IF 1 *$/m,
    );
    screen.resize(60, 15);
    screen.press('j');
    expect(await screen.text()).toMatch(
      /^ softirqs raised {2}SCHEDULE {3}pending EOI {2}0x51 irq 23, 0x49…$/m,
    );
  });
});

describe('the hook', () => {
  test('H switches it, in every view; the line of the domains says so', async () => {
    show([]);
    screen.press('H');
    expect(await domainLine()).toContain('hook on: see Events of Xen');
    screen.press('left');
    expect(await domainLine()).toMatch(/>dom2< .* {2}hook on {2}PV guest|>dom2< .* {2}hook on {2}\d+ of/);
    screen.press('H');
    expect(await domainLine()).toContain('hook off');
    screen.press('left');
    expect(await domainLine()).not.toContain('hook');
  });

  test('its log: off it says how to begin, on the newest stands on top, with the cost below', async () => {
    show(['f7', 'H', 'H']);
    expect(await screen.text()).toContain(' the hook is off: H records each vector that comes to Xen');
    screen.press('H');
    expect(await screen.text()).toContain(' no vector has come yet since the hook is on');
    const lines = await run(3000);
    expect(lines[3]).toMatch(/^ +TIME▼ +CPU {2}VCPU +POINT +VECTOR {2}WHAT +JOURNEY *$/);
    expect(lines[4]).toMatch(/^>1\.369 135 533 s +3 {2}d2v0 +exception exit +0x0e {2}#PF page fault *$/);
    expect(lines[5]).toMatch(/ d\[IDLE\]v2 +direct_apic_vector +0xfa {2}apic_timer_interrupt *$/);
    expect(lines[6]).toMatch(/ d0v1 +do_IRQ +0xd0 {2}irq 29 PCI-MSI\/-X +#397$/);
    const cost = lines.findIndex((l) => l.startsWith(' hook on'));
    expect(lines.slice(cost, cost + 3).map((l) => l.trimEnd())).toEqual([
      ' hook on 100/s               CPU0       CPU1       CPU2       CPU3      TOTAL',
      ' records                       75         75         75         75        300',
      ' added, interrupts off     4.5 us     4.5 us     4.5 us     4.5 us      18 us',
    ]);
    screen.press('g');
    expect(await domainLine()).toMatch(/ hook on {2}1-\d+ of 64 rows$/);
  });

  test('Esc takes off the filter of its log, then goes back to the trace; H shows it again', async () => {
    show(['f7', 'H', '/', 'x', 'enter', 'esc']);
    expect(screen.session.tableState?.filter).toBe('');
    expect(await screen.text()).toMatch(/ POINT +VECTOR /);
    screen.press('esc');
    expect(await screen.text()).toMatch(/ FUNCTION +WHAT /);
    screen.press('H');
    expect(await screen.text()).toMatch(/ POINT +VECTOR /);
  });

  test('its log is filtered and ordered; hiding what is idle hides nothing there', async () => {
    show(['f7', 'H', 'z']);
    await run(3000);
    expect(await domainLine()).toMatch(/ 1-\d+ of 64 rows$/);
    screen.press('R');
    expect((await screen.lines())[4]).toContain('1.291 357 812 s');
    screen.press('R', 's');
    expect((await screen.lines())[4]).toContain(' 0x0e ');
    screen.press('/', 'd', '0', 'v', '1', 'enter');
    expect(await domainLine()).toMatch(/filter \/d0v1\/ {2}21 of 64 rows/);
  });

  test('on a machine of Xen’s it records, and stops', async () => {
    screen = new FakeScreen(machineOf(XEN_4_17), { delay: 0.5 });
    screen.press('left', 'f7', 'H');
    await run(1000);
    const { hook } = onX86(screen.driver.get().snapshot.xen);
    expect(hook.on).toBe(true);
    expect(hook.cpus.reduce((n, cpu) => n + cpu.records, 0)).toBeGreaterThan(20);
    expect(await screen.text()).toContain('direct_apic_vector');
    screen.press('H');
    await run(1000);
    expect(onX86(screen.driver.get().snapshot.xen).hook).toEqual({ ...hook, on: false });
  });
});

describe('Enter', () => {
  test('on a vector follows the last interrupt that it brought, and Esc comes back', async () => {
    screen = new FakeScreen(machineOf(XEN_4_17), { delay: 0.5 });
    screen.press('2');
    await run(500);
    screen.press('left', '/', 'i', 'r', 'q', ' ', '2', '3', 'enter', 'enter');
    const text = await screen.text();
    expect(text).toMatch(/^ Xen:0x[0-9a-f]{2} {2}#\d+ .* us to the handler/m);
    expect(text).toMatch(/ do_IRQ +vector 0x[0-9a-f]{2} irq 23/);
    expect(text).toMatch(/ handle_irq_event +dom0/);
    screen.press('esc');
    expect(await domainLine()).toContain('[Interrupts]');
  });

  test('on a line of the log follows that interrupt, and { the one before', async () => {
    screen = new FakeScreen(machineOf(XEN_4_17), { delay: 0.5 });
    screen.press('left', 'f7', 'H');
    for (let n = 0; n < 3; n++) {
      screen.press('2');
      await run(200);
    }
    screen.press('/', 'i', 'r', 'q', ' ', '2', '3', 'enter');
    const journeys = screen.session.table!.rows.map((row) => row.journey);
    expect(journeys).toHaveLength(3);
    const title = async () => Number(/^ Xen:0x.. {2}#(\d+)/m.exec(await screen.text())?.[1]);
    screen.press('enter');
    expect(await title()).toBe(journeys[0]);
    screen.press('{');
    expect(await title()).toBe(journeys[1]);
    screen.press('esc');
    expect(await domainLine()).toContain('[Events]');
  });

  test('where no raise stands behind the vector it says so', async () => {
    screen = new FakeScreen(machineOf(XEN_4_17), { delay: 0.5 });
    screen.press('left', 'H');
    await run(500);
    screen.press('/', '0', 'x', 'f', 'a', 'enter', 'enter');
    expect(await domainLine()).toContain('no raise behind vector 0xfa lately');
    screen.press('f7', '/', 'f', 'a', 'enter', 'enter');
    expect(await domainLine()).toContain('no raise stands behind it: it has no path');
    screen.press('f2', 'esc', 'G', 'enter');
    expect(await domainLine()).toContain('Enter follows an interrupt: choose its row first');
  });
});
