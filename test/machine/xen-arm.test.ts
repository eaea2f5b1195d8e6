/** Xen hosts on ARM: the rows of real machines, the life of their interrupts at the GIC, the dump of debug key q. */
import { describe, expect, test } from 'vitest';
import type { XenArm } from '../../engine/hv/xen/arm/xen.ts';
import { buildMachine, builtinScenario, parseInterrupts } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import { capture } from '../support/captures.ts';
import { linesOf } from '../support/debug-keys.ts';
import { lifeOf, realAccesses, watch } from '../support/gic-lives.ts';
import { domain, shape } from '../support/xen-tables.ts';

/** The machines of the captures: dom0 with its virtio devices, and a guest that Xen makes at boot. */
const real = (gic: 2 | 3, vcpus: number, passed: boolean, guest: boolean) => `
name: real
title: a machine of the captures
gic: ${gic}
cpus: 4
dom0:
  vcpus: ${vcpus}
  devices:
${passed ? '' : '    - {driver: rtc}\n'}    - {driver: virtio-blk, name: virtio2, slot: 1, as: disk}
    - {driver: virtio-blk, name: virtio1, transport: 31, as: disk1}
    - {driver: virtio-net, name: virtio0, transport: 30, as: nic}
guests: ${guest ? `[{type: dom0less, vcpus: 2, devices: [${passed ? '{driver: rtc}' : ''}]}]` : '[]'}
keys: [{device: disk}, {device: disk1}, {device: ${passed ? 'dom1.rtc' : 'rtc'}}]
`;

const shapeOf = (name: string) => shape(parseInterrupts(capture(`xen-arm64/${name}`), name));

const build = (...of: Parameters<typeof real>) => buildMachine(parseScenario(real(...of), 'real.yaml'), 1);

test.each([
  ['xen-gicv2.dom0.2.txt', 0, 2, 4, false, false],
  ['xen-gicv2-domu.dom0.2.txt', 0, 2, 2, false, true],
  ['xen-gicv2-domu.domU1.2.txt', 1, 2, 2, false, true],
  ['xen-gicv3-domu.dom0.2.txt', 0, 3, 4, false, true],
  ['xen-gicv3-domu.domU1.2.txt', 1, 3, 4, false, true],
  ['xen-gicv3-pt.dom0.2.txt', 0, 3, 2, true, true],
  ['xen-gicv3-pt.domU1.2.txt', 1, 3, 2, true, true],
] as const)('the rows of %s, domain %i', (name, id, gic, vcpus, passed, guest) => {
  const machine = build(gic, vcpus, passed, guest);
  machine.runUntil(1e9);
  expect(shape(domain(machine, id).interrupts)).toBe(shapeOf(name));
});

describe.each([2, 3] as const)('GICv%i: a life is as on the real machine', (gic) => {
  /** of this version the values of list registers count too, of the other only the order */
  const orderOf = (life: readonly string[]) => life.map((access) => access.replace(/^LR .*/, 'LR'));

  test.each([
    ['gicv2-level36-dom0', 36, 'disk', false],
    ['gicv2-SPI34-to-domU', 34, 'dom1.rtc', true],
    ['gicv3-level36-edge79-dom0', 36, 'disk', false],
    ['gicv3-level36-edge79-dom0', 79, 'disk1', false],
    ['gicv3-SPI34-to-domU', 34, 'dom1.rtc', true],
  ] as const)('%s, SPI %i', (excerpt, intid, device, passed) => {
    const machine = build(gic, 2, passed, true);
    machine.runUntil(1e8);
    const accesses = watch(machine);
    machine.fire(device);
    machine.runUntil(2e8);
    const theirs = lifeOf(realAccesses(excerpt), intid);
    const ours = lifeOf(accesses, intid);
    expect(ours.at(-1)).toBe(`vEOIR ${intid}`);
    // one excerpt ends before its guest runs again
    expect(theirs.length).toBeGreaterThanOrEqual(excerpt === 'gicv2-SPI34-to-domU' ? 3 : 5);
    ours.length = theirs.length;
    if (excerpt.startsWith(`gicv${gic}`)) expect(ours).toEqual(theirs);
    else expect(orderOf(ours)).toEqual(orderOf(theirs));
    // the guest's EOI deactivates it, not Xen
    expect(accesses).not.toContain(`DIR ${intid}`);
  });
});

