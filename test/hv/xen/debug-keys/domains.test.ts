/** Debug key q beside what a real Xen 4.17 printed, and each field of a virtual CPU by itself. */
import { describe, expect, test } from 'vitest';
import { VIRQ_DEBUG } from '../../../../engine/abi/xen.ts';
import { ms, us } from '../../../../engine/core/clock.ts';
import { debugKey } from '../../../../engine/hv/xen/x86/debug-keys/keys.ts';
import { buildMachine, builtinScenario } from '../../../../engine/index.ts';
import { parseScenario } from '../../../../engine/scenario/load.ts';
import { form, linesOf, q35, type Rules, realLines } from '../../../support/debug-keys.ts';
import { HvRig, type RigOptions } from '../../../support/hv-rig.ts';
import { PC } from '../../../support/xen-tables.ts';

/** Lines and fields of the original that are left out. */
const LEFT_OUT: Rules = [
  [/ +nr_pages=\d+ xenheap_pages=\d+ (dirty_cpus=\{\S*\}) max_pages=\d+$/, '    $1'],
  [/^ +(handle=|I\/O Memory|I\/O Ports|log-dirty|DomPage|XenPage|ExtraPage|PoD entries).*/, ''],
  [/^ +ioreq_server 0 pci .*/, ''],
  [/^(Memory pages belonging|Shared frames).*/, ''],
];

/** Of the moment. A vCPU that a CPU still holds has one more field. */
const MOMENT: Rules = [
  [/now = \d+/, 'now = N'],
  [/dirty_cpus=\{[0-9,-]*\}/, 'dirty_cpus={}'],
  [/: CPU\d \[has=[TF]\]/, ': CPU [has=]'],
  [/upcall_pend=0[01] upcall_mask=0[01] (dirty_cpu=\d)?$/, 'upcall_pend= upcall_mask= '],
  [/pause_flags=[01]$/, 'pause_flags='],
];

const without = (lines: readonly string[]) => form(lines, LEFT_OUT).filter((line) => line !== '');

test('the q35 machine: the same lines but for the moment', () => {
  const machine = q35();
  machine.runUntil(ms(3_000));
  const real = without(realLines('xen-q35.debug-key-q'));
  expect(form(linesOf(machine.platform.dump('q')!), MOMENT)).toEqual(form(real, MOMENT));
});

/** Of an HVM guest: what its device model answers at is that of the devices it was given; its number; IF. */
const GUEST: Rules = [
  [/^( {4}ioreq_server 0 (?:memory|port)) \{( [0-9a-f]+(-[0-9a-f]+)?,?)+ \}$/, '$1 { }'],
  [/(domain|guest) 2:/, '$1 1:'],
  [/pause_flags=4$/, 'pause_flags='],
];

test('the pc machine with its HVM guest: the same lines but for the moment', () => {
  const machine = buildMachine(parseScenario(PC, 'pc.yaml'), 1);
  machine.runUntil(ms(2_000));
  const rules = [...MOMENT, ...GUEST];
  const real = without(realLines('hvm-pc.debug-key-q'));
  expect(real.filter((line) => line.includes('ioreq_server'))).toHaveLength(2);
  expect(form(linesOf(machine.platform.dump('q')!), rules)).toEqual(form(real, rules));
});

