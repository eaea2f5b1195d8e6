/** A scenario printed with all its defaults is the same scenario, and runs the same. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  buildMachine,
  builtinScenarios,
  builtinText,
  type Scenario,
  takeSnapshot,
} from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { printScenario } from '../../engine/scenario/print.ts';

const BUILTIN = builtinScenarios().map((s) => [s.name, s] as const);

function after(scenario: Scenario, ns: number): string {
  const machine = buildMachine(scenario, 7);
  machine.runUntil(ns);
  return JSON.stringify(takeSnapshot(machine));
}

test.each(BUILTIN)('%s runs the same from its full text', (_, scenario) => {
  const text = printScenario(scenario);
  const again = parseScenario(text, 'full.yaml');
  expect(again).toEqual(scenario);
  expect(after(again, 200e6)).toBe(after(scenario, 200e6));
  // nothing is left to be filled in
  expect(printScenario(again)).toBe(text);
});

test.each(BUILTIN)('%s is kept as it is written', (name, scenario) => {
  const text = builtinText(name)!;
  expect(text).toMatch(/^# [A-Z]/);
  expect(parseScenario(text, 'builtin.yaml')).toEqual(scenario);
});

test('nothing stands for a name that is not there', () => {
  expect(builtinText('nothing')).toBeUndefined();
});

test('defaults are written out, parts line by line in at most 110 columns', () => {
  const scenario = parseScenario("name: '4.17'\ntitle: 'no: 1'\ndom0: {vcpus: 1}\n", 'small.yaml');
  expect(printScenario(scenario)).toBe(`name: "4.17"
title: "no: 1"
xen: "4.17"
cpus: 4
busy-ports: true
keeps-pending: true
ioapic-pins: 24
firmware: {levels: [], active-high: false}
command-line: {}
dom0: {kernel: linux-6.1, fifo: true, vcpus: 1, devices: []}
guests: []
keys: []
workloads: []
`);
  const wide = builtinScenarios()
    .flatMap((s) => printScenario(s).split('\n'))
    .filter((l) => l.length > 110);
  expect(wide).toEqual([]);
});

test('any title and name come back as they were', () => {
  const base = parseScenario('name: x\ntitle: t\ndom0: {vcpus: 1}\n', 'small.yaml');
  const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._:[\]-]{0,39}$/);
  fc.assert(
    fc.property(word, fc.string({ maxLength: 120 }), (name, title) => {
      const plain = title.replace(
        /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]/g,
        '',
      );
      const scenario = { ...base, name, title: plain };
      expect(parseScenario(printScenario(scenario), 'again.yaml')).toEqual(scenario);
    }),
    { seed: 1, numRuns: 200 },
  );
});
