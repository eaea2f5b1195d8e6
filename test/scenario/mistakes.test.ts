/** Every mistake of a file at once, each on its line, and none that only follows from another. */
import { expect, test } from 'vitest';
import { checkScenario } from '../../engine/scenario/load.ts';

/** What checking says of a text; the name of the file cut off. */
function mistakes(text: string): string[] {
  return checkScenario(text, 'bad.yaml').mistakes.map((m) => m.message.replace('bad.yaml:', ''));
}

const PERIODIC = 'pattern: {kind: periodic, rate: 1}';

test('a scenario that is right has no mistake, and its defaults', () => {
  const { scenario, mistakes } = checkScenario('name: x\ntitle: t\ndom0: {vcpus: 1}\n', 'good.yaml');
  expect(mistakes).toEqual([]);
  expect(scenario).toMatchObject({ name: 'x', cpus: 4, xen: '4.17' });
});

test('all wrong values are told, in the order of the text', () => {
  const text = `name: a b
title: t
cpus: four
dom0:
  vcpus: 0
  devices:
    - {driver: floppy}
    - {driver: nvme, name: n, queues: many, least: -1}
`;
  expect(mistakes(text)).toEqual([
    '1: name: expected a name of 1 to 40 letters, digits and . _ : [ ] -, got "a b"',
    '3: cpus: expected a whole number from 1 to 256, got "four"',
    '5: dom0.vcpus: expected a whole number from 1 to 256, got 0',
    expect.stringMatching(/^7: dom0\.devices\[0\]\.driver: expected one of line, .*, got "floppy"$/),
    '8: dom0.devices[1].queues: expected a whole number from 1 to 64, got "many"',
    '8: dom0.devices[1].least: expected a number from 1 to 10000000, got -1',
  ]);
});

test('a misspelt key is told once, and what stands behind it is looked at under the name that it has', () => {
  const text = `nmae: x
title: t
dom0: {vcpu: 1, color: red}
guest:
  - {ring: 0, vcpus: many}
  - {ring: 0, fifoo: 7}
`;
  expect(mistakes(text)).toEqual([
    '1: nmae: unknown key, expected name',
    '3: dom0.vcpu: unknown key, expected vcpus',
    '3: dom0.color: unknown key, expected one of kernel, fifo, vcpus, cpus, devices',
    '4: guest: unknown key, expected guests',
    '5: guest[0].ring: unknown key, expected rings',
    '5: guest[0].vcpus: expected a whole number from 1 to 256, got "many"',
    '6: guest[1].ring: unknown key, expected rings',
    '6: guest[1].fifoo: unknown key, expected fifo',
    '6: guest[1].fifoo: expected true or false, got 7',
  ]);
});

test('a misspelt key beside the right one takes nothing away from it', () => {
  expect(mistakes('name: x\ntitle: t\ndom0: {vcpus: 1}\ncpus: 2\ncpu: none\n')).toEqual([
    '5: cpu: unknown key, expected cpus',
  ]);
});

test('what parts must have in common is told all at once, also behind misspelt keys', () => {
  const text = `name: x
title: t
dom0: {vcpus: 1, cpus: [9]}
guest: [{rings: 0}]
keys: [{device: kbd}]
workloads:
  - {what: calls, domain: 1, rate: 1}
  - {what: calls, domain: 7, rate: 1}
  - {what: device, device: bell, ${PERIODIC}}
`;
  const known = 'one of uart, xen-key, machine-check, corrected-error';
  expect(mistakes(text)).toEqual([
    '3: dom0.cpus[0]: there is no CPU 9, expected 0 to 3',
    '4: guest: unknown key, expected guests',
    `5: keys[0].device: there is no device "kbd", expected ${known}`,
    '8: workloads[1].domain: there is no domain 7, expected 0 to 1',
    `9: workloads[2].device: there is no device "bell", expected ${known}`,
  ]);
});

test('no mistake is told that only follows from a value out of its range', () => {
  // with 0 CPUs there would be no CPU 0 either
  expect(mistakes('name: x\ntitle: t\ncpus: 0\ndom0: {vcpus: 1, cpus: [0]}\n')).toEqual([
    '3: cpus: expected a whole number from 1 to 256, got 0',
  ]);
});

test('keys that are there twice hide nothing else', () => {
  expect(mistakes('name: x\ntitle: t\ntitle: u\ndom0: {vcpus: 1, vcpus: 2}\ncpus: 0\n')).toEqual([
    '3: a key for the second time, expected each once',
    '4: a key for the second time, expected each once',
    '5: cpus: expected a whole number from 1 to 256, got 0',
  ]);
});

test('a text that is no YAML is told by its first error alone', () => {
  expect(mistakes('name: [x\ntitle: {y\n')).toHaveLength(1);
  expect(mistakes('name: x\nname: y\n\ttitle: t\n')).toEqual([
    '2: a key for the second time, expected each once',
    '3: a tab in the indentation, expected blanks',
  ]);
});

test('parts that share an alias are judged each in its place', () => {
  // right as dom0, but a guest has no devices of this kind, and its misspelt key is its own
  const text = `name: x
title: t
dom0: &d {vcpus: 1, devices: [{driver: i8042, kbdd: 5}]}
guests: [*d]
`;
  expect(mistakes(text)).toEqual([
    '3: dom0.devices[0].kbdd: unknown key, expected kbd',
    '3: guests[0].devices[0].kbdd: unknown key, expected driver',
    '3: guests[0].devices: devices of a guest of type pv, expected type hvm, or none',
    '4: guests[0].rings: dom0 has no disk, expected rings: 0, or a disk among the devices of dom0',
  ]);
});

test.each([
  ['too long', 'x'.repeat((1 << 20) + 1), '1: 1048577 characters, expected at most 1048576'],
  ['too deep', '['.repeat(10_000), '1: nested too deeply, expected at most 32 levels'],
  [
    'an alias bomb',
    [
      'name: &a0 [x]',
      ...Array.from({ length: 29 }, (_, n) => `k${n}: &a${n + 1} [${`*a${n},`.repeat(9)}]`),
    ].join('\n'),
    '30: too large, expected at most 100000 values',
  ],
  [
    'full of aliases',
    `name: &a x\nguests: [${'*a,'.repeat(90_000)}]\n`,
    '2: 90000 aliases, expected at most 10000',
  ],
])('a text that is %s is one line', (_, text, line) => {
  expect(mistakes(text)).toEqual([line]);
});

test('thousands of mistakes are all found', () => {
  const text = `name: x\ntitle: t\ndom0: {vcpus: 1}\nguests: [${'x,'.repeat(450)}]\nworkloads: [${'{what: knit},'.repeat(1900)}]\n`;
  expect(mistakes(text)).toHaveLength(2350);
});

test('tens of thousands of keys are told one by one, in seconds', () => {
  const keys = Array.from({ length: 30_000 }, (_, n) => `k${n}: 1`).join('\n');
  const found = mistakes(`name: x\ntitle: t\ndom0: {vcpus: 1}\n${keys}\nk7: 2\n`);
  expect(found).toHaveLength(30_001);
  expect(found.at(-2)).toMatch(/^30003: k29999: unknown key, expected one of /);
  expect(found.at(-1)).toBe('30004: a key for the second time, expected each once');
}, 20_000);
