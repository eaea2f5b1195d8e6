/** Debug keys i, M and z beside what a real Xen 4.17 printed, and each field of a line by itself. */
import { describe, expect, test } from 'vitest';
import { ms } from '../../../../../engine/core/clock.ts';
import { debugKey } from '../../../../../engine/hv/xen/x86/debug-keys/keys.ts';
import { IRQ_GUEST_EOI_PENDING } from '../../../../../engine/hv/xen/x86/irq-status.ts';
import { form, linesOf, q35, type Rules, realLines } from '../../../../support/debug-keys.ts';
import { HvRig, MSI, MSIX, type RigOptions } from '../../../../support/hv-rig.ts';

/** The real dom0 maps the pins of PCI devices whose drivers then use messages; ours have no pins. */
const UNUSED_PINS = [20, 21, 22];

describe('the q35 machine', () => {
  const machine = q35();
  machine.runUntil(ms(3_000));
  const dump = (key: string) => linesOf(machine.platform.dump(key)!);
  /** interrupts that guests are bound to: where they are aimed, and by what vector, is of the moment */
  const bound = dump('i').flatMap((line) => {
    const [, irq] = /^ {3}IRQ: *(\d+) .* in-flight=/.exec(line) ?? [];
    return irq === undefined ? [] : [Number(irq)];
  });

  test('has the interrupts of the real one bound', () => {
    const real = realLines('xen-q35.debug-key-i').filter((line) => line.includes('in-flight='));
    expect(bound).toEqual(real.map((line) => Number(line.slice(7, 11))));
  });

  const IRQ: Rules = [
    [
      /vec:[0-9a-f]{2} (.*) status=0[13]0 aff:\{\d\}\/\{(?:0|0-3)\} in-flight=\d d0:( *\d+)\([-P][-M][-M]\)$/,
      'vec: $1 status= aff: in-flight= d0:$2()',
    ],
  ];
  /** The two lines of an interrupt are one here. */
  const PIN: Rules = [
    [/Vec *\d+: (.* )vec=[0-9a-f]{2} (.* )irr=[01] (.* )dest_id:0[1248]$/, 'Vec: $1vec= $2irr= $3dest_id:'],
  ];

  /** From the heading of the pins on, an interrupt a line. */
  function pinsOf(lines: readonly string[]): string[] {
    const from = lines.indexOf('IO-APIC interrupt information:') + 1;
    expect(from).toBeGreaterThan(0);
    expect(lines.slice(0, from).filter((line) => /^ {4}IRQ/.test(line))).toEqual([]);
    const joined: string[] = [];
    for (let i = from; i < lines.length; i += 2) {
      const irq = Number(lines[i]!.slice(7, 10));
      if (UNUSED_PINS.includes(irq)) continue;
      const line = `${lines[i]} ${lines[i + 1]}`;
      joined.push(bound.includes(irq) ? form([line], PIN)[0]! : line);
    }
    return joined;
  }

  function irqsOf(lines: readonly string[]): string[] {
    const own = lines.slice(0, lines.indexOf('IO-APIC interrupt information:') + 1);
    return form(own, IRQ).filter((line) => !UNUSED_PINS.includes(Number(line.slice(7, 11))));
  }

  test('key i: interrupts, whose they are, and direct vectors', () => {
    const real = irqsOf(realLines('xen-q35.debug-key-i'));
    expect(real.filter((line) => line.includes('vec: '))).toHaveLength(bound.length);
    // the captured machine's processors are AMD's: they have neither CMCI nor a thermal interrupt
    const intels = / (cmci|intel_thermal)_interrupt/;
    const ours = irqsOf(dump('i'));
    expect(ours.filter((line) => intels.test(line))).toHaveLength(2);
    expect(ours.filter((line) => !intels.test(line))).toEqual(real);
  });

  test('key i: pins', () => {
    const real = pinsOf(realLines('xen-q35.debug-key-i'));
    expect(real.filter((line) => line.includes('Vec: '))).toHaveLength(
      bound.filter((irq) => irq < 24).length,
    );
    expect(pinsOf(dump('i'))).toEqual(real);
  });

  test('key M: a line for each message', () => {
    const rules: Rules = [[/vec=[0-9a-f]{2} (.*) dest=0000000[1248] /, 'vec= $1 dest= ']];
    const real = form(realLines('xen-q35.debug-key-M'), rules);
    expect(real.filter((line) => line.includes('vec= '))).toHaveLength(18);
    expect(form(dump('M'), rules)).toEqual(real);
  });

  test('key z: the registers of the IOAPIC', () => {
    const rules: Rules = [
      [/^( \S\S) {2}\S\S( {2}[01] {3}[01]) {3}[01]( {3}0 {3}0 {4}1 {4}1) {4}\S\S$/, '$1 Dst$2 IRR$3 Vec'],
      [/^IRQ\d+ ->/, 'IRQ ->'],
    ];
    const ofZ = (lines: readonly string[]) =>
      lines.flatMap((line) => {
        const [, row] = /^ ([0-9a-f]{2}) {2}/.exec(line) ?? [];
        const [, mapped] = /^IRQ\d+ -> 0:(\d+)$/.exec(line) ?? [];
        const pin = row === undefined ? Number(mapped ?? -1) : Number.parseInt(row, 16);
        if (UNUSED_PINS.includes(pin)) return [];
        return bound.includes(pin) ? form([line], rules) : [line];
      });
    const real = ofZ(realLines('xen-q35.debug-key-z'));
    expect(real.filter((line) => /^ [01]\S Dst|^IRQ ->/.test(line))).toHaveLength(
      2 * bound.filter((i) => i < 24).length,
    );
    expect(ofZ(dump('z'))).toEqual(real);
  });

  test('an interrupt has one vector, and no other has it, wherever it is told', () => {
    const lines = dump('i');
    const vectors = new Map<number, string>();
    for (const line of lines) {
      const [, irq, vector] = /^ {3}IRQ: *(\d+) vec:(..) /.exec(line) ?? [];
      if (irq !== undefined) vectors.set(Number(irq), vector!);
    }
    expect(new Set(vectors.values()).size).toBe(vectors.size);
    for (const line of dump('M').slice(1)) {
      expect(line).toContain(`vec=${vectors.get(Number(line.slice(7, 11)))} `);
    }
    const rows = dump('z').filter((line) => /^ [01]\S /.test(line));
    for (const [irq, vector] of vectors) {
      if (irq >= 24) continue;
      expect(rows[irq === 0 ? 2 : irq]!.slice(-2).toLowerCase()).toBe(vector);
    }
  });

  test('looking changes nothing', () => {
    const before = JSON.stringify(machine.save());
    for (const key of machine.platform.dumps) expect(machine.platform.dump(key)).not.toBe('');
    // they are too long to be shown
    expect(JSON.stringify(machine.save()) === before).toBe(true);
  });
});

