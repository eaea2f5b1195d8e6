/** One bad file per message: file, line, place, what is wrong and what would be right, in one line. */
import { describe, expect, test } from 'vitest';
import { findControl, UserError } from '../../engine/core/errors.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import type { XenScenario } from '../../engine/scenario/xen-schema.ts';

/** What parsing says of a text; the name of the file cut off. */
function complaint(text: string, file = 'bad.yaml'): string {
  try {
    parseScenario(text, file);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message.replace('bad.yaml:', '');
  }
  return 'nothing wrong';
}

/** Three lines of a good scenario, and the bad one as the fourth. */
const good = (line: string) => `name: x\ntitle: t\ndom0: {vcpus: 1}\n${line}\n`;
/** The same with devices, the first on line 5. */
const devices = (...list: string[]) =>
  `name: x\ntitle: t\ndom0:\n  vcpus: 1\n  devices:\n${list.map((d) => `    - ${d}\n`).join('')}`;
const DISK = '{driver: nvme, name: nvme0, queues: 2, as: disk}';
const NIC = '{driver: msi-nic, name: eth0, as: nic}';
const KEYS =
  'name, title, xen, cpus, busy-ports, keeps-pending, ioapic-pins, firmware, command-line, dom0, guests, keys, workloads';
const NAME = 'a name of 1 to 40 letters, digits and . _ : [ ] -';
const RATE = 'a number from 0.000001 to 1000000';
const nested = (open: string, times: number) => open.repeat(times);

const parseXen = (text: string) => parseScenario(text, 'good.yaml') as XenScenario;

test('a good scenario is taken, with its defaults', () => {
  const { name, cpus, guests, dom0 } = parseXen(good('guests: [{rings: 0}]'));
  expect({ name, cpus, vcpus: dom0.vcpus, guests: guests.map((g) => g.queues) }).toEqual({
    name: 'x',
    cpus: 4,
    vcpus: 1,
    guests: [1],
  });
});

