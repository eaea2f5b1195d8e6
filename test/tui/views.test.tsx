/** The views of a domain: which there are, how one gets there, and what each shows of fabricated machines. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { EXITS, exitRows } from '../../tui/exits-table.ts';
import { History } from '../../tui/history.ts';
import { tableModel } from '../../tui/table-model.ts';
import { FIRST_TABLES } from '../../tui/views.ts';
import { type FakeKvmOptions, fakeKvmMachine } from '../support/fake-kvm.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';
import { kvmGuest } from '../support/kvm-snapshots.ts';

const SIZES = [
  [80, 24],
  [120, 40],
  [200, 60],
] as const;

let screen: FakeScreen;

afterEach(() => screen.close());

/** The first guest, after the given keys. */
function show(keys: readonly string[], options: ScreenOptions = {}, fake: FakeKvmOptions = {}): FakeScreen {
  screen = new FakeScreen(fakeKvmMachine(fake), { delay: 0.5, ...options });
  screen.press('right', ...keys);
  return screen;
}

async function run(ms: number): Promise<string[]> {
  screen.driver.run();
  screen.host.pass(ms);
  screen.driver.pause();
  return screen.lines();
}

const domainLine = async () => (await screen.lines()).find((l) => l.includes('>'))!;

describe('choosing a view', () => {
  test('Tab goes round, Shift-Tab goes back, function keys go there', async () => {
    show([]);
    const shown: (string | undefined)[] = [];
    for (const key of ['tab', 'tab', 'tab', 'tab', 'tab', 'tab', 'shift-tab', 'f3', 'f2', 'f4', 'f5', 'f8']) {
      screen.press(key);
      shown.push(/\[(\w+)\]/.exec(await domainLine())?.[1]);
    }
    const round = ['Pending', 'Exits', 'Path', 'Events', 'Devices', 'Interrupts', 'Devices'];
    expect(shown).toEqual([...round, 'Pending', 'Interrupts', 'Exits', 'Path', 'Devices']);
  });

  test('a domain without chips and exits has no choice, but what was chosen comes back with the next', async () => {
    show(['f4']);
    screen.press('left');
    expect(await domainLine()).toMatch(/>host< {3}vm1 {4}vm2 .* host, Linux 6\.1, 4 vCPUs {2}5 of 5 rows$/);
    expect(await screen.text()).toMatch(/^IRQ▲ /m);
    screen.press('f3');
    expect(await domainLine()).toContain('host has no view Pending');
    screen.press('right');
    expect(await domainLine()).toContain('[Exits]');
    expect(await screen.text()).toMatch(/^ REASON /m);
  });

  test('a platform without them does not speak of Pending and Exits', async () => {
    screen = new FakeScreen(fakeMachine(), { delay: 0.5 });
    expect(await screen.text()).not.toMatch(/Pending|Exits/);
    screen.press('tab');
    expect(await domainLine()).toContain('[Path]');
    screen.press('tab', 'tab', 'tab');
    expect(await domainLine()).toContain('[Interrupts]');
  });

  test('each table keeps its own order, filter and selection', async () => {
    show(['s', '/', 'v', 'i', 'r', 't', 'enter', 'f4', 'R', 'j', 'j']);
    expect(await domainLine()).toMatch(/\[Exits\] .* 9 of 9 rows$/);
    expect(screen.session.tableState).toMatchObject({ sort: { column: 'total', reverse: true }, filter: '' });
    screen.press('f2');
    expect(await domainLine()).toContain('filter /virt/  1 of 5 rows');
    expect(screen.session.tableState?.sort).toEqual({ column: 'total', reverse: false });
    screen.press('tab', 'tab');
    expect(screen.session.table?.selected).toBe(2);
  });

  test.each(['s', '<', '>', 'R', '/', 'f'])('%s in a view that is no table says so', async (key) => {
    show(['f3', key]);
    expect(await domainLine()).toContain('Pending is no table');
    expect(screen.session.ui.prompt).toBeNull();
  });
});

describe.each(SIZES)('at %ix%i', (columns, rows) => {
  test.each([
    ['exits', 'f4', {}],
    ['pending', 'f3', {}],
    ['pending-posted', 'f3', { posted: true, vcpus: 12 }],
  ] as const)('%s is drawn as in the golden text', async (name, key, fake) => {
    show([key], { columns, rows, ascii: true }, fake);
    const text = `${(await run(4000)).join('\n')}\n`;
    await expect(text).toMatchFileSnapshot(
      join(import.meta.dirname, `golden/${name}-${columns}x${rows}.txt`),
    );
  });
});

