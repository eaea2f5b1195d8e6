/** What a scenario of a Xen host on ARM may say, and the line for each mistake. */
import { describe, expect, test } from 'vitest';
import { buildMachine } from '../../engine/index.ts';
import type { ArmScenario } from '../../engine/scenario/arm-schema.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

const DISK = '{driver: virtio-blk, name: virtio1, slot: 1, as: disk}';
const NIC = '{driver: virtio-net, name: virtio0, transport: 30, as: nic}';

interface Parts {
  readonly gic?: number | string;
  readonly cpus?: number;
  readonly dom0?: string;
  readonly devices?: string;
}

/** The keys stand on lines 1 to 5, what follows from line 6 on. */
function head(more = '', { gic = 3, cpus = 2, dom0 = 'vcpus: 1', devices = DISK }: Parts = {}): string {
  return `name: x\ntitle: t\ngic: ${gic}\ncpus: ${cpus}\ndom0: {${dom0}, devices: [${devices}]}\n${more}`;
}

function complaint(text: string): string {
  try {
    parseScenario(text, 'a.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

test('the least that there is, with its defaults', () => {
  const s = parseScenario(head('guests: [{}, {type: dom0less}]\n'), 'a.yaml') as ArmScenario;
  expect([s.gic, s.xen, s['list-registers'], s.keys, s.workloads]).toEqual([3, '4.17', 4, [], []]);
  expect(s['command-line']).toMatchObject({ serrors: 'diverse' });
  expect(s.guests[0]).toMatchObject({
    kernel: 'linux-6.1',
    type: 'xl',
    fifo: true,
    aarch32: false,
    vcpus: 1,
    rings: 1,
    queues: 1,
    devices: [],
  });
  expect(s.guests[1]!.type).toBe('dom0less');
});

test('what it says can be built and run: a board with all it has room for', () => {
  const devices = Array.from({ length: 32 }, (_, n) => `{driver: virtio-blk, name: v${n}, transport: ${n}}`);
  const text = head('guests: [{type: dom0less, aarch32: true, devices: [{driver: rtc}]}]\n', {
    gic: 2,
    cpus: 8,
    dom0: 'vcpus: 8',
    devices: [DISK, ...devices].join(', '),
  });
  const machine = buildMachine(parseScenario(text, 'a.yaml'), 1);
  machine.runUntil(20e6);
  const { rows } = machine.platform.domains()[0]!.interrupts;
  expect(rows.filter((row) => row.actions[0]?.startsWith('v') && row.hwirq !== null).length).toBe(33);
});

describe('mistakes', () => {
  const guest = (what: string) => head(`guests: [{${what}}]\n`);
  const twoOf = (a: string, b: string) => head('', { devices: `${a}, ${b}` });
  const load = (what: string, guests = 'guests: [{}]\n', parts: Parts = {}) =>
    head(`${guests}workloads: [{${what}}]\n`, parts);

  test.each([
    // the host
    [head('', { gic: 4 }), 'a.yaml:3: gic: expected one of 2, 3, got 4'],
    [head('', { gic: '"3"' }), 'a.yaml:3: gic: expected one of 2, 3, got "3"'],
    [head("kvm: '6.1'\n"), /^a\.yaml:3: gic: unknown key, expected one of name, title, kvm, /],
    [head('gics: 2\n'), 'a.yaml:6: gics: unknown key, expected gic'],
    [head('list-registers: 17\n'), 'a.yaml:6: list-registers: expected a whole number from 1 to 16, got 17'],
    [head('list-registers: 0\n'), 'a.yaml:6: list-registers: expected a whole number from 1 to 16, got 0'],
    [head("xen: '3.4'\n"), /^a\.yaml:6: xen: .*expected 4\.17/],
    [head('command-line: {serrors: ignore}\n'), /^a\.yaml:6: command-line\.serrors: .*diverse/],
    [head('command-line: {irq_ratelimit: 5}\n'), /^a\.yaml:6: command-line\.irq_ratelimit: unknown key/],
    // CPUs
    [head('', { gic: 2, cpus: 9 }), 'a.yaml:4: cpus: 9 CPUs, expected at most 8 with gic: 2'],
    [head('', { cpus: 257 }), 'a.yaml:4: cpus: expected a whole number from 1 to 256, got 257'],
    [
      head('', { gic: 2, cpus: 8, dom0: 'vcpus: 9' }),
      'a.yaml:5: dom0.vcpus: 9 virtual CPUs, expected at most 8 with gic: 2',
    ],
    [head('', { dom0: 'vcpus: 1, cpus: [2]' }), 'a.yaml:5: dom0.cpus[0]: there is no CPU 2, expected 0 to 1'],
    [guest('cpus: [0, 5]'), 'a.yaml:6: guests[0].cpus[1]: there is no CPU 5, expected 0 to 1'],
    [
      head('guests: [{vcpus: 9}]\n', { gic: 2 }),
      'a.yaml:6: guests[0].vcpus: 9 virtual CPUs, expected at most 8 with gic: 2',
    ],
    [
      head(`guests: [${Array.from({ length: 17 }, () => '{vcpus: 256}').join(', ')}]\n`),
      'a.yaml:6: guests: 4353 virtual CPUs, expected at most 4096 in all',
    ],
    // devices
    [
      twoOf('{driver: rtc}', '{driver: rtc}'),
      'a.yaml:5: dom0.devices[1].driver: there is a device "rtc" already, expected another name',
    ],
    [
      twoOf(DISK, '{driver: virtio-blk, name: uart, slot: 2}'),
      'a.yaml:5: dom0.devices[1].name: there is a device "uart" already, expected another name',
    ],
    [
      head('', { devices: '{driver: virtio-blk, name: d}' }),
      'a.yaml:5: dom0.devices[0]: a device with neither a transport nor a slot, expected one of both',
    ],
    [
      head('', { devices: '{driver: virtio-blk, name: d, slot: 1, transport: 1}' }),
      'a.yaml:5: dom0.devices[0]: a device with a transport and a slot, expected one of both',
    ],
    [
      twoOf(NIC, '{driver: virtio-blk, name: d, transport: 30}'),
      'a.yaml:5: dom0.devices[1].transport: transport 30 has a device already, expected another one',
    ],
    [
      twoOf(DISK, '{driver: virtio-net, name: n, slot: 1}'),
      'a.yaml:5: dom0.devices[1].slot: slot 1 has a device already, expected another one',
    ],
    [
      head('', { devices: '{driver: virtio-blk, name: d, slot: 0}' }),
      'a.yaml:5: dom0.devices[0].slot: expected a whole number from 1 to 31, got 0',
    ],
    [
      head('', { devices: '{driver: virtio-blk, name: d, transport: 32}' }),
      'a.yaml:5: dom0.devices[0].transport: expected a whole number from 0 to 31, got 32',
    ],
    [head('', { devices: '{driver: i8042}' }), /^a\.yaml:5: dom0\.devices\[0\]\.driver: .*rtc/],
    // guests
    [
      head('guests: [{}]\n', { devices: NIC }),
      'a.yaml:6: guests[0]: dom0 has no disk, expected one among its devices',
    ],
    [guest('disk: dusk'), 'a.yaml:6: guests[0].disk: there is no disk "dusk", expected disk'],
    [guest('type: hvm'), /^a\.yaml:6: guests\[0\]\.type: .*xl/],
    [guest('debugger: true'), /^a\.yaml:6: guests\[0\]\.debugger: unknown key/],
    [guest('devices: [{driver: i8042}]'), /^a\.yaml:6: guests\[0\]\.devices\[0\]\.driver: .*rtc/],
    [
      head('guests: [{devices: [{driver: rtc}]}]\n', { devices: `${DISK}, {driver: rtc}` }),
      "a.yaml:6: guests[0].devices: the rtc is dom0's, expected it in one domain",
    ],
    [
      head('guests: [{devices: [{driver: rtc}]}, {devices: [{driver: rtc}]}]\n'),
      "a.yaml:6: guests[1].devices: the rtc is domain 1's, expected it in one domain",
    ],
    // what goes on
    [
      head('keys: [{device: kbd}]\n'),
      /^a\.yaml:6: keys\[0\]\.device: there is no device "kbd", expected one of disk, /,
    ],
    [
      load('what: device, device: rtc, pattern: {kind: poisson, rate: 1}'),
      /^a\.yaml:7: workloads\[0\]\.device: there is no device "rtc", expected one of /,
    ],
    [
      load('what: compute, domain: 2, share: 0.5'),
      'a.yaml:7: workloads[0].domain: there is no domain 2, expected 0 to 1',
    ],
    [
      head('workloads: [{what: calls, domain: 1, rate: 1}]\n'),
      'a.yaml:6: workloads[0].domain: there is no domain 1, expected 0',
    ],
    [
      load('what: packets, domain: 1, pattern: {kind: poisson, rate: 1}'),
      'a.yaml:7: workloads[0].what: dom0 has no network card, expected one among its devices',
    ],
    [
      load('what: disk, domain: 1', 'guests: [{type: dom0less}]\n'),
      'a.yaml:7: workloads[0].domain: domain 1 knows nothing of Xen, expected one that does',
    ],
    [
      load('what: xenstore, domain: 1, rate: 1', 'guests: [{type: dom0less}]\n'),
      'a.yaml:7: workloads[0].domain: domain 1 knows nothing of Xen, expected one that does',
    ],
    [
      load('what: disk, domain: 1', 'guests: [{rings: 0}]\n'),
      'a.yaml:7: workloads[0].domain: domain 1 has no disk, expected one that has',
    ],
    [
      load('what: disk, domain: 0', 'guests: []\n', { devices: NIC }),
      'a.yaml:7: workloads[0].domain: domain 0 has no disk, expected one that has',
    ],
    [
      load('what: console, domain: 0, rate: 1'),
      'a.yaml:7: workloads[0].domain: dom0 has no console of this kind, expected a guest, 1 or more',
    ],
    [load('what: faults, domain: 1, kind: int3'), /^a\.yaml:7: workloads\[0\]\.what: /],
  ])('%#', (text, expected) => {
    if (typeof expected === 'string') expect(complaint(text)).toBe(expected);
    else expect(complaint(text)).toMatch(expected);
    expect(complaint(text).split('\n').length).toBe(1);
  });
});
