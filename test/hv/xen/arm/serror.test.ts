/** SErrors and FIQs on Xen on ARM: who is to blame, who pays for it, and what a host looks like that has ended. */
import { describe, expect, test } from 'vitest';
import type { ArmVcpu } from '../../../../engine/hv/xen/arm/arm-vcpu.ts';
import type { XenArm } from '../../../../engine/hv/xen/arm/xen.ts';
import { buildMachine, type Machine, takeSnapshot } from '../../../../engine/index.ts';
import { parseScenario } from '../../../../engine/scenario/load.ts';

const scenario = (more = '', guest = '{vcpus: 1}') => `
name: errors
title: errors of a bus
gic: 3
cpus: 2
dom0: {vcpus: 1, cpus: [0], devices: [{driver: virtio-blk, name: virtio2, slot: 1, as: disk}]}
guests: [${guest}]
keys: [{device: dom1.serror}, {device: xen.serror}, {device: fiq}, {device: disk}, {device: dom0.serror}]
workloads:
  - {what: compute, domain: 1, share: 1}
  - {what: calls, domain: 0, rate: 100}
${more}
`;

const build = (more = '', guest?: string): Machine =>
  buildMachine(parseScenario(scenario(more, guest), 'errors.yaml'), 1);
const xenOf = (machine: Machine): XenArm =>
  (machine.platform as unknown as { host: { xen: XenArm } }).host.xen;
/** Its guest runs, and has been for a while. */
function untilInGuest(machine: Machine): void {
  const v = guestOf(machine);
  while (v.exited || v.cpu.current !== v || v.cpu.inXen) machine.step();
}
const guestOf = (machine: Machine): ArmVcpu => xenOf(machine).armDomain(1).vcpus[0]!;

/** Hops of what was fired last. */
const hops = (machine: Machine): string[] =>
  takeSnapshot(machine).lastFired!.hops.map(({ name, detail }) => `${name} ${detail}`);

/** Fires it, watched event by event. */
function fireAndWatch(machine: Machine, device: string, ns = 50e6): string[] {
  machine.shop.trace.enabled = true;
  machine.fire(device);
  machine.runUntil(machine.clock.now + ns);
  return hops(machine);
}

const balanced = (machine: Machine) => expect(machine.platform.pendingMismatch()).toEqual([]);

describe('serrors=diverse', () => {
  test("a guest's failed store goes back to it as a virtual SError, which its kernel does not survive", () => {
    const machine = build();
    machine.runUntil(1e9);
    expect(fireAndWatch(machine, 'dom1.serror')).toEqual([
      'store fails of dom1',
      expect.stringMatching(/^guest_error dom1\.0, vector 0x580 SERROR ESR 0xbf000002$/),
      expect.stringMatching(/^enter_hypervisor_from_guest/),
      'inject_vabt_exception dom1.0, HCR_EL2.VSE',
      expect.stringMatching(/^leave_hypervisor_to_guest/),
      'eret dom1.0',
      'el1h_64_error dom1.0',
      expect.stringMatching(/^guest_sync dom1\.0, vector 0x400 HVC64/),
      expect.stringMatching(/^enter_hypervisor_from_guest/),
    ]);
    const [, guest] = takeSnapshot(machine).domains;
    expect(guest!.messages).toContain('Kernel panic - not syncing: Asynchronous SError Interrupt');
    expect(guest!.kind).toContain('rebooted');
    expect(guest!.vcpus[0]!.state).toBe('blocked');
    balanced(machine);
  });

  test("one that is still under way when the guest is left is waited for, and is the guest's", () => {
    const machine = build();
    machine.runUntil(1e9);
    untilInGuest(machine);
    machine.shop.trace.enabled = true;
    machine.fire('dom1.serror');
    const { cpu } = guestOf(machine);
    xenOf(machine).hostGic.sendSgi(0, cpu.cpu, 0);
    machine.runUntil(machine.clock.now + 50e6);
    const way = hops(machine);
    expect(way[1]).toBe('hyp_error in check_pending_guest_serror, of dom1.0');
    expect(way).toContain('inject_vabt_exception dom1.0, HCR_EL2.VSE');
    expect(way).toContain('el1h_64_error dom1.0');
    expect(xenOf(machine).panic.why).toBe('');
  });

  test('the other domains live on', () => {
    const machine = build();
    machine.runUntil(1e9);
    machine.fire('dom1.serror');
    machine.runUntil(2e9);
    const before = takeSnapshot(machine).domains.map((d) => d.vcpus[0]!.runNs);
    machine.fire('disk');
    machine.runUntil(3e9);
    const after = takeSnapshot(machine).domains.map((d) => d.vcpus[0]!.runNs);
    expect(after[1]).toBe(before[1]);
    expect(after[0]!).toBeGreaterThan(before[0]!);
    expect(hops(machine).at(-1)).not.toContain('fails');
    balanced(machine);
  });

  test('an AArch32 guest comes by the compat entry, and its SPSR_abt is kept', () => {
    const machine = build('', '{vcpus: 1, aarch32: true}');
    machine.runUntil(1e9);
    const way = fireAndWatch(machine, 'dom1.serror');
    expect(way[1]).toContain('guest_error dom1.0, vector 0x780');
    expect(guestOf(machine).regs.spsrAbt & 0x1f).toBe(0x13);
  });

  test("Xen's own failed store ends it, before it can slip into the guest", () => {
    const machine = build();
    machine.runUntil(1e9);
    const way = fireAndWatch(machine, 'xen.serror');
    expect(way).toContain('hyp_error in Xen');
    expect(way.at(-1)).toBe('panic Unexpected Trap');
    expect(way.some((hop) => hop.startsWith('eret'))).toBe(false);
    expect(takeSnapshot(machine).ended).toBe('Panic on CPU 0: CPU0: Unexpected Trap: SError');
  });

  test("dom0's end is the machine's", () => {
    const machine = build();
    machine.runUntil(1e9);
    machine.fire('dom0.serror');
    machine.runUntil(2e9);
    expect(xenOf(machine).panic.why).toBe('Hardware Dom0 shutdown: rebooting machine');
  });
});