describe('at every size', () => {
  test.each(['f3', 'f4'])('%s: whole lines, the keys at the bottom', async (key) => {
    for (const vcpus of [1, 2, 9, 64]) {
      for (const [columns, rows] of [
        [60, 15],
        [61, 20],
        [100, 30],
        [122, 36],
        [160, 50],
        [250, 80],
      ] as const) {
        const change: FakeKvmOptions['change'] = (guest) => ({
          ...guest,
          x86: { ...guest.x86!, vectors: guest.x86!.lapics.map(() => ({ 81: '漢字'.repeat(60) })) },
        });
        show([key, 'j'], { columns, rows }, { vcpus, posted: vcpus > 1, change });
        const lines = await run(1000);
        const what = `${vcpus} vCPUs at ${columns}x${rows}`;
        expect(lines, what).toHaveLength(rows);
        expect(lines.at(-1), what).toMatch(/q quit$/);
        expect(
          lines.filter((l) => l.includes('nothing fired yet')),
          what,
        ).toHaveLength(1);
        expect(
          lines.some((l) => /^ (REASON|vCPU)/.test(l)),
          what,
        ).toBe(true);
        screen.close();
      }
    }
    show([key]);
  });

  test('colour is never alone, and ASCII is enough', async () => {
    for (const key of ['f3', 'f4']) {
      show([key], { ascii: true, depth: 0 });
      const plain = await run(2000);
      expect(plain.join('\n')).toMatch(/^[ -~\n]*$/);
      screen.close();
      show([key], { ascii: true, depth: 3, theme: 'okabe-ito' });
      expect(await run(2000)).toEqual(plain);
      screen.close();
    }
    show([]);
  });
});

