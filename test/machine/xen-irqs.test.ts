/** Xen's side of interrupts on whole machines: storms that are braked, lines kept quiet by masking, debug keys. */
import { describe, expect, test } from 'vitest';
import type { Xen } from '../../engine/hv/xen/x86/xen.ts';
import { buildMachine, type Machine } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

const xenOf = (machine: Machine) => (machine.platform as unknown as { host: { xen: Xen } }).host.xen;

const scenario = (more: string, rate: number) => `
name: storm
title: a card whose messages come too often
${more}
cpus: 2
workloads:
  - {what: device, device: card, pattern: {kind: poisson, rate: ${rate}}}
`;

const NEW = `
dom0:
  vcpus: 2
  devices:
    - {driver: line, name: card, gsi: 16, level: true}
`;

function machine(text: string): Machine {
  return buildMachine(parseScenario(text, 'storm.yaml'), 4);
}

const lost = (m: Machine) => m.shop.books.accounts().reduce((n, a) => n + (a.ignored['rate limit'] ?? 0), 0);
const rows = (m: Machine, action: string) =>
  m.platform
    .domains()[0]!
    .interrupts.rows.find((r) => r.actions.includes(action))!
    .counts.reduce((a, b) => a + b, 0);

describe('a storm on 4.17', () => {
  test('is braked by irq_ratelimit: dom0 gets what the limit lets through', () => {
    const storm = machine(scenario(`command-line: {irq_ratelimit: 20}\n${NEW}`, 20_000));
    const free = machine(scenario(`command-line: {irq_ratelimit: 0}\n${NEW}`, 20_000));
    for (const m of [storm, free]) m.runUntil(1e9);
    expect(lost(free)).toBe(0);
    expect(lost(storm)).toBeGreaterThan(50);
    // at most 21 to begin a count and fill it, in each time of 10 ms that the line is enabled, and 10 ms that it is not
    expect(rows(storm, 'card')).toBeLessThan(22 * 100);
    expect(rows(free, 'card')).toBeGreaterThan(2 * rows(storm, 'card'));
    expect(storm.platform.pendingMismatch()).toEqual([]);
  });

  test('slower than the limit is left alone', () => {
    const m = machine(scenario(`command-line: {irq_ratelimit: 200}\n${NEW}`, 1_000));
    m.runUntil(1e9);
    expect([lost(m), xenOf(m).irqs.rateLimit.braked()]).toEqual([0, []]);
  });
});

test('ioapic_ack=old serves the same interrupts, and has none in service at the local APICs', () => {
  const [fresh, old] = [
    machine(scenario(NEW, 500)),
    machine(scenario(`command-line: {ioapic_ack: old}\n${NEW}`, 500)),
  ];
  let [stacked, inService] = [0, 0];
  const depth = (m: Machine) => xenOf(m).irqs.guests.pendingEoi.reduce((n, s) => n + s.depth, 0);
  while (fresh.clock.now < 1e9) {
    fresh.step();
    stacked = Math.max(stacked, depth(fresh));
  }
  while (old.clock.now < 1e9) {
    old.step();
    inService = Math.max(inService, depth(old));
  }
  expect(inService).toBe(0);
  expect(stacked).toBe(1);
  const [a, b] = [rows(fresh, 'card'), rows(old, 'card')];
  expect(Math.abs(a - b)).toBeLessThan(a / 20);
  expect(old.platform.pendingMismatch()).toEqual([]);
});

describe('a debug key typed to Xen', () => {
  test.each(['3.4', '4.17'])('prints on %s, and dom0 hears of it by VIRQ_CON_RING', (xen) => {
    const kernel = xen === '3.4' ? 'linux-2.6.18-xen' : 'linux-6.1';
    const m = machine(`
name: key
title: a debug key
xen: '${xen}'
cpus: 2
dom0: {vcpus: 2, kernel: ${kernel}}
keys: [{device: xen-key}, {device: uart}]
`);
    m.runUntil(1e8);
    m.fire('xen-key');
    m.runUntil(2e9);
    const { lines } = xenOf(m).console;
    expect(lines[0]).toContain('Serial input to Xen');
    expect(lines.join('\n')).toContain('General information for domain 0');
    const { length } = lines;
    m.fire('uart');
    m.runUntil(3e9);
    expect(lines.slice(length)).toEqual([expect.stringContaining('Serial input to DOM0')]);
    const told = m.shop.books.accounts().filter((a) => a.source === 'xen console');
    expect(told.reduce((n, a) => n + a.raised, 0)).toBeGreaterThan(0);
    const uart = xenOf(m)
      .inspect()
      .cpus.flatMap((c) => c.vectors)
      .filter((v) => xenOf(m).vectorName(v.vector).own === 'ns16550_interrupt');
    // the text goes out 16 characters at a time, an interrupt for each
    const characters = lines.reduce((n, line) => n + line.length + 7, 0);
    expect(uart.reduce((n, v) => n + v.count, 0)).toBeGreaterThan(characters / 17);
  });
});
