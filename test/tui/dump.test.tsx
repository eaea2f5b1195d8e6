/** The dump menu: D, a letter, the text; Esc goes back. */
import { afterEach, expect, test } from 'vitest';
import { type DomainSnapshot, qemuInfo } from '../../engine/index.ts';
import { overlayRoom } from '../../tui/overlay.ts';
import { fakeKvmMachine } from '../support/fake-kvm.ts';
import { fakeMachine } from '../support/fake-machine.ts';
import { FakeScreen, type ScreenOptions } from '../support/fake-screen.tsx';
import { machineOf, XEN_4_17 } from '../support/quiet.ts';

let screen: FakeScreen;
afterEach(() => screen.close());

const lines = async () => (await screen.lines()).map((line) => line.trimEnd());
const domainLine = async () => (await lines()).find((l) => l.includes('>'))!;

function xen(options: ScreenOptions = {}): void {
  const machine = machineOf(XEN_4_17);
  machine.runUntil(1e9);
  screen = new FakeScreen(machine, options);
}

test('D lists the dumps, a letter shows its text over the view, Esc closes it', async () => {
  xen();
  screen.press('D');
  expect((await lines()).find((l) => l.startsWith(' dump:'))).toBe(
    ' dump: e event channels  i interrupts  I HVM interrupts  M MSI state  q domains  r run queues  z IOAPIC   Esc leaves',
  );
  screen.press('e');
  const shown = await lines();
  expect(shown[1]).toMatch(/^ event channels at 1\.000 000 s {3}Esc closes {3}lines 1 to 36 of \d+/);
  const text = screen.driver.machine.platform.dump('e')!.split('\n');
  expect(shown.slice(3, 6)).toEqual(text.slice(0, 3).map((l) => ` ${l}`.trimEnd()));
  expect(shown.at(-1)).toMatch(/q quit$/);
  screen.press('esc');
  expect(await domainLine()).toContain('[Interrupts]');
});

test.each(['e', 'i', 'I', 'M', 'q', 'r', 'z'])(
  'the text of %s is whole, scrolled or wrapped',
  async (key) => {
    xen({ columns: 80, rows: 24 });
    screen.press('D', key);
    const seen: string[] = [];
    for (let n = 0; n < 400; n++) {
      seen.push(...(await lines()).slice(3, 3 + overlayRoom(screen.session)));
      const before = screen.session.ui.overlayTop;
      screen.press('pagedown');
      if (screen.session.ui.overlayTop === before) break;
    }
    const letters = (text: string) => text.replace(/\s+/g, '');
    const shown = letters(seen.join(''));
    const dump = screen.driver.machine.platform.dump(key)!;
    expect(dump.length).toBeGreaterThan(10);
    for (const line of dump.split('\n')) expect(shown).toContain(letters(line));
  },
);

test('a letter that there is no dump of lists those there are; Esc leaves the menu', async () => {
  xen();
  screen.press('D', 'x');
  expect(await domainLine()).toContain('no dump x here, there are e i I M q r z');
  screen.press('D', 'esc');
  expect(await lines()).not.toContainEqual(expect.stringMatching(/^ dump:/));
  screen.press('D', '\x1b[31m');
  expect(await screen.text()).not.toContain('\x1b');
});

test('of a machine under KVM they are QEMU’s, of the machine that is shown', async () => {
  screen = new FakeScreen(fakeKvmMachine(), { columns: 120, rows: 40 });
  screen.press('D');
  expect(await domainLine()).toContain('there is no dump of host');
  screen.press('right', 'D');
  expect(await screen.text()).toMatch(/^ dump: l info lapic {2}p info pic {2}i info irq {3}Esc leaves/m);
  screen.press('p');
  const shown = await lines();
  expect(shown[1]).toMatch(/^ info pic of vm1 at /);
  const vm1 = screen.driver.get().snapshot.domains[1]!;
  expect(shown[3]).toBe(` ${qemuInfo(vm1, 'pic').split('\n')[0]}`);
  screen.press('esc', 'D', 'l');
  expect(await lines()).toContainEqual(expect.stringMatching(/^ LVT0 {5}0x[0-9a-f]{8} /));
});

test('a machine without dumps says so', async () => {
  screen = new FakeScreen(fakeMachine());
  screen.press('D');
  expect(await domainLine()).toContain('there is no dump of dom0');
});

test('another view or domain closes what lies over it', async () => {
  xen();
  for (const key of ['f5', 'tab', 'right']) {
    screen.press('D', 'q');
    expect(screen.session.ui.overlay).not.toBeNull();
    screen.press(key);
    expect(screen.session.ui.overlay).toBeNull();
  }
});

test('Enter in Pending shows the registers of the processor that is chosen', async () => {
  const machine = fakeKvmMachine();
  machine.runUntil(1e9);
  screen = new FakeScreen(machine);
  screen.press('right', 'f3', 'down', 'enter');
  const { x86, name } = screen.session.subject as DomainSnapshot;
  const shown = await lines();
  expect(shown[1]).toContain(`local APIC of ${name}, CPU 1 at`);
  const [first, ...rest] = qemuInfo({ x86: { ...x86!, lapics: [x86!.lapics[1]!] } } as never, 'lapic').split(
    '\n',
  );
  expect(first).toMatch(/^dumping local APIC state for CPU 1/);
  expect(shown[3]!.trim()).toBe(first!.trim());
  expect(shown.join('\n')).toContain(rest.find((line) => line.includes('SPIV'))!.slice(0, 4));
  screen.press('esc');
  expect(await domainLine()).toContain('[Pending]');
});

test('Enter in Pending of a domain without such registers shows its event channels, as Xen prints them', async () => {
  xen();
  screen.press('f3', 'enter');
  expect((await lines())[1]).toContain('event channels at');
});