test("serrors=panic: a guest's failed store ends Xen, wherever its answer comes", () => {
  const machine = build('command-line: {serrors: panic}');
  machine.runUntil(1e9);
  const way = fireAndWatch(machine, 'dom1.serror');
  expect(way[1]).toContain('guest_error dom1.0');
  expect(way.at(-1)).toBe('panic Unexpected Trap');

  // under way when the guest is left, it comes in Xen, where nobody has looked for it
  const other = build('command-line: {serrors: panic}');
  other.runUntil(1e9);
  untilInGuest(other);
  other.shop.trace.enabled = true;
  other.fire('dom1.serror');
  other.runUntil(other.clock.now + 800);
  xenOf(other).hostGic.sendSgi(0, guestOf(other).cpu.cpu, 0);
  other.runUntil(1.05e9);
  expect(hops(other)[1]).toBe('hyp_error in Xen');
  expect(xenOf(other).panic.why).toContain('Unexpected Trap: SError');
});

describe('an FIQ', () => {
  test('is taken from a guest by an entry that is invalid, and Xen ends with a report', () => {
    const machine = build();
    machine.runUntil(1e9);
    const way = fireAndWatch(machine, 'fiq');
    expect(way[0]).toBe('FIQ CPU0');
    expect(way[1]).toMatch(/^guest_fiq_invalid dom\d\.0, vector 0x500/);
    expect(way.at(-1)).toBe('panic bad mode');
    const { lines } = xenOf(machine).console;
    const from = lines.indexOf('Bad mode in FIQ handler detected');
    expect(lines[from + 1]).toMatch(/^ESR=0x[0-9a-f]+: {2}EC=[0-9a-f]+, IL=1, ISS=[0-9a-f]+$/);
    expect(lines.slice(from + 2, from + 4)).toEqual([
      '----[ Xen-4.17.7  arm64  debug=n  Not tainted ]----',
      'CPU:    0',
    ]);
    expect(lines[from + 4]).toMatch(/^PC: {5}ffff8000080[0-9a-f]{5}$/);
    expect(lines).toContain('   HCR_EL2: 00000000807c663f');
    expect(lines).toContain('  VTCR_EL2: 0000000080043594');
    expect(lines.slice(-7)).toEqual([
      '',
      '****************************************',
      'Panic on CPU 0:',
      'bad mode',
      '****************************************',
      '',
      "Manual reset required ('noreboot' specified)",
    ]);
  });

  test('waits while nobody runs on the CPU: Xen has FIQs masked', () => {
    const machine = build('', '{vcpus: 1, cpus: [1]}');
    machine.runUntil(1e9);
    while (xenOf(machine).cpus[0]!.current) machine.step();
    machine.fire('fiq');
    expect(xenOf(machine).panic.why).toBe('');
    while (!xenOf(machine).cpus[0]!.current) machine.step();
    machine.runUntil(machine.clock.now + 1e6);
    expect(xenOf(machine).panic.why).toBe('Panic on CPU 0: bad mode');
  });

  test('afterwards nothing runs, while time and devices go on', () => {
    const machine = build('  - {what: device, device: disk, pattern: {kind: poisson, rate: 100}}');
    machine.runUntil(1e9);
    machine.fire('fiq');
    machine.runUntil(2e9);
    const before = takeSnapshot(machine);
    expect(before.ended).toBe('Panic on CPU 0: bad mode');
    expect(before.cpus.map(({ mode }) => mode)).toEqual(['xen', 'xen']);
    machine.fire('disk');
    machine.runUntil(12e9);
    const after = takeSnapshot(machine);
    expect(after.time).toBe(12e9);
    expect(after.totals).toEqual(before.totals);
    expect(after.cpus.map((cpu) => cpu.guestNs)).toEqual(before.cpus.map((cpu) => cpu.guestNs));
    for (const cpu of after.cpus) expect(cpu.guestNs + cpu.xenNs + cpu.idleNs).toBe(12e9);
    balanced(machine);
  });
});