test("Xen's own interrupts are dropped in priority after their handler and deactivated at once; SGIs before", () => {
  const machine = build(3, 2, false, true);
  const accesses = watch(machine);
  machine.runUntil(1e9);
  const next = (from: string) => accesses[accesses.indexOf(from) + 1];
  expect(next('IAR 26')).toBe('EOIR 26');
  expect(next('EOIR 26')).toBe('DIR 26');
  expect(next('IAR 0')).toBe('EOIR 0');
  expect(accesses.filter((a) => a === 'DIR 0').length).toBeGreaterThan(0);
  // no more interrupts: the loop ends with IAR 1023
  expect(accesses).toContain('IAR 1023');
});

test.each([
  [3, true, 37],
  [2, false, 102],
] as const)(
  'GICv%i: when virtual CPU 0 of dom0 moves, all its SPIs are aimed anew',
  (gic, passed, writes) => {
    const machine = build(gic, 2, passed, true);
    const { xen } = (machine.platform as unknown as { host: { xen: XenArm } }).host;
    const aimed: number[] = [];
    const original = xen.aimed.bind(xen);
    xen.aimed = (irq, cpu) => {
      aimed.push(irq);
      original(irq, cpu);
    };
    machine.runUntil(1e8);
    aimed.length = 0;
    xen.vgic.moveIrqs(xen.gicCpus[0]!, xen.armDomain(0).vcpus[0]!.vgic);
    expect(aimed.length).toBe(writes);
    expect(xen.hardware.gic.core.targetsOf(48)).toEqual([xen.armDomain(0).vcpus[0]!.processor]);
    // SPIs are for virtual CPU 0; the other has none
    aimed.length = 0;
    xen.vgic.moveIrqs(xen.gicCpus[0]!, xen.armDomain(0).vcpus[1]!.vgic);
    expect(aimed).toEqual([]);
  },
);

test('on a busy machine virtual CPUs move, and their interrupts with them', () => {
  const machine = buildMachine(builtinScenario('xen-arm-v2')!, 42);
  const { xen } = (machine.platform as unknown as { host: { xen: XenArm } }).host;
  machine.runUntil(3e8);
  for (let i = 0; i < 20_000; i++) {
    machine.step();
    const { processor } = xen.armDomain(0).vcpus[0]!;
    expect(xen.irqs.descs[78]!.target).toBe(processor);
  }
});

test('debug key q has the lines of the real one', () => {
  const machine = buildMachine(builtinScenario('xen-arm-v3')!, 42);
  machine.runUntil(1e9);
  const form = (line: string) =>
    line
      .replace(/^\[ *[\d.]+\] /, '')
      .replace(/=[0-9a-f]+(?=$| )/g, '=#')
      .replace(/\{[^}]*\}/g, '{}')
      .replace(/(now = )\d+|\d+/g, '$1#');
  const forms = (lines: readonly string[]) => new Set(lines.map(form));
  const ours = forms(linesOf(machine.platform.dump('q')!));
  const text = capture('xen-arm64/xen-gicv3-pt.debug-key-q.txt').replace(/^\(XEN\) /gm, '');
  const theirs = forms(text.trimEnd().split('\n'));
  // pages, the second stage's tables and what is loaded of the CPU that prints are not simulated
  const known = [...theirs].filter((l) => !/nr_pages|p2m|mappings|handle=|I\/O Memory|HW_LR/.test(l));
  expect([...ours].filter((l) => !theirs.has(l) && !l.includes('dirty_cpus'))).toEqual([]);
  expect(known.filter((l) => !ours.has(l) && !/Inflight|Pending/.test(l))).toEqual([]);
});
