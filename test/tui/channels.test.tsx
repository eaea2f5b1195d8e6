/** Event channels in the pending view: alone, below local APICs and list registers, at every size. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type EventChannelsSnapshot, takeSnapshot } from '../../engine/index.ts';
import { channelLines } from '../../tui/components/channels.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';
import { machineOf, XEN_3_4, XEN_4_17 } from '../support/quiet.ts';

let screen: FakeScreen | undefined;
afterEach(() => {
  screen?.close();
  screen = undefined;
});

const lines = async () => (await screen!.lines()).map((line) => line.trimEnd());

function show(scenario: string, keys: readonly string[], options: ScreenOptions = {}): void {
  const machine = machineOf(scenario);
  machine.runUntil(1e9);
  screen = new FakeScreen(machine, options);
  screen.press('f3', ...keys);
}

describe.each([
  [80, 24],
  [120, 40],
  [200, 60],
] as const)('at %ix%i', (columns, rows) => {
  test.each([
    ['fifo', XEN_4_17],
    ['2l', XEN_3_4],
  ] as const)('of %s as in the golden text', async (name, scenario) => {
    show(scenario, [], { columns, rows, ascii: true });
    const golden = join(import.meta.dirname, `golden/channels-${name}-${columns}x${rows}.txt`);
    await expect(`${await screen!.text()}\n`).toMatchFileSnapshot(golden);
  });
});

const HVM = `
name: quiet
title: an HVM guest
xen: '4.17'
cpus: 2
dom0: {kernel: linux-6.1, vcpus: 1, cpus: [0]}
guests: [{type: hvm, vcpus: 2, cpus: [1], rings: 0}]
`;

test.each([
  [120, 40],
  [200, 60],
])('of an HVM guest they stand below its chips at %ix%i', async (columns, rows) => {
  show(HVM, ['right'], { columns, rows });
  const text = (await lines()).join('\n');
  expect(text).toMatch(/IRR/);
  expect(text).toMatch(/^ FIFO {2}ready 0x0000 {2}\d+ in use \(\d of Xen\), limit 1,023/m);
  expect(text).toMatch(/^ port +\d+ .*Xen consumes it/m);
  expect(text).toMatch(/q quit$/);
});

test('where there is no room for more, a line says what is pending', async () => {
  show(HVM, ['right'], { columns: 80, rows: 24 });
  expect((await lines()).filter((l) => / upcall_pending 0 {2}mask \d {2}pending -$/.test(l))).toHaveLength(1);
});

test('down chooses the next virtual CPU', async () => {
  show(HVM, ['right', 'down']);
  expect(await lines()).toContainEqual(
    expect.stringMatching(/^ vCPU 1 .* evtchn_upcall_pending 0 {2}mask \d/),
  );
});

test('at 60 columns a line has half the ports, and nothing is cut off', async () => {
  show(XEN_4_17, [], { columns: 60, rows: 15, ascii: true });
  const shown = await lines();
  expect(shown).toContainEqual(expect.stringMatching(/^ vCPU 0 .* upcall_pending \d {2}mask \d/));
  expect(shown).toContainEqual(expect.stringMatching(/^ {7}0 {2}\.[-+MmPpXx.]{31}$/));
});

describe('marks', () => {
  const domain = () => {
    const machine = machineOf(XEN_4_17);
    machine.runUntil(0.5e9);
    return takeSnapshot(machine).domains[0]!;
  };
  const channel = (port: number, rest: object) => ({
    port,
    vcpu: 0,
    what: `interdomain dom1:${port}`,
    pending: false,
    masked: false,
    priority: 7,
    link: null,
    busy: false,
    kept: false,
    ...rest,
  });
  const vcpu = { upcallPending: 1, upcallMask: 0, sel: [0, 2], ready: null, queues: [] };
  const events: EventChannelsSnapshot = {
    abi: '2-level',
    wordBits: 64,
    limit: 1023,
    ports: 4096,
    active: 5,
    ofXen: 0,
    closedBusy: [],
    channels: [
      channel(1, {}),
      channel(2, { masked: true }),
      channel(3, { pending: true }),
      channel(4, { pending: true, masked: true }),
      channel(130, { pending: true, vcpu: 1 }),
    ],
    vcpus: [vcpu],
  };
  const texts = (height: number, change: Partial<EventChannelsSnapshot> = {}) =>
    channelLines(
      { domain: domain(), events: { ...events, ...change }, vcpu: 0, ascii: true },
      100,
      height,
    ).map((line) => line.paint((_, text) => text, 100, '~').trimEnd());

  test('FIFO: each port with its priority and link; first what is closed and linked, or has no event word yet', () => {
    const queues = [{ priority: 7, head: 3, tail: 9, ports: [3, 9] }];
    const channels = [
      channel(1, { priority: 0 }),
      channel(3, { pending: true, link: 9 }),
      channel(1024, { masked: true, kept: true }),
    ];
    const all = texts(20, {
      abi: 'fifo',
      channels,
      closedBusy: [9],
      vcpus: [{ ...vcpu, sel: [], ready: 0x80, queues }],
    });
    expect(all[2]).toMatch(/\+ neither {2}L closed, linked, of vCPU 0;/);
    expect(all[3]).toBe(`       0  .+.P.....L${'.'.repeat(54)}`);
    expect(all).toContain(' queue 7  head 3  tail 9   3 > 9');
    expect(all.filter((line) => line.startsWith(' port '))).toEqual([
      expect.stringMatching(/^ port {4}9 {2}closed, still linked: not given out/),
      expect.stringMatching(/^ port 1024 {2}raised, no word prio 7 {3}- {8}vCPU 0/),
      expect.stringMatching(/^ port {4}3 {2}pending {9}prio 7 {3}L>9 {6}vCPU 0/),
      expect.stringMatching(/^ port {4}1 {18}prio 0 {3}- {8}vCPU 0/),
    ]);
  });

  test('a port is a mark at its place, small for other vCPUs; a selected word has a star', () => {
    const all = texts(20);
    expect(all[0]).toMatch(/evtchn_upcall_pending 1 {2}mask 0/);
    expect(all[1]).toBe(' 2-level  evtchn_pending_sel 0000000000000005  5 in use, limit 1,023, 4,096 ports');
    expect(all[3]).toBe(`*      0  .+MPX${'.'.repeat(59)}`);
    expect(all[4]).toBe(`*    128  ..p${'.'.repeat(61)}`);
    expect(all.slice(5).map((l) => l.slice(0, 30).trimEnd())).toEqual([
      ' port    3  pending         vCPU 0'.slice(0, 30),
      ' port    4  pending masked  vCPU 0'.slice(0, 30),
      ' port  130  pending         vCPU 1'.slice(0, 30),
      ' port    2  masked          vCPU 0'.slice(0, 30),
      ' port    1                  vCPU 0'.slice(0, 30),
    ]);
  });

  test('queues are told by their links', () => {
    const queues = [{ priority: 7, head: 3, tail: 4, ports: [3, 4] }];
    const all = texts(20, { abi: 'fifo', vcpus: [{ ...vcpu, ready: 0x80, queues }] });
    expect(all[1]).toMatch(/^ FIFO {2}ready 0x0080 {2}5 in use/);
    expect(all).toContain(' queue 7  head 3  tail 4   3 > 4');
  });

  test('never more lines than there is room', () => {
    for (let height = 0; height < 14; height++) expect(texts(height).length).toBeLessThanOrEqual(height);
  });
});