describe('the text', () => {
  test.each([
    ['', '1: nothing in it, expected a scenario: name, title, dom0 or kvm, ...'],
    ['# only a comment\n', '1: nothing in it, expected a scenario: name, title, dom0 or kvm, ...'],
    ['---\n', '1: nothing in it, expected a scenario: name, title, dom0 or kvm, ...'],
    [
      'name: [x\n',
      '2: not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['name: x\n\ttitle: t\n', '2: a tab in the indentation, expected blanks'],
    [good('title: u'), '4: a key for the second time, expected each once'],
    [`${good('')}---\nname: y\n`, '5: a second document, expected one'],
    [good('cpus: *four'), '4: not YAML: Unresolved alias (the anchor must be set before the alias): four'],
    [good('cpus: !js/function 4'), '4: not YAML: Unresolved tag: !js/function'],
    ['%YAML 1.3\n---\nname: x\n', '1: not YAML: Unsupported YAML version 1.3'],
    ['name: "\\q"\n', '1: not YAML: Invalid escape sequence \\q'],
    [`name: x\n${nested('[', 100_000)}`, '2: nested too deeply, expected at most 32 levels'],
    [nested('{a: ', 5_000), '1: nested too deeply, expected at most 32 levels'],
    [nested('- ', 5_000), '1: nested too deeply, expected at most 32 levels'],
    [nested('? ', 5_000), '1: nested too deeply, expected at most 32 levels'],
    [`${'x'.repeat(1 << 20)}y`, '1: 1048577 characters, expected at most 1048576'],
  ])('%j', (text, line) => {
    expect(complaint(text)).toBe(line);
  });

  test('aliases do not make a small file large', () => {
    const bomb = ['name: &a0 [x]'];
    for (let n = 1; n < 30; n++) bomb.push(`k${n}: &a${n} [${`*a${n - 1},`.repeat(9)}]`);
    expect(complaint(bomb.join('\n'))).toBe('30: too large, expected at most 100000 values');
    expect(complaint('name: &a [*a]\n')).toBe('1: too large, expected at most 100000 values');
  });

  test('aliases in measure are fine', () => {
    const many = Array.from({ length: 200 }, () => '  - *g').join('\n');
    const text = good(`guests:\n  - &g {rings: 0, queues: 0}\n${many}`);
    expect(parseXen(text).guests).toHaveLength(201);
  });

  test('the alias of a bad part is shown where the part stands', () => {
    const text =
      'name: x\ntitle: t\ndom0: {vcpus: 1}\nguests:\n  - &g\n    rings: 0\n    vcpus: many\n  - *g\n';
    expect(complaint(text)).toBe('7: guests[0].vcpus: expected a whole number from 1 to 256, got "many"');
  });
});

describe('keys and kinds', () => {
  test.each([
    ['- a\n- b\n', `1: expected keys and values: ${KEYS}, got a list of 2`],
    ['just text\n', `1: expected keys and values: ${KEYS}, got "just text"`],
    ['42\n', `1: expected keys and values: ${KEYS}, got 42`],
    ['\u0000\u0001\u00ff', `1: expected keys and values: ${KEYS}, got "\\x00\\x01ÿ"`],
    [good('color: red'), `4: color: unknown key, expected one of ${KEYS}`],
    [good('Cpus: 4'), '4: Cpus: unknown key, expected cpus'],
    [good('guest: []'), '4: guest: unknown key, expected guests'],
    [good('\u001b[31m: 4'), `4: \\x1b[31m: unknown key, expected one of ${KEYS}`],
    [good('__proto__: {}'), `4: __proto__: unknown key, expected one of ${KEYS}`],
    [good('? [a, b]\n: c'), '4: a list or keys and values as a key, expected a word'],
    ['title: t\ndom0: {vcpus: 1}\n', `1: name: missing, expected ${NAME}`],
    ['name: x\ntitle: t\n', '1: dom0: missing, expected keys and values: kernel, fifo, vcpus, cpus, devices'],
    ['name: x\ntitle: t\ndom0: {vcpu: 1}\n', '3: dom0.vcpu: unknown key, expected vcpus'],
    ['name: a b\ntitle: t\ndom0: {vcpus: 1}\n', `1: name: expected ${NAME}, got "a b"`],
    ['name: 5\ntitle: t\ndom0: {vcpus: 1}\n', `1: name: expected ${NAME}, got 5`],
    [
      'name: x\ntitle: "a\\eb"\ndom0: {vcpus: 1}\n',
      '2: title: expected text of at most 120 printable characters, got "a\\x1bb"',
    ],
    [good('cpus: four'), '4: cpus: expected a whole number from 1 to 256, got "four"'],
    [good('cpus: 0'), '4: cpus: expected a whole number from 1 to 256, got 0'],
    [good('cpus: -1'), '4: cpus: expected a whole number from 1 to 256, got -1'],
    [good('cpus: 1e9'), '4: cpus: expected a whole number from 1 to 256, got 1000000000'],
    [good('cpus: 1e400'), '4: cpus: expected a whole number from 1 to 256, got Infinity'],
    [good('cpus: 2.5'), '4: cpus: expected a whole number from 1 to 256, got 2.5'],
    [good('cpus: .nan'), '4: cpus: expected a whole number from 1 to 256, got NaN'],
    [good('cpus: true'), '4: cpus: expected a whole number from 1 to 256, got true'],
    [good('cpus:'), '4: cpus: expected a whole number from 1 to 256, got nothing'],
    [
      good('cpus: !!binary aGVsbG8='),
      '4: cpus: expected a whole number from 1 to 256, got something of another kind',
    ],
    [good('cpus: [4]'), '4: cpus: expected a whole number from 1 to 256, got a list of 1'],
    [good('xen: 4.17'), '4: xen: expected "4.17" in quotes, got 4.17'],
    [good("xen: '5.0'"), '4: xen: expected one of 3.4, 4.17, got "5.0"'],
    [good('ioapic-pins: 8'), '4: ioapic-pins: expected a whole number from 16 to 240, got 8'],
    [good('guests: 3'), '4: guests: expected a list of at most 500, got 3'],
    [
      good('guests: [3]'),
      '4: guests[0]: expected keys and values: kernel, fifo, type, vcpus, cpus, rings, disk, queues, timer, upcall-vectors, hap, emulate-tsc, debugger, devices, channels, max-event-channels, got 3',
    ],
    [
      good('guests:\n  - rings: 0\n  - kernel: windows'),
      '6: guests[1].kernel: expected one of linux-6.1, linux-6.18, linux-2026, linux-3.10, linux-2.6.18-xen, linux-2.6.3x-xen, linux-2.6.38, linux-2.6.36, got "windows"',
    ],
    [
      good('guests: [{rings: 0, cpus: []}]'),
      '4: guests[0].cpus: expected a list of CPUs, 1 to 256 of them, got an empty list',
    ],
    [good('guests: [{rings: 0, type: svm}]'), '4: guests[0].type: expected one of pv, pvh, hvm, got "svm"'],
    [good('guests: [{rings: -1}]'), '4: guests[0].rings: expected a whole number from 0 to 16, got -1'],
    [good('guests: [{rings: 0, fifo: maybe}]'), '4: guests[0].fifo: expected true or false, got "maybe"'],
    [
      good('guests: [{max-event-channels: 0}]'),
      '4: guests[0].max-event-channels: expected a whole number from 2 to 131071, got 0',
    ],
    [
      devices('{driver: floppy}'),
      '6: dom0.devices[0].driver: expected one of line, i8042, nvme, ahci, virtio-scsi, ata, e1000e, e1000, msi-nic, virtio-net, msix, got "floppy"',
    ],
    [devices('{driver: nvmee, name: a, queues: 1}'), '6: dom0.devices[0].driver: expected nvme, got "nvmee"'],
    [
      devices('{name: a}'),
      '6: dom0.devices[0].driver: missing, expected one of line, i8042, nvme, ahci, virtio-scsi, ata, e1000e, e1000, msi-nic, virtio-net, msix',
    ],
    [
      devices('{driver: nvme, name: a}'),
      '6: dom0.devices[0].queues: missing, expected a whole number from 1 to 64',
    ],
    [
      devices('{driver: nvme, name: a, queues: 65}'),
      '6: dom0.devices[0].queues: expected a whole number from 1 to 64, got 65',
    ],
    [
      devices('{driver: nvme, name: a, queues: 1, least: -5}'),
      '6: dom0.devices[0].least: expected a number from 1 to 10000000, got -5',
    ],
    [
      devices('{driver: ahci, name: a, gsi: 5}'),
      '6: dom0.devices[0].gsi: unknown key, expected one of driver, name, as, least, extra',
    ],
    [
      devices('{driver: line, name: "a\\eb", gsi: 5}'),
      '6: dom0.devices[0].name: expected a name of 1 to 40 printable characters, got "a\\x1bb"',
    ],
    [good('keys: [kbd]'), '4: keys[0]: expected keys and values: device, title, got "kbd"'],
    [
      good('workloads: [{what: knit}]'),
      '4: workloads[0].what: expected one of device, packets, disk, xenstore, console, compute, calls, events, microbenchmark, locks, faults, nmi, chatter, reopen, machine-check, got "knit"',
    ],
    [
      good('workloads: [{what: calls, domain: -1, rate: 1}]'),
      '4: workloads[0].domain: expected a whole number of at least 0, got -1',
    ],
    [
      good('workloads: [{what: calls, domain: 0, rate: .inf}]'),
      '4: workloads[0].rate: expected a number from 0.000001 to 100000, got Infinity',
    ],
    [
      good('workloads: [{what: calls, domain: 0, rate: -3}]'),
      '4: workloads[0].rate: expected a number from 0.000001 to 100000, got -3',
    ],
    [
      good('workloads: [{what: compute, domain: 0, share: 2}]'),
      '4: workloads[0].share: expected a number from 0.001 to 1, got 2',
    ],
    [
      good('workloads: [{what: disk, domain: 0, think: -1}]'),
      '4: workloads[0].think: expected a number from 0 to 1000000, got -1',
    ],
  ])('%j', (text, line) => {
    expect(complaint(text)).toBe(line);
  });

  const loads = (pattern: string) =>
    `${devices(NIC)}workloads:\n  - {what: packets, domain: 0, pattern: ${pattern}}\n`;
  test.each([
    ['{kind: poisson, rate: .nan}', `pattern.rate: expected ${RATE}, got NaN`],
    ['{kind: poisson, rate: 0}', `pattern.rate: expected ${RATE}, got 0`],
    ['{kind: periodic, rate: fast}', `pattern.rate: expected ${RATE}, got "fast"`],
    ['{kind: bursts, rate: 1, on: 0}', 'pattern.on: expected a number from 0.001 to 1000000, got 0'],
    ['{kind: bursts, rate: 1, off: -1}', 'pattern.off: expected a number from 0.001 to 1000000, got -1'],
    ['{kind: poison, rate: 1}', 'pattern.kind: expected poisson, got "poison"'],
    ['often', 'pattern: expected keys and values, got "often"'],
  ])('pattern %s', (pattern, rest) => {
    expect(complaint(loads(pattern))).toBe(`8: workloads[0].${rest}`);
  });
});

describe('what the parts must have in common', () => {
  const line = (name: string, gsi: number, level: boolean) =>
    `{driver: line, name: ${name}, gsi: ${gsi}, level: ${level}}`;
  test.each([
    [good('guests: [{rings: 0, cpus: [0, 4]}]'), '4: guests[0].cpus[1]: there is no CPU 4, expected 0 to 3'],
    [
      'name: x\ntitle: t\ndom0:\n  vcpus: 1\n  cpus:\n    - 0\n    - 7\n',
      '7: dom0.cpus[1]: there is no CPU 7, expected 0 to 3',
    ],
    [
      good(`guests: [${'{rings: 0, vcpus: 256},'.repeat(17)}]`),
      '4: guests: 4353 virtual CPUs, expected at most 4096 in all',
    ],
    [
      good("xen: '3.4'"),
      '3: dom0.kernel: linux-6.1 on Xen 3.4, expected one of linux-2.6.18-xen, linux-2.6.3x-xen',
    ],
    [
      "name: x\ntitle: t\nxen: '3.4'\ndom0: {vcpus: 1, kernel: linux-2.6.3x-xen}\nguests:\n  - {rings: 0, type: pvh}\n",
      '6: guests[0].type: a PVH guest on Xen 3.4, expected type pv',
    ],
    [
      "name: x\ntitle: t\nxen: '3.4'\ndom0: {vcpus: 1, kernel: linux-2.6.3x-xen}\nguests:\n  - {rings: 0}\n",
      '6: guests[0].kernel: linux-6.1 on Xen 3.4, expected one of linux-2.6.18-xen, linux-2.6.3x-xen',
    ],
    [
      good('guests: [{rings: 0, type: pvh, kernel: linux-3.10}]'),
      '4: guests[0].kernel: linux-3.10 as a PVH guest, expected one of linux-6.1, linux-6.18, linux-2026',
    ],
    [
      good('guests: [{rings: 0, type: hvm, kernel: linux-3.10}]'),
      '4: guests[0].kernel: linux-3.10 as an HVM guest of Xen 4.17, expected one of linux-6.1, linux-6.18, linux-2026, linux-2.6.36',
    ],
    [
      good('guests: [{rings: 0, type: hvm, kernel: linux-2.6.38}]'),
      '4: guests[0].kernel: linux-2.6.38 as an HVM guest of Xen 4.17, expected one of linux-6.1, linux-6.18, linux-2026, linux-2.6.36',
    ],
    [
      good('workloads: [{what: chatter, domain: 0, pattern: {kind: poisson, rate: 5}}]'),
      '4: workloads[0].domain: domain 0 is no guest that knows Xen, expected one',
    ],
    [
      good(
        'guests: [{rings: 0, channels: 4}]\nworkloads: [{what: chatter, domain: 1, first: 2, channels: 3, pattern: {kind: poisson, rate: 5}}]',
      ),
      '5: workloads[0].channels: channels 2 to 4 of domain 1, which has 0 to 3, expected more of its `channels`',
    ],
    [
      good(
        'guests: [{rings: 0, channels: 4}]\nworkloads: [{what: chatter, domain: 1, vcpu: 1, pattern: {kind: poisson, rate: 5}}]',
      ),
      '5: workloads[0].vcpu: domain 1 has no virtual CPU 1, expected 0',
    ],
    [
      good(
        `guests: [{rings: 0, channels: 4}]
workloads: [{what: chatter, domain: 1, channels: 3, pattern: {kind: poisson, rate: 5}}, {what: chatter, domain: 1, first: 2, pattern: {kind: poisson, rate: 5}}]`,
      ),
      '5: workloads[1].first: channel 2 of domain 1 has chatter already, expected others',
    ],
    [
      good('guests: [{rings: 0}]\nworkloads: [{what: reopen, domain: 1}, {what: reopen, domain: 1}]'),
      '5: workloads[1].domain: a second reopen for domain 1, expected one at most',
    ],
    [
      good('guests: [{rings: 0, kernel: linux-2.6.36}]'),
      '4: guests[0].kernel: linux-2.6.36 as a guest of type pv, expected type hvm',
    ],
    [
      good('guests: [{rings: 0, devices: [{driver: rtc}]}]'),
      '4: guests[0].devices: devices of a guest of type pv, expected type hvm, or none',
    ],
    [
      good('guests: [{rings: 0, type: hvm, devices: [{driver: passthrough, name: vf}]}]'),
      '4: guests[0].devices[0]: a device with neither messages nor a gsi, expected one of both',
    ],
    [
      good(
        'guests: [{rings: 0, type: hvm, devices: [{driver: passthrough, name: vf, gsi: 23, messages: 1}]}]',
      ),
      '4: guests[0].devices[0]: a device with messages and a gsi, expected one of both',
    ],
    [
      good('guests: [{rings: 0, type: hvm, devices: [{driver: passthrough, name: vf, gsi: 4}]}]'),
      "4: guests[0].devices[0].gsi: GSI 4 is Xen's serial line, expected another one",
    ],
    [
      good('guests: [{rings: 0, type: hvm, devices: [{driver: passthrough, name: vf, gsi: 24}]}]'),
      '4: guests[0].devices[0].gsi: there is no GSI 24, expected 0 to 23 (ioapic-pins)',
    ],
    [
      good(
        'guests: [{rings: 0, type: hvm, devices: [{driver: i8042}, {driver: passthrough, name: kbd, messages: 1}]}]',
      ),
      '4: guests[0].devices[1].name: there is a device "dom1.kbd" already, expected another name',
    ],
    [
      good(
        `guests: [{rings: 0, type: hvm, devices: [{driver: passthrough, name: a, messages: 32},
          {driver: passthrough, name: b, messages: 1}]}]`,
      ),
      '4: guests[0].devices: 33 messages of devices passed through, expected at most 32',
    ],
    [
      good('guests: [{rings: 0, type: hvm, devices: [{driver: rtc}, {driver: rtc}]}]'),
      '4: guests[0].devices[1].driver: a second rtc, expected one at most',
    ],
    [
      good('guests: [{type: hvm, kernel: linux-2.6.36, devices: [{driver: vkbd}]}]'),
      '4: guests[0].devices[0].driver: vkbd and linux-2.6.36, which knows nothing of Xen, expected another device',
    ],
    [
      good('guests: [{rings: 0, type: hvm, devices: [{driver: ata}]}]'),
      '4: guests[0].devices[0]: dom0 has no disk, expected one among its devices',
    ],
    [
      good('guests: [{rings: 0}]\nworkloads: [{what: faults, domain: 1, rate: 1}]'),
      '5: workloads[0].domain: domain 1 is no HVM or PVH guest, expected one',
    ],
    [
      good('guests: [{rings: 0, debugger: true}]'),
      '4: guests[0].debugger: a debugger of a guest of type pv, expected type hvm or pvh',
    ],
    [
      good('workloads: [{what: machine-check, domain: 1, rate: 1}]'),
      '4: workloads[0].domain: there is no domain 1, expected 0',
    ],
    [
      good('workloads: [{what: machine-check, error: fatal, rate: 1}]'),
      '4: workloads[0].error: expected one of uncorrected, corrected, polled, got "fatal"',
    ],
    [
      good('guests: [{type: pvh}]\nkeys: [{device: dom2.machine-check}]'),
      '5: keys[0].device: there is no device "dom2.machine-check", expected dom0.machine-check',
    ],
    [
      good('guests: [{rings: 0}]\nworkloads: [{what: nmi, domain: 1, rate: 1}]'),
      "5: workloads[0].domain: domain 1 is no HVM or PVH guest, expected one, or 0: the host's processors",
    ],
    [
      good('guests: [{type: hvm, kernel: linux-2.6.36}]\nworkloads: [{what: locks, domain: 1, rate: 1}]'),
      '5: workloads[0].domain: domain 1 knows nothing of Xen, expected one that does',
    ],
    [
      good('guests: [{type: hvm, kernel: linux-2.6.36}]\nworkloads: [{what: console, domain: 1, rate: 1}]'),
      '5: workloads[0].domain: domain 1 knows nothing of Xen, expected one that does',
    ],
    [
      good('guests: [{type: hvm, kernel: linux-2.6.36}]\nkeys: [{device: dom1.kbd}]'),
      '5: keys[0].device: there is no device "dom1.kbd", expected one of uart, xen-key, machine-check, corrected-error',
    ],
    [
      devices(line('a', 24, false)),
      '6: dom0.devices[0].gsi: there is no GSI 24, expected 0 to 23 (ioapic-pins)',
    ],
    [
      devices('{driver: i8042, kbd: 1, aux: 99}'),
      '6: dom0.devices[0].aux: there is no GSI 99, expected 0 to 23 (ioapic-pins)',
    ],
    [
      devices(line('a', 4, false)),
      "6: dom0.devices[0].gsi: GSI 4 is Xen's serial line, expected another one",
    ],
    [devices(line('a', 0, false)), "6: dom0.devices[0].gsi: GSI 0 is Xen's timer, expected another one"],
    [
      `name: x\ntitle: t\ndom0:\n  vcpus: 1\n  kernel: linux-2.6.18-xen\n  devices:\n    - ${NIC}\n`,
      '7: dom0.devices[0].driver: a device with messages and linux-2.6.18-xen, expected one with a GSI, or another kernel',
    ],
    [
      "name: x\ntitle: t\nxen: '3.4'\ncommand-line: {irq_ratelimit: 5}\ndom0: {vcpus: 1, kernel: linux-2.6.18-xen}\n",
      '4: command-line.irq_ratelimit: Xen 3.4 has no such option, expected none, or xen: 4.17',
    ],
    [
      good('command-line: {ioapic_ack: older}'),
      '4: command-line.ioapic_ack: expected one of new, old, got "older"',
    ],
    [
      `${devices(line('a', 9, false))}firmware: {levels: [9]}\n`,
      '6: dom0.devices[0].gsi: a device of kind edge on GSI 9, which is level, expected all of one kind',
    ],
    [
      `${devices(line('a', 9, true))}firmware: {levels: [5, 4]}\n`,
      "7: firmware.levels[1]: GSI 4 is Xen's serial line, expected another one",
    ],
    [
      devices(line('a', 16, true), line('b', 16, false)),
      '7: dom0.devices[1].gsi: a device of kind edge on GSI 16, which is level, expected all of one kind',
    ],
    [
      devices(...Array.from({ length: 4 }, (_, n) => `{driver: msix, name: m${n}, messages: 60}`)),
      '6: dom0.devices: 240 messages and pins above 15, expected at most 177 in all',
    ],
    [
      devices(NIC, NIC),
      '7: dom0.devices[1].as: there is a device "nic" already, expected another name (as: NAME)',
    ],
    [
      devices(line('uart', 5, false)),
      '6: dom0.devices[0].name: there is a device "uart" already, expected another name (as: NAME)',
    ],
    [
      devices('{driver: i8042}', '{driver: i8042}'),
      '7: dom0.devices[1]: there is a device "kbd" already, expected another name (as: NAME)',
    ],
    [
      `${devices(NIC)}keys:\n  - {device: nick}\n`,
      '8: keys[0].device: there is no device "nick", expected nic',
    ],
    [
      `${devices(NIC)}keys:\n  - {device: toaster}\n`,
      '8: keys[0].device: there is no device "toaster", expected one of uart, xen-key, machine-check, corrected-error, nic',
    ],
    [
      `${devices(NIC)}keys:\n${'  - {device: nic}\n'.repeat(11)}`,
      '8: keys: expected a list of at most 10, got a list of 11',
    ],
    [
      good('workloads: [{what: device, device: kbd, pattern: {kind: poisson, rate: 1}}]'),
      '4: workloads[0].device: there is no device "kbd", expected one of uart, xen-key, machine-check, corrected-error',
    ],
    [
      good('guests: [{rings: 0, fifo: false, channels: 5000}]'),
      '4: guests[0].channels: 5000 event channels, expected less than 4096: all that the 2-level ABI has',
    ],
    [
      good('guests: [{rings: 0, kernel: linux-2.6.18-xen, channels: 5000}]'),
      '4: guests[0].channels: 5000 event channels, expected less than 4096: all that the 2-level ABI has',
    ],
    [
      good('guests: [{rings: 0, channels: 100000}, {rings: 0, channels: 100000}]'),
      '4: guests: 200000 event channels, expected at most 131072 in all',
    ],
    [
      good('guests: [{vcpus: 1}]'),
      '4: guests[0].rings: dom0 has no disk, expected rings: 0, or a disk among the devices of dom0',
    ],
    [
      `${devices(DISK)}guests:\n  - {disk: dusk}\n`,
      '8: guests[0].disk: there is no disk "dusk", expected disk',
    ],
    [
      good('workloads: [{what: calls, domain: 1, rate: 1}]'),
      '4: workloads[0].domain: there is no domain 1, expected 0',
    ],
    [
      good('guests: [{rings: 0}]\nworkloads:\n  - {what: locks, domain: 7, rate: 1}'),
      '6: workloads[0].domain: there is no domain 7, expected 0 to 1',
    ],
    [
      good('workloads: [{what: packets, domain: 0, pattern: {kind: poisson, rate: 1}}]'),
      '4: workloads[0].what: dom0 has no network card, expected one among its devices',
    ],
    [
      good('workloads: [{what: disk, domain: 0}]'),
      '4: workloads[0].domain: domain 0 has no disk, expected one that has',
    ],
    [
      good('guests: [{rings: 0}]\nworkloads: [{what: disk, domain: 1}]'),
      '5: workloads[0].domain: domain 1 has no disk, expected one that has',
    ],
    [
      good('workloads: [{what: console, domain: 0, rate: 1}]'),
      '4: workloads[0].domain: dom0 has no console of this kind, expected a guest, 1 or more',
    ],
  ])('%j', (text, says) => {
    expect(complaint(text)).toBe(says);
  });
});

test('the name of the file is foreign text too', () => {
  const message = complaint('', 'a\u001b]0;evil\u0007\n.yaml');
  expect(message).toBe(
    'a\\x1b]0;evil\\x07\\x0a.yaml:1: nothing in it, expected a scenario: name, title, dom0 or kvm, ...',
  );
  expect(findControl(message)).toBe(-1);
});

test('a misspelt key is told before the one that is missing', () => {
  expect(complaint('nmae: x\ntitle: t\ndom0: {vcpus: 1}\n')).toBe('1: nmae: unknown key, expected name');
});