test.each(['dom1.serror', 'xen.serror', 'fiq'])(
  'saved anywhere on the way of %s, it goes on the same',
  (what) => {
    const original = build();
    original.runUntil(1e9);
    original.fire(what);
    const copies: { copy: Machine; after: number }[] = [];
    for (let events = 0; events < 40; events++) {
      const copy = build();
      copy.restore(JSON.parse(JSON.stringify(original.save())));
      copies.push({ copy, after: events });
      original.step();
    }
    original.runUntil(1.5e9);
    const end = JSON.stringify(original.save());
    for (const { copy, after } of copies) {
      copy.runUntil(1.5e9);
      expect(JSON.stringify(copy.save()), `after ${after} events`).toBe(end);
    }
  },
);

describe('ssbd', () => {
  const flips = (commandLine: string, firmware: string, guest: string) => {
    const machine = build(
      `command-line: {ssbd: ${commandLine}}\nfirmware: {ssbd: ${firmware}}`,
      `{vcpus: 1, ssbd: ${guest}}`,
    );
    machine.runUntil(1e9);
    const { trapOptions } = xenOf(machine);
    return { ...trapOptions.ssbd, guest: guestOf(machine).workaround2 };
  };

  test.each([
    ['runtime', 'required', 'force-off', 'runtime', true, false],
    ['runtime', 'required', 'kernel', 'runtime', true, true],
    ['runtime', 'not-required', 'force-off', 'runtime', false, false],
    ['force-disable', 'required', 'force-off', 'force-disable', false, true],
    ['force-enable', 'required', 'force-off', 'force-enable', false, true],
    ['runtime', 'none', 'force-off', 'unknown', false, true],
    ['runtime', 'mitigated', 'force-off', 'mitigated', false, true],
  ] as const)('ssbd=%s, firmware %s, guest %s', (option, firmware, guest, state, callback, flag) => {
    expect(flips(option, firmware, guest)).toEqual({ state, callback, guest: flag });
  });

  test('only a guest without the workaround pays for it at each way in and out', () => {
    const away = (guest: string) => {
      const machine = build('firmware: {ssbd: required}', `{vcpus: 1, ssbd: ${guest}}`);
      machine.runUntil(1e9);
      const { rows } = takeSnapshot(machine).domains[1]!.exits!;
      const { counts, totalNs } = rows.find(({ name }) => name === 'IRQ')!;
      return totalNs / counts[0]!;
    };
    const [on, off] = [away('kernel'), away('force-off')];
    expect(off - on).toBeGreaterThan(450);
    expect(off - on).toBeLessThan(550);
  });
});

test.each([
  ['command-line: {serrors: forward}', /command-line.serrors: .*expected .*diverse.*panic/],
  ['firmware: {ssbd: broken}', /firmware.ssbd: .*expected/],
  ['  - {what: serror, domain: 2, rate: 1}', /workloads\[2\].domain: there is no domain 2, expected 0 to 1/],
  ['  - {what: fiq}', /workloads\[2\].rate: /],
])('%s is refused', (more, message) => {
  expect(() => parseScenario(scenario(more), 'errors.yaml')).toThrow(message);
});

test('as workloads: a domain has a failed store, Xen has one, a CPU an FIQ', () => {
  const ended = (spec: string) => {
    const machine = build(`  - {what: ${spec}, rate: 20}`);
    machine.runUntil(2e9);
    const { ended: why, domains } = takeSnapshot(machine);
    return [why?.replace(/CPU ?\d/g, 'CPU'), domains[1]!.kind.includes('rebooted')];
  };
  expect(ended('serror, domain: 1')).toEqual([undefined, true]);
  expect(ended('serror')).toEqual(['Panic on CPU: CPU: Unexpected Trap: SError', false]);
  expect(ended('fiq')).toEqual(['Panic on CPU: bad mode', false]);
});
