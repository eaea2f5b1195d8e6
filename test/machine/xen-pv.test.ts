/** The boot of a Xen host gives every part the numbers that a real one has. */
import { describe, expect, test } from 'vitest';
import { buildMachine, builtinScenario, printInterrupts, takeSnapshot } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { capture } from '../support/captures.ts';
import { channelTable, domain, shape, shapeOfCapture } from '../support/xen-tables.ts';

describe('xen-pv, the q35 machine of the captures', () => {
  const machine = buildMachine(builtinScenario('xen-pv')!, 42);
  machine.runUntil(5e9);
  const dump = machine.platform.dump('e')!;
  const real = capture('xen-x86/xen-q35.debug-key-e.txt');

  test("dom0's rows are those of the real dom0, with those of further guests after them", () => {
    const wanted = shapeOfCapture('dom0-q35-with-pv-domU.interrupts.3.txt');
    const all = domain(machine, 0).interrupts;
    const guests = all.rows.findIndex((r) => r.irq === 81);
    expect(shape({ ...all, rows: all.rows.slice(0, guests) })).toBe(wanted);
    expect(all.rows.slice(guests).map((r) => r.actions[0])).toEqual([
      'evtchn:oxenstored',
      'evtchn:xenconsoled',
      'blkif-backend',
      'vif2.0-q0-tx',
      'vif2.0-q0-rx',
      'evtchn:oxenstored',
      'evtchn:xenconsoled',
      'blkif-backend',
      'vif3.0-q0-tx',
      'vif3.0-q0-rx',
    ]);
  });

  test("the paravirtual guest's rows are those of the real one", () => {
    expect(shape(domain(machine, 1).interrupts)).toBe(shapeOfCapture('domU-pv-q35.interrupts.5.txt'));
  });

  test('every event channel of dom0 has the port, kind, notified vCPU and peer of the real one', () => {
    const wanted = channelTable(real, 0);
    expect(channelTable(dump, 0).slice(0, wanted.length)).toEqual(wanted);
  });

  test('every event channel of the guest is as in the real one', () => {
    expect(channelTable(dump, 1)).toEqual(channelTable(real, 1));
  });

  test('a new channel fires once on vCPU 0 at the side that bound it', () => {
    const rows = domain(machine, 0).interrupts.rows.filter((r) => /^(evtchn|blkif|vif)/.test(r.actions[0]!));
    const moved = rows.filter((r) => r.counts[0] === 1);
    // all but the two VIRQs and those whose channel stays on vCPU 0
    expect(moved.length).toBeGreaterThan(10);
    const virqs = rows.filter((r) => r.irq === 70 || r.irq === 72);
    expect(virqs.map((r) => r.counts[1]! + r.counts[2]! + r.counts[3]!)).toEqual([0, 0]);
  });

  test("the lock channels are masked, take no interrupt, and keep the last kick's event", () => {
    const { channels, interrupts } = domain(machine, 1);
    const locks = channels.filter((c) => c.port === 4 || c.port === 14);
    expect(locks.map((c) => c.masked)).toEqual([true, true]);
    expect(locks.some((c) => c.pending)).toBe(true);
    const rows = interrupts.rows.filter((r) => r.actions[0]!.startsWith('spinlock'));
    expect(rows.flatMap((r) => r.counts)).toEqual([0, 0, 0, 0]);
  });

  test('RES and CAL are the sums of their rows, on every CPU', () => {
    for (const { interrupts } of takeSnapshot(machine).domains) {
      const sum = (cpu: number, kind: RegExp) =>
        interrupts.rows.filter((r) => kind.test(r.actions[0]!)).reduce((n, r) => n + r.counts[cpu]!, 0);
      const arch = (label: string) => interrupts.arch.find((r) => r.label === label)!.counts;
      for (const cpu of interrupts.cpus) {
        expect(arch('RES')[cpu]).toBe(sum(cpu, /^resched\d/));
        expect(arch('CAL')[cpu]).toBe(sum(cpu, /^callfunc/));
      }
    }
  });

  test('IPIs are counted twice in the total of /proc/stat', () => {
    const { stat, interrupts } = domain(machine, 0);
    const numbered = interrupts.rows.reduce((n, r) => n + r.counts.reduce((a, b) => a + b, 0), 0);
    const arch = interrupts.arch.reduce((n, r) => n + r.counts.reduce((a, b) => a + b, 0), 0);
    expect(arch).toBeGreaterThan(0);
    expect(stat!.intr.total).toBe(numbered + arch);
    expect(stat!.intr.counts).toHaveLength(456);
  });
});