describe('an HVM guest', () => {
  const machine = buildMachine(builtinScenario('xen-hvm')!, 42);
  const lines = () => linesOf(machine.platform.dump('q')!);

  test('has the ports and the memory of its own devices, and takes events while its IF is set', () => {
    const seen = new Set<string>();
    machine.runUntil(ms(500));
    for (let i = 0; i < 4_000 && seen.size < 4; i++) {
      machine.step();
      const text = lines();
      const guests = text.slice(text.indexOf('General information for domain 1:'));
      for (const line of guests) {
        const [field] = /pause_flags=4|upcall_mask=01|pause_flags=1|upcall_mask=00/.exec(line) ?? [];
        if (field !== undefined) seen.add(field);
      }
    }
    expect([...seen].sort()).toEqual(['pause_flags=1', 'pause_flags=4', 'upcall_mask=00', 'upcall_mask=01']);
    expect(lines()).toContain('    ioreq_server 0 port { 60, 64, cf8-cff }');
    expect(lines()).toContain('    ioreq_server 0 memory { fe180000-fe180fff }');
    expect(lines()).toContainEqual(
      expect.stringMatching(/ioreq_server 0 port \{ 60, 64, 170-177, 1f0-1f7, .*, 3f8-3ff, /),
    );
    expect(lines()).toContain('    refcnt=5 dying=0 pause_count=0');
  });
});

/** Two vCPUs and a second domain; all sleep unless told otherwise. */
function rigOf(options: RigOptions = {}): HvRig {
  return new HvRig({ cpus: 3, domains: [{ vcpus: [[0], [0, 1, 2]] }, { vcpus: [[0]] }], ...options });
}

function dump(rig: HvRig): string[] {
  const domains = rig.shared.map((_, id) => rig.xen.domain(id));
  return linesOf(debugKey(rig.xen, 'q', domains)!);
}

const vcpuLine = (rig: HvRig, n: number) => dump(rig).filter((line) => /^ +VCPU\d:/.test(line))[n]!;

describe('a virtual CPU', () => {
  test('that computes has its CPU, one that sleeps does not', () => {
    const rig = rigOf();
    rig.guest(0, 1).compute(us(100));
    rig.start().run(ms(1));
    expect(vcpuLine(rig, 0)).toContain('[has=F]');
    expect(vcpuLine(rig, 1)).toContain('[has=T]');
    expect(dump(rig).filter((line) => line.includes('pause_flags'))).toEqual([
      '    pause_count=0 pause_flags=1',
      '    pause_count=0 pause_flags=0',
      '    pause_count=0 pause_flags=1',
    ]);
  });

  test("leaves its registers in an idle CPU until somebody else's come in", () => {
    const rig = rigOf();
    rig.start().run(ms(1));
    // the second domain came last
    expect(vcpuLine(rig, 0)).toMatch(/^ {4}VCPU0: CPU0 \[has=F\] .* upcall_mask=00 $/);
    expect(vcpuLine(rig, 2)).toMatch(/^ {4}VCPU0: CPU0 \[has=F\] .* upcall_mask=00 dirty_cpu=0$/);
    expect(dump(rig)).toContain('    dirty_cpus={0}');
    rig.xen.wake(0, 0);
    rig.run(ms(1));
    expect(vcpuLine(rig, 0)).toContain('dirty_cpu=0');
    expect(vcpuLine(rig, 2)).not.toContain('dirty_cpu');
  });

  test('of a domain: its CPUs in order, whoever is on which', () => {
    const rig = rigOf({ domains: [{ vcpus: [[2], [0]] }] });
    for (const n of [0, 1]) rig.guest(0, n).compute(us(100));
    rig.start().run(ms(1));
    expect(dump(rig)).toContain('    dirty_cpus={0,2}');
  });

  test('that is saved and restored leaves them where they were', () => {
    const rig = rigOf();
    rig.start().run(ms(1));
    const state = rig.shop.parts.save();
    const other = rigOf();
    other.start();
    other.shop.parts.restore(state);
    expect(dump(other)).toEqual(dump(rig));
  });

  test('shows the port it polls, its upcall and whether it takes one', () => {
    const rig = rigOf();
    const port = rig.guest(0, 1).calls.bindIpi(1);
    rig.guest(0, 1).next = () => rig.guest(0, 1).v.poll(port);
    rig.start().run(ms(1));
    expect(vcpuLine(rig, 1)).toContain(`poll=${port} upcall_pend=00 upcall_mask=00`);
    Object.assign(rig.shared[0]!.vcpus[1]!, { upcallPending: 1, upcallMask: 1 });
    expect(vcpuLine(rig, 1)).toContain(`poll=${port} upcall_pend=01 upcall_mask=01`);
  });

  test('shows where it may run', () => {
    const units = dump(rigOf()).filter((line) => line.includes('UNIT'));
    expect(units).toEqual([
      '  UNIT0 affinities: hard={0} soft={0-2}',
      '  UNIT1 affinities: hard={0-2} soft={0-2}',
      '  UNIT0 affinities: hard={0} soft={0-2}',
    ]);
  });

  test('is told which port its VIRQ_DEBUG has, and gets none', () => {
    const rig = rigOf();
    rig.start().run(ms(1));
    const port = rig.guest(0, 1).calls.bindVirq(VIRQ_DEBUG, 1);
    const before = JSON.stringify(rig.shop.parts.save());
    expect(dump(rig)).toContain(`Notifying guest 0:1 (virq 1, port ${port})`);
    expect(JSON.stringify(rig.shop.parts.save())).toBe(before);
  });
});

test('dom0 may use the GSIs and what was mapped for it, a guest what was mapped for it', () => {
  const rig = rigOf();
  const interrupts = () => dump(rig).filter((line) => line.startsWith('    Interrupts'));
  expect(interrupts()).toEqual(['    Interrupts { 1-23 }', '    Interrupts { }']);
  rig.xen.irqs.table.mapMsi(false, 0, 63);
  rig.xen.irqs.table.mapMsi(false, 1, 9);
  rig.xen.irqs.table.mapMsi(true, 0, 62);
  rig.xen.irqs.table.mapGsi(20, true, 1, 8);
  expect(interrupts()).toEqual(['    Interrupts { 1-24, 26 }', '    Interrupts { 20, 25 }']);
});

test('Xen 3.4 words it its own way', () => {
  const rig = rigOf({ profile: '3.4' });
  rig.start().run(ms(1));
  expect(dump(rig)).toEqual([
    "'q' pressed -> dumping domain info (now=0x0:000F4240)",
    'General information for domain 0:',
    '    refcnt=3 dying=0 dirty_cpus={1}',
    'Rangesets belonging to domain 0:',
    '    Interrupts { 0-255 }',
    'VCPU information and callbacks for domain 0:',
    '    VCPU0: CPU0 [has=F] flags=1 poll=0 upcall_pend = 00, upcall_mask = 00 dirty_cpus={} cpu_affinity={0}',
    '    No periodic timer',
    '    Notifying guest (virq 1, port 0, stat 0/0/0)',
    '    VCPU1: CPU1 [has=F] flags=1 poll=0 upcall_pend = 00, upcall_mask = 00 dirty_cpus={1} cpu_affinity={0-2}',
    '    No periodic timer',
    '    Notifying guest (virq 1, port 0, stat 0/0/0)',
    'General information for domain 1:',
    '    refcnt=3 dying=0 dirty_cpus={0}',
    'Rangesets belonging to domain 1:',
    '    Interrupts { }',
    'VCPU information and callbacks for domain 1:',
    '    VCPU0: CPU0 [has=F] flags=1 poll=0 upcall_pend = 00, upcall_mask = 00 dirty_cpus={0} cpu_affinity={0}',
    '    No periodic timer',
    '    Notifying guest (virq 1, port 0, stat 0/0/0)',
  ]);
});

test("time is in two words in Xen 3.4's wording", () => {
  const rig = rigOf({ profile: '3.4', domains: [] });
  rig.clock.runUntil(9_000_000_001);
  expect(dump(rig)).toEqual(["'q' pressed -> dumping domain info (now=0x2:18711A01)"]);
});