const PIN = 16;

/** Domains of one virtual CPU each, all on the same of two physical ones. */
function rigOf(domains = 2, options: RigOptions = {}): HvRig {
  return new HvRig({ domains: Array.from({ length: domains }, () => ({ vcpus: [[0]] })), ...options });
}

function dump(rig: HvRig, key: string): string[] {
  const domains = rig.shared.map((_, id) => rig.xen.domain(id));
  return linesOf(debugKey(rig.xen, key, domains)!);
}

const lineOf = (rig: HvRig, irq: number) => dump(rig, 'i').find((line) => Number(line.slice(7, 11)) === irq);

describe('key i, a line', () => {
  test('that two domains share names both', () => {
    const rig = rigOf();
    rig.bindLine(0, PIN, true);
    expect(lineOf(rig, PIN)).toMatch(/ status=010 aff:\{0\}\/\{0-1\} in-flight=0 d0: 16\(---\)$/);
    rig.bindLine(1, PIN, true);
    expect(lineOf(rig, PIN)).toMatch(/ in-flight=0 d0: 16\(---\),d1: 16\(---\)$/);
  });

  test('that is in service is in flight, its pirq and port as the guest left them', () => {
    const rig = rigOf();
    const port = rig.bindLine(0, PIN, true);
    rig.bindLine(1, PIN, true);
    rig.start().run(ms(1));
    // dom0 does not answer, and takes no upcalls
    rig.shared[0]!.vcpus[0]!.upcallMask = 1;
    rig.shared[0]!.evtchnMask.set(port);
    rig.guest(1).handler = () => rig.guest(1).calls.eoi(PIN);
    rig.xen.irqs.request(PIN, rig.source('card'));
    rig.run(ms(0.2));
    expect(lineOf(rig, PIN)).toMatch(/ in-flight=1 d0: 16\(PMM\),d1: 16\(---\)$/);
    const pin = dump(rig, 'i').find((line) => line.includes('Pin 16'));
    expect(pin).toContain('polarity=1 irr=1 trig=L mask=0 dest_id:01');
    expect(dump(rig, 'z')).toContainEqual(
      expect.stringMatching(/^ 10 {2}01 {2}0 {3}1 {3}1 {3}1 {3}0 {4}1 {4}1 /),
    );
  });

  test('that was mapped and nobody has bound is aimed at all', () => {
    const rig = rigOf(1, { cpus: 3 });
    rig.guest().calls.mapPirq(-1, PIN);
    expect(lineOf(rig, PIN)).toMatch(
      /^ {3}IRQ: {2}16 vec:.. IO-APIC-level {3}status=002 aff:\{0-2\}\/\{0-2\} mapped, unbound$/,
    );
    const pin = dump(rig, 'i').find((line) => line.includes('Pin 16'));
    expect(pin).toContain('trig=L mask=1 dest_id:07');
  });
});