describe('exits', () => {
  const guest = kvmGuest({ seconds: 10, vcpus: 4 });
  const rows = exitRows(guest, false);

  test('are rows of the snapshot, with their shares of number and time', () => {
    expect(rows.map((row) => row.reason)).toEqual([0, 1, 7, 12, 30, 32, 44, 48, 49]);
    for (const of of ['share', 'time'] as const) {
      expect(rows.reduce((n, row) => n + row[of], 0)).toBeCloseTo(1, 12);
    }
    const hlt = rows.find((row) => row.label === 'HLT')!;
    expect(hlt).toMatchObject({ total: 2403, mean: 812_000, p99: 3_950_000 });
    expect(hlt.time).toBeGreaterThan(0.98);
  });

  test('that never took time or never were give no number', () => {
    const row = { reason: 12, name: 'HLT', counts: [0], totalNs: 0, p99Ns: 0 };
    const [only] = exitRows({ ...guest, exits: { rows: [row], stats: [] } }, false);
    expect([only!.share, only!.time, only!.mean]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    show(['f4'], {}, { change: (d) => ({ ...d, exits: { rows: [row], stats: [] } }) });
    return screen.lines().then((lines) => {
      expect(lines.find((l) => l.startsWith('>HLT'))).toMatch(/^>HLT +0 +0 +- +- +- +- +0 ns/);
    });
  });

  test.each([
    ['total', 'MSR_WRITE', 'EXCEPTION_NMI'],
    ['share', 'MSR_WRITE', 'EXCEPTION_NMI'],
    ['time', 'HLT', 'EXCEPTION_NMI'],
    ['mean', 'HLT', 'INTERRUPT_WINDOW'],
    ['p99', 'HLT', 'INTERRUPT_WINDOW'],
    ['cpu0', 'MSR_WRITE', 'EXCEPTION_NMI'],
    ['reason', 'EXCEPTION_NMI', 'EPT_MISCONFIG'],
  ] as const)('by %s from %s to %s, and the other way round', (column, first, last) => {
    const sorted = (reverse: boolean) =>
      EXITS.sorted(rows, { column, reverse }, new History()).map((row) => row.label);
    expect([sorted(false)[0], sorted(false).at(-1)]).toEqual([first, last]);
    expect([sorted(true)[0], sorted(true).at(-1)]).toEqual([last, first]);
  });

  test('by what they do now', () => {
    const history = new History();
    for (const [ms, busy] of [
      [0, 0],
      [500, 7],
    ] as const) {
      history.sample(ms * 1e6, ms);
      for (const row of rows) history.count(row.key, row.label === 'EPT_VIOLATION' ? busy : 5);
    }
    expect(EXITS.sorted(rows, { column: 'rate', reverse: false }, history)[0]!.label).toBe('EPT_VIOLATION');
  });

  test('columns never need more than the terminal has, and lose the least dear first', () => {
    show(['f4']);
    const { frame, size, ui } = screen.session.get();
    for (const vcpus of [1, 2, 4, 8, 9, 64, 300]) {
      const domain = kvmGuest({ vcpus });
      for (let columns = 60; columns <= 300; columns++) {
        for (const totals of [false, true]) {
          const state = { frame, ui: { ...ui, totals }, size: { ...size, columns } };
          const scroll = { top: 0, selected: 0 };
          const model = tableModel(EXITS, FIRST_TABLES.exits, state, domain, scroll, screen.session.glyphs);
          const used = model.columns.reduce((n, c) => n + c.gap + c.width, 1);
          const what = `${vcpus} vCPUs, ${columns} cells`;
          expect(used, what).toBeLessThanOrEqual(columns);
          const sorts = model.columns.map((c) => c.sort);
          for (const column of ['reason', 'total', 'rate', 'share', 'mean', 'p99'] as const) {
            expect(sorts, what).toContain(column);
          }
          if (columns >= 80) expect(model.columns.at(-1)!.title.trimEnd(), what).toBe('30 s');
          const apart = sorts.filter((s) => s?.startsWith('cpu')).length;
          expect([0, totals || vcpus > 8 ? 0 : vcpus], what).toContain(apart);
        }
      }
    }
  });

  test('each vCPU where there is room, the sum on request and at 80 columns; rates and sparklines move', async () => {
    show(['f4']);
    let lines = await run(4000);
    expect(lines[3]).toMatch(/^ REASON +vCPU0 +vCPU1 +TOTAL▼ +\/s SHARE {2}TIME +AVG +P99 {2}30 s *$/);
    expect(lines.find((l) => l.startsWith('>MSR_WRITE'))).toMatch(
      /^>MSR_WRITE +1,062 +1,061 +2,123 +\+?530 +38% +0% +1 us +1\.7 us .*▇▇ *$/,
    );
    screen.press('t');
    lines = await screen.lines();
    expect(lines[3]).toMatch(/^ REASON +TOTAL▼ {2}vC +\/s/);
    screen.press('t');
    screen.resize(80, 24);
    lines = await screen.lines();
    expect(lines[3]).toMatch(/^ REASON +TOTAL▼ +\/s SHARE {2}TIME +AVG +P99 {2}30 s *$/);
  });

  test('the keys of tables act: order, filter, idle rows', async () => {
    show(['f4']);
    await run(4000);
    const first = async () => /^.(\w+)/.exec((await screen.lines())[4]!)![1];
    screen.press('s', 's');
    expect((await screen.lines())[3]).toContain('TIME▼');
    expect(await first()).toBe('HLT');
    screen.press('R');
    expect(await first()).toBe('EXCEPTION_NMI');
    screen.press('>', '>');
    expect((await screen.lines())[3]).toContain('P99▼');
    for (let i = 0; i < 12; i++) screen.press('<');
    expect((await screen.lines())[3]).toContain('REASON▲');
    screen.press('z');
    expect(await domainLine()).toContain('idle hidden  8 of 9 rows');
    screen.press('/', '^', '4', '[', '8', '9', ']', 'enter');
    expect(await domainLine()).toContain('2 of 9 rows');
    expect(await screen.text()).toMatch(/^>EPT_VIOLATION .*\n EPT_MISCONFIG /m);
    screen.press('esc');
    expect(await domainLine()).toContain('8 of 9 rows');
  });

  test('the counters of the hypervisor stand below where there is room, those that counted where it is short', async () => {
    show(['f4'], { columns: 80, rows: 24 });
    expect((await run(4000)).join('\n')).toMatch(
      /counters of the hypervisor[\s\S]* halt_exits +960 .*\n invlpg +0 /,
    );
    screen.resize(80, 22);
    const text = await screen.text();
    expect(text).toMatch(/ io_exits +72/);
    expect(text).not.toContain('invlpg');
    screen.resize(80, 18);
    expect(await screen.text()).not.toContain('counters of the hypervisor');
  });
});
