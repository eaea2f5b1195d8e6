/** Enter on a row: details over the view, live; Enter or p go on to the path, Esc back. */
import { afterEach, describe, expect, test } from 'vitest';
import { ARM_EXITS, armExitName } from '../../engine/hv/xen/arm/traps.ts';
import { Exit } from '../../engine/hw/x86/vmcs-fields.ts';
import { EXIT_WORDS } from '../../tui/exit-words.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';
import { busy, KVM, machineOf, XEN_4_17 } from '../support/quiet.ts';

let screen: FakeScreen;
afterEach(() => screen.close());

const lines = async () => (await screen.lines()).map((line) => line.trimEnd());
const domainLine = async () => (await lines()).find((l) => l.includes('>'))!;

async function run(ms: number): Promise<void> {
  screen.driver.run();
  screen.host.pass(ms);
  screen.driver.pause();
}

/** The row of the keyboard, fired once. */
async function keyboard(options: ScreenOptions = {}): Promise<void> {
  screen = new FakeScreen(machineOf(XEN_4_17), { delay: 0.5, ...options });
  screen.press('1');
  await run(500);
  screen.press('/', ...'i8042', 'enter');
}

test('of an interrupt: config beside state, then where its next one goes', async () => {
  await keyboard();
  screen.press('enter');
  const shown = await lines();
  expect(shown[1]).toMatch(/^ dom0 irq \d+ {3}Enter or p its path {3}Esc back$/);
  expect(shown[3]).toMatch(/^ config {10,}state$/);
  const text = shown.join('\n');
  expect(text).toMatch(/^ {2}flow +handle_edge_irq +count +1, all on CPU0$/m);
  expect(text).toMatch(/^ where its next interrupt goes\n {2}IOAPIC GSI \d+ /m);
  expect(text).toMatch(/^ {2}handler +handle_edge_irq, irq \d+: i8042$/m);
});

test('they are those of now, and of the chosen row wherever it stands', async () => {
  await keyboard();
  screen.press('enter', '1');
  await run(500);
  expect(await screen.text()).toMatch(/ count +2, all on CPU0/);
  screen.press('esc');
  expect(await domainLine()).toContain('[Interrupts]');
});

test.each(['enter', 'p'])('%s goes on to the path, Esc back to the table', async (key) => {
  await keyboard();
  screen.press('enter', key);
  expect(await screen.text()).toMatch(/^ dom0:\d+ .* us to the handler/m);
  screen.press('esc');
  expect(await domainLine()).toContain('[Interrupts]');
  screen.press('p');
  expect(await domainLine()).toContain('[Path]');
});

test('where room is short state stands below config, and all of it can be scrolled to', async () => {
  await keyboard({ columns: 80, rows: 24 });
  screen.press('enter');
  expect((await lines())[3]).toBe(' config');
  expect(await screen.text()).not.toContain('where its next');
  screen.press('end');
  const text = await screen.text();
  expect(text).toMatch(/^ {2}handler +handle_edge_irq/m);
  for (const line of await lines()) expect(line.length).toBeLessThanOrEqual(80);
});

test('why there is no path is said over the details too', async () => {
  screen = new FakeScreen(machineOf(XEN_4_17));
  screen.press('enter', 'enter');
  expect((await lines())[1]).toMatch(/ no interrupt 1 of dom0 lately/);
});

test('a row that has none goes to its path at once, or says why not', async () => {
  screen = new FakeScreen(fakeMachine());
  screen.press('enter');
  expect(screen.session.ui.overlay).toBeNull();
  expect(await domainLine()).toContain('no interrupt 1 of dom0 lately');
  screen.press('/', ...'^53 ', 'enter', 'enter');
  expect(screen.session.ui.overlay?.kind).toBe('details');
});

describe('of an exit', () => {
  test('what it is, how often, how long', async () => {
    screen = new FakeScreen(machineOf(busy(KVM, '{what: compute, vm: 1, share: 0.95}')), { delay: 0.5 });
    screen.press('right', 'f4');
    await run(1000);
    screen.press('/', ...'MSR_WRITE', 'enter', 'enter');
    const text = await screen.text();
    expect(text).toMatch(/^ vm1 MSR_WRITE {3}Esc back/m);
    expect(text).toMatch(/^ {2}reason +32 = 0x20 MSR_WRITE /m);
    expect(text).toMatch(/ away +min [\d.]+ (ns|us), mean [\d.]+ (ns|us), max [\d.]+ (ns|us|ms)/);
    screen.press('enter');
    expect(screen.session.ui.overlay?.kind).toBe('details');
    screen.press('esc');
    expect(await domainLine()).toContain('[Exits]');
  });

  test('there are words for every reason that the engine has', () => {
    const arm = Array.from({ length: ARM_EXITS }, (_, n) => armExitName(n)).filter(
      (n) => !n.startsWith('EC_'),
    );
    const rare = ['INVD'];
    for (const name of [...Object.keys(Exit), ...arm]) {
      if (!rare.includes(name)) expect(EXIT_WORDS[name], name).toBeDefined();
    }
  });
});

test('of a device: where its interrupts end, and what became of each of its raises', async () => {
  screen = new FakeScreen(machineOf(XEN_4_17), { delay: 0.5 });
  screen.press('1', '1');
  await run(500);
  screen.press('f8', 'enter');
  const text = await screen.text();
  expect(text).toMatch(/^ device kbd {3}Esc back$/m);
  expect(text).toMatch(/ends in +dom0 irq 1 xen-pirq i8042/);
  expect(text).toMatch(/fired +2 times/);
  const account = screen.session.frame.snapshot.books.find((a) => a.source === 'kbd')!;
  expect(account.delivered).toBeGreaterThan(0);
  expect(text.replace(/\s+/g, ' ')).toContain(
    `kbd to ${account.destination} raised 2 = delivered ${account.delivered} + coalesced ${account.coalesced}`,
  );
  screen.press('esc');
  expect(await domainLine()).toContain('[Devices]');
});

test('of a workload: what it does, and how to change its rate', async () => {
  screen = new FakeScreen(machineOf(busy(KVM, '{what: compute, vm: 1, share: 0.95}')));
  screen.press('f8', 'end', 'enter');
  const text = await screen.text();
  const { name, what } = screen.session.frame.snapshot.sources.at(-1)!;
  expect(text).toContain(` workload ${name}   Esc back`);
  expect(text).toContain(what);
  expect(text).toMatch(/rate +\S+; \( halves it, \) doubles it/);
});

test('of a virtual CPU: where its time went and why it left the guest', async () => {
  const machine = machineOf(KVM);
  machine.runUntil(1e9);
  screen = new FakeScreen(machine);
  screen.press('f9', 'enter');
  const { domains, time } = screen.session.frame.snapshot;
  const [v] = domains[1]!.vcpus;
  const exits = domains[1]!.exits!.rows;
  const [top] = [...exits].sort((a, b) => b.counts[0]! - a.counts[0]!);
  const text = await screen.text();
  expect(text).toContain(` virtual CPU ${domains[1]!.name}.0   Esc back`);
  expect(text).toContain(`${Math.round((100 * v!.times!.blocked) / time)}% of all time`);
  expect(text).toMatch(
    new RegExp(`why it left the guest\n +${top!.name} +${top!.counts[0]!.toLocaleString('en')}, `),
  );
});