describe('key M, a message', () => {
  const map = (rig: HvRig, device: number) => rig.guest().calls.mapPirq(device, -1);

  test('that nobody has bound is masked for Xen and for its guest, where it can be', () => {
    const rig = rigOf();
    map(rig, MSI);
    const pirq = map(rig, MSIX);
    expect(dump(rig, 'M').map((line) => line.replace(/vec=../, 'vec='))).toEqual([
      'MSI information:',
      ' MSI     24 vec= lowest  edge   assert  log lowest dest=00000003 mask=0/  /?',
      ' MSI-X   25 vec= lowest  edge   assert  log lowest dest=00000003 mask=1/HG/1',
    ]);
    rig.guest().calls.bindPirq(pirq, false);
    expect(dump(rig, 'M')[2]).toMatch(/ dest=00000001 mask=1\/ {2}\/0$/);
  });

  test('goes to one local APIC where there are more than eight', () => {
    const rig = rigOf(1, { cpus: 9, domains: [{ vcpus: [[8]] }] });
    rig.guest().calls.bindPirq(map(rig, MSIX), false);
    expect(dump(rig, 'M')[1]).toMatch(/ {2}fixed {2}edge {3}assert phys {4}cpu dest=00000008 mask=1/);
  });
});

test('key z: two chips where one has no entries left', () => {
  const rig = rigOf(1, { gsis: 130 });
  rig.bindLine(0, 129, true);
  const lines = dump(rig, 'z');
  expect(lines).toContain('number of IO-APIC #1 registers: 10.');
  expect(lines.filter((line) => line.startsWith('IO APIC #'))).toEqual([
    'IO APIC #0......',
    'IO APIC #1......',
  ]);
  expect(lines.find((line) => line.endsWith('-> 1:9'))).toBeDefined();
  expect(dump(rig, 'i').at(-1)).toMatch(/^ {6}Apic 0x01, Pin {2}9: vec=/);
});

/** Of Xen 3.4 there are no captures; its source is followed. */
describe('Xen 3.4', () => {
  test('has key i by vector', () => {
    const rig = rigOf(2, { profile: '3.4' });
    rig.bindLine(0, PIN, true);
    const port = rig.bindLine(1, PIN, true);
    rig.guest().calls.bindPirq(rig.guest().calls.mapPirq(MSIX, -1), false);
    rig.shared[1]!.evtchnPending.set(port);
    rig.shared[1]!.vcpus[0]!.pendingSel.set(0);
    const lines = dump(rig, 'i');
    expect(lines[0]).toBe('Guest interrupt information:');
    const from = lines.indexOf('IO-APIC interrupt information:');
    const own = lines.slice(1, from);
    expect(own.map((line) => Number(line.slice(6, 9)))).toEqual(
      own.map((line) => Number(line.slice(6, 9))).sort((a, b) => a - b),
    );
    expect(own).toContain(
      '   Vec144 IRQ 16: type=IO-APIC-level   status=00000010 in-flight=0 domain-list=0: 16(----),1: 16(PS--),',
    );
    expect(own).toContainEqual(
      expect.stringMatching(
        /^ {3}Vec\d{3} IRQ -1: type=PCI-MSI {9}status=00000010 in-flight=0 domain-list=0: 63\(----\),$/,
      ),
    );
    expect(own).toContain('   Vec 32 IRQ  1: type=IO-APIC-edge    status=00000002 mapped, unbound');
    expect(lines.slice(-2)).toEqual([
      '    IRQ 16 Vec144:',
      '      Apic 0x00, Pin 16: vector=144, delivery_mode=1, dest_mode=logical, delivery_status=0, polarity=1, irr=0, trigger=level, mask=0',
    ]);
  });

  test('has its own numbers for the status bits', () => {
    const rig = rigOf(1, { profile: '3.4' });
    rig.bindLine(0, PIN, true);
    rig.xen.irqs.descs[PIN]!.status |= IRQ_GUEST_EOI_PENDING;
    expect(dump(rig, 'i').find((line) => line.includes(' IRQ 16: '))).toContain(' status=00000030 ');
  });

  test('has both forms of a destination in key z', () => {
    const rig = rigOf(1, { profile: '3.4', cpus: 9, domains: [{ vcpus: [[8]] }] });
    rig.bindLine(0, PIN, true);
    const lines = dump(rig, 'z');
    expect(lines).toContain(' NR Log Phy Mask Trig IRR Pol Stat Dest Deli Vect:   ');
    expect(lines).toContain(' 10 008 08  0    1    0   1   0    0    0    90');
    expect(lines).toContain('IRQ144 -> 0:16');
  });

  test('has no keys M and I', () => {
    const rig = rigOf(1, { profile: '3.4' });
    expect(['M', 'I'].map((key) => debugKey(rig.xen, key, []))).toEqual([undefined, undefined]);
  });
});