test("the same boot yields the PVH guest's rows", () => {
  const scenario = parseScenario(
    `
name: pvh
title: a PVH guest
dom0: {vcpus: 4}
guests:
  - {type: pvh, vcpus: 2, rings: 0, queues: 2}
workloads:
  - {what: console, domain: 1, rate: 20}
`,
    'pvh.yaml',
  );
  const machine = buildMachine(scenario, 1);
  machine.runUntil(3e9);
  const guest = domain(machine, 1);
  expect(shape(guest.interrupts)).toBe(shapeOfCapture('domU-pvh-q35.interrupts.4.txt'));
  const hyp = guest.interrupts.arch.find((r) => r.label === 'HYP')!.counts;
  const rows = guest.interrupts.rows.reduce((n, r) => n + r.counts.reduce((a, b) => a + b, 0), 0);
  expect(hyp[0]! + hyp[1]!).toBeGreaterThan(0);
  // setting the upcall's vector interrupts once on each CPU
  expect(hyp[0]! + hyp[1]!).toBeLessThanOrEqual(rows + 2);
});

describe('xen-pv-2.6.18, two listings of the time', () => {
  const machine = buildMachine(builtinScenario('xen-pv-2.6.18')!, 42);
  machine.runUntil(3e9);
  const rows = (id: number) =>
    domain(machine, id).interrupts.rows.map((r) => `${r.irq}: ${r.chip}-${r.name} ${r.actions.join(', ')}`);

  test('dom0 has physical interrupts as they are wired, messages from 439 down, dynamic ones from 440 up', () => {
    expect(rows(0)).toEqual([
      '1: Phys-level i8042',
      '6: Phys-level floppy',
      '8: Phys-level rtc0',
      '12: Phys-level i8042',
      '14: Phys-level ata_piix',
      '15: Phys-level ata_piix',
      '16: Phys-level ehci_hcd:usb2, uhci_hcd:usb3, uhci_hcd:usb6, HDA Intel',
      '17: Phys-level uhci_hcd:usb4, uhci_hcd:usb7',
      '18: Phys-level ehci_hcd:usb1, uhci_hcd:usb5, uhci_hcd:usb8, ata_piix',
      '439: Phys-level peth0',
      '440: Dynamic-percpu timer',
      '441: Dynamic-percpu resched',
      '442: Dynamic-percpu callfunc',
      '443: Dynamic-percpu call1func',
      '444: Dynamic-percpu reboot',
      '445: Dynamic-percpu spinlock',
      '446: Dynamic-level mce',
      '447: Dynamic-level console',
      '448: Dynamic-level xenbus',
      '449: Dynamic-level blkif-backend',
      '450: Dynamic-level vif1.0',
      '451: Dynamic-level blkif-backend',
      '452: Dynamic-level vif2.0',
    ]);
    const { arch } = domain(machine, 0).interrupts;
    expect(arch.map((r) => r.label)).toEqual(['NMI', 'RES', 'CAL', 'MCE', 'MCP']);
  });

  test('a guest with one virtual CPU prints the listing, line for line but for the counts', () => {
    const printed = printInterrupts(domain(machine, 1).interrupts);
    expect(printed.replace(/\d+(?= {5}Dynamic)/g, (n) => 'N'.padStart(n.length))).toMatch(
      /^ {11}CPU0 {7}\n256: +N {5}Dynamic-irq {2}timer0\n257: +N {5}Dynamic-irq {2}resched0\n258: +N {5}Dynamic-irq {2}callfunc0\n259: +N {5}Dynamic-irq {2}xenbus\n260: +N {5}Dynamic-irq {2}xencons\n261: +N {5}Dynamic-irq {2}blkif\n262: +N {5}Dynamic-irq {2}eth0\nNMI: +0 \nLOC: +0 \nERR: +0\nMIS: +0\n$/,
    );
  });

  test('a second virtual CPU adds its three before xenbus', () => {
    expect(rows(2).map((r) => r.replace(': Dynamic-irq-null', ''))).toEqual([
      '256 timer0',
      '257 resched0',
      '258 callfunc0',
      '259 resched1',
      '260 callfunc1',
      '261 timer1',
      '262 xenbus',
      '263 xencons',
      '264 blkif',
      '265 eth0',
    ]);
  });

  test('one row serves all CPUs in dom0, RES follows it and CAL is both function calls', () => {
    const { interrupts } = domain(machine, 0);
    const of = (name: string) => interrupts.rows.find((r) => r.actions[0] === name)!.counts;
    const arch = (label: string) => interrupts.arch.find((r) => r.label === label)!.counts;
    expect(of('timer').every((n) => n > 0)).toBe(true);
    expect(arch('RES')).toEqual(of('resched'));
    expect(arch('CAL')).toEqual(of('callfunc').map((n, i) => n + of('call1func')[i]!));
  });
});
