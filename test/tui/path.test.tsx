/** The path view: an interrupt hop by hop, live, stepped, and looked up. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Machine } from '../../engine/index.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';
import { busy, KVM, machineOf, XEN_4_17 } from '../support/quiet.ts';

let screen: FakeScreen;
afterEach(() => screen.close());

function show(machine: Machine, options: ScreenOptions = {}): void {
  screen = new FakeScreen(machine, { delay: 0.5, ...options });
  screen.press('f5');
}

/** Lines with a hop: their time is to the nanosecond. */
const hops = async () => (await screen.lines()).filter((line) => /^[ >] +[\d,]+\.\d{3} /.test(line));
const names = async () =>
  (await hops()).map((line) => /^.{9} +(?:\d|-) {2}\w+ +(\w[\w .-]*?)(?: {2}|$)/.exec(line)![1]);
const title = async () =>
  (await screen.lines()).find((line) => /to the handler|under way for/.test(line))?.trimEnd();
const below = async () => (await screen.lines()).slice(-4, -1);

const SIZES = [
  [80, 24],
  [120, 40],
  [200, 60],
] as const;

describe.each(SIZES)('at %ix%i', (columns, rows) => {
  test.each([
    ['xen', XEN_4_17, '2'],
    ['kvm', busy(KVM, '{what: compute, vm: 1, share: 0.95}'), '1'],
  ] as const)('the way of an interrupt on %s is drawn as in the golden text', async (name, scenario, key) => {
    show(machineOf(scenario), { columns, rows, ascii: true });
    screen.driver.run();
    screen.press(key);
    screen.host.pass(100);
    screen.driver.pause();
    const text = `${await screen.text()}\n`;
    const golden = join(import.meta.dirname, `golden/path-${name}-${columns}x${rows}.txt`);
    await expect(text).toMatchFileSnapshot(golden);
  });

  test('half way, paused, is drawn as in the golden text', async () => {
    show(machineOf(XEN_4_17), { columns, rows, ascii: true });
    screen.press('2', '.', '.', '.', '.', '.');
    const text = `${await screen.text()}\n`;
    const golden = join(import.meta.dirname, `golden/path-stepped-${columns}x${rows}.txt`);
    await expect(text).toMatchFileSnapshot(golden);
  });
});

test('at every size whole lines, the keys at the bottom', async () => {
  for (const [columns, rows] of [
    [60, 15],
    [61, 20],
    [99, 30],
    [122, 36],
    [160, 50],
    [250, 80],
  ] as const) {
    show(machineOf(busy(KVM, '{what: compute, vm: 1, share: 0.95}')), { columns, rows });
    screen.driver.run();
    screen.press('1');
    screen.host.pass(100);
    const lines = await screen.lines();
    const what = `${columns}x${rows}`;
    expect(lines, what).toHaveLength(rows);
    expect(lines.at(-1), what).toMatch(/q quit$/);
    expect(await title(), what).toMatch(/ us to the handler$/);
    expect((await hops()).length, what).toBeGreaterThan(3);
    screen.close();
  }
  show(machineOf(KVM));
});

describe('stepping', () => {
  test('before anything was fired it says how to begin', async () => {
    show(fakeMachine({ quiet: true }));
    expect(await screen.text()).toContain('nothing fired yet: press 1 to 7 to follow an interrupt');
  });

  test('while paused each . shows one hop more, though several happen in one event', async () => {
    show(machineOf(XEN_4_17));
    screen.press('2');
    const order: (string | undefined)[] = [];
    for (let n = 1; n <= 15; n++) {
      const seen = await names();
      expect(seen, `step ${n}`).toHaveLength(n);
      order.push(seen.at(-1));
      expect((await hops()).at(-1)).toMatch(/^>/);
      screen.press('.');
    }
    expect(order.slice(0, 6)).toEqual([
      'raise',
      'apic accept',
      'do_IRQ',
      'do_IRQ_guest',
      'send_guest_pirq',
      'evtchn_fifo_set_pending',
    ]);
    expect(order).toContain('handle_irq_event');
  });

  test('what is not shown yet is not told: neither the handler, nor how long it took', async () => {
    show(machineOf(XEN_4_17));
    screen.press('2', '.', '.');
    expect(await title()).toMatch(/under way for 1\.[56] us: \. next hop$/);
    for (let n = 0; n < 14; n++) screen.press('.');
    expect(await title()).toMatch(/\.\d us to the handler$/);
  });

  test('when it is over . is one event again', async () => {
    show(machineOf(XEN_4_17));
    screen.press('2');
    for (let n = 0; n < 400 && screen.driver.get().snapshot.time < 104e6; n++) screen.press('.');
    const { events } = screen.driver.get().snapshot;
    screen.press('.');
    expect(screen.driver.get().snapshot.events).toBe(events + 1);
  });

  test('running shows all there is at once', async () => {
    show(machineOf(XEN_4_17));
    screen.press('2', '.');
    screen.press('space');
    screen.host.pass(50);
    expect(await title()).toMatch(/us to the handler$/);
  });

  test('in other views . is one event', async () => {
    show(machineOf(XEN_4_17));
    screen.press('f2', '2');
    const { events } = screen.driver.get().snapshot;
    screen.press('.');
    expect(screen.driver.get().snapshot.events).toBe(events + 1);
  });
});

describe('hops', () => {
  test('up and down choose one, which is explained below with what waited then', async () => {
    show(machineOf(XEN_4_17));
    screen.driver.run();
    screen.press('2');
    screen.host.pass(100);
    screen.press('home', 'down', 'down');
    expect((await hops()).filter((line) => line.startsWith('>'))).toHaveLength(1);
    expect((await hops())[2]).toMatch(/^> .* do_IRQ /);
    const [rule, about, waits] = await below();
    expect(rule).toMatch(/ do_IRQ /);
    expect(about).toContain('the vector is looked up, its descriptor locked and acknowledged');
    expect(waits).toMatch(/waits: CPU0 0x[0-9a-f]+ ISR, pin 23 rirr, dom0 port \d+ p1 m0/);
    screen.press('end');
    expect((await hops()).at(-1)).toMatch(/^>/);
  });

  test('more than fit scroll with the one that is looked at', async () => {
    show(machineOf(busy(KVM, '{what: compute, vm: 1, share: 0.95}')), { columns: 80, rows: 24 });
    screen.driver.run();
    screen.press('1');
    screen.host.pass(100);
    expect(await title()).toMatch(/hops 1\d-26 of 26/);
    screen.press('g');
    expect(await title()).toMatch(/hops 1-\d+ of 26/);
    expect((await hops())[0]).toMatch(/^> +0\.000 +- +device/);
    screen.press('pagedown');
    expect((await hops()).filter((line) => line.startsWith('>'))).toHaveLength(1);
  });
});

describe('which interrupt', () => {
  test('Enter on a row follows its last one; Esc goes back; it stays while others come', async () => {
    const machine = machineOf(busy(XEN_4_17, '{what: xenstore, domain: 1, rate: 50}'));
    show(machine);
    screen.press('f2', 'right', 'p');
    expect(await title()).toMatch(/^ dom1:0 {2}#\d+ {2}raised at .* us to the handler$/);
    expect(await names()).toContain('send_timer_event');
    const before = await title();
    screen.driver.run();
    screen.host.pass(500);
    expect(await title()).toBe(before);
    screen.press('esc');
    expect((await screen.text()).includes('[Interrupts]')).toBe(true);
  });

  test('{ and } go to the one before and after of the same row', async () => {
    show(machineOf(XEN_4_17));
    screen.press('f2', 'j', 'p');
    expect(await screen.text()).toContain('no interrupt 12 of dom0 lately');
    screen.press('j', 'j', 'enter', 'enter');
    const journey = async () => Number(/#(\d+)/.exec((await title())!)![1]);
    const last = await journey();
    screen.press('{');
    const before = await journey();
    expect(before).toBeLessThan(last);
    screen.press('}');
    expect(await journey()).toBe(last);
    screen.press('}');
    expect(await screen.text()).toContain('that is the last one');
    screen.driver.run();
    screen.host.pass(4000);
    screen.press('}');
    expect(await journey()).toBeGreaterThan(last);
  });

  test('{ and } go through the firings of one device; firing goes back to the last', async () => {
    show(machineOf(XEN_4_17));
    screen.driver.run();
    const fire = (key: string) => {
      screen.press(key);
      screen.host.pass(50);
    };
    for (const key of ['1', '2', '1']) fire(key);
    const third = await title();
    expect(third).toMatch(/^ 1 kbd /);
    screen.press('{');
    const first = await title();
    expect(first).toMatch(/^ 1 kbd /);
    expect(first).not.toBe(third);
    screen.press('{');
    expect(await screen.text()).toContain('that is the first one');
    expect(await title()).toBe(first);
    fire('2');
    expect(await title()).toMatch(/^ 2 usb /);
  });

  test('Enter where there is no interrupt says so', async () => {
    show(machineOf(KVM));
    screen.press('f2', 'right', 'f4', 'p');
    expect(await screen.text()).toContain('choose its row first');
    screen.press('f3', '{');
    expect(await screen.text()).toContain('Pending shows no single interrupt');
  });

  test('foreign text in a name keeps no control byte', async () => {
    show(fakeMachine({ oddName: 'evil\x1b[2J\x07' }));
    screen.driver.run();
    screen.press('1');
    screen.host.pass(100);
    expect(await screen.text()).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
  });
});
