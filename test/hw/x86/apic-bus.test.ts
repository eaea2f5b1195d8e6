/**
 * Who is meant by an interrupt message, as the SDM has it ("Determining IPI Destination"); and every difference of KVM
 * and Xen from it that apic-bus-options.ts names.
 */
import { describe, expect, test } from 'vitest';
import { Rng } from '../../../engine/core/rng.ts';
import { KVM_BUS } from '../../../engine/hw/x86/apic-bus-options.ts';
import { Esr, Mode, MSR_APIC_BASE, Reg, Shorthand } from '../../../engine/hw/x86/apic-regs.ts';
import { ApicRig, icr, type RigOptions, SYSTEMS } from '../../support/apics.ts';

const { manual, kvm, xen } = SYSTEMS;
const ALL = Object.values(SYSTEMS);
const V = 0x51;
const FLAT = 0xffff_ffff;
const CLUSTER = 0x0fff_ffff;
const msr = (offset: number) => 0x800 + (offset >> 4);

/** Local APICs with these logical IDs in xAPIC mode. */
function logical(ldrs: readonly number[], rig: RigOptions = {}, dfr = FLAT): ApicRig {
  const bus = new ApicRig({ ...rig, cpus: ldrs.length });
  ldrs.forEach((ldr, i) => {
    bus.apics[i]!.write(Reg.DFR, dfr);
    bus.apics[i]!.write(Reg.LDR, ldr << 24);
  });
  return bus;
}

/** Who takes a message for a logical destination. */
function takers(rig: ApicRig, destination: number, vector = V): number[] {
  rig.message(destination, vector, { logical: true });
  return rig.holding(vector);
}

function allX2apic(ids: readonly number[], rig: RigOptions = {}): ApicRig {
  const bus = new ApicRig({ ...rig, ids });
  ids.forEach((_, i) => {
    bus.toX2apic(i);
  });
  return bus;
}

describe('physical destinations', () => {
  test('the processor with that ID takes the message, and the answer is their number', () => {
    for (const system of ALL) {
      const rig = new ApicRig({ ...system, ids: [0, 2, 4] });
      expect([rig.message(2, V), rig.holding(V)]).toEqual([1, [1]]);
    }
  });

  test('an ID that was written counts at once', () => {
    const rig = new ApicRig({ ...kvm, cpus: 2 });
    rig.message(1, V);
    rig.apics[1]!.write(Reg.ID, 7 << 24);
    expect([rig.message(7, V + 1), rig.holding(V + 1), rig.message(1, V + 2)]).toEqual([1, [1], 0]);
  });

  test('all ones means everybody', () => {
    for (const system of ALL) {
      const rig = new ApicRig({ ...system, cpus: 4 });
      expect([rig.message(0xff, V), rig.holding(V)]).toEqual([4, [0, 1, 2, 3]]);
    }
  });

  test('x2APIC IDs have 32 bits, and all 32 mean everybody', () => {
    const rig = allX2apic([0, 0xff, 0x1ff]);
    rig.apics[0]!.wrmsr(msr(Reg.ICR), icr(V), 0x1ff);
    rig.apics[0]!.wrmsr(msr(Reg.ICR), icr(V + 1), 0xff);
    rig.apics[0]!.wrmsr(msr(Reg.ICR), icr(V + 2), 0xffff_ffff);
    expect([V, V + 1, V + 2].map((vector) => rig.holding(vector))).toEqual([[2], [1], [0, 1, 2]]);
  });

  test('nobody there: 0 where a map says so (KVM), -1 where each was asked (map)', () => {
    const rigs = [kvm, xen].map((system) => new ApicRig({ ...system, cpus: 2 }));
    expect(rigs.map((rig) => rig.message(9, V))).toEqual([0, -1]);
  });

  test('somebody who does not take it: 0', () => {
    const rig = new ApicRig({ ...kvm, cpus: 2 });
    rig.apics[1]!.write(Reg.SVR, 0xff);
    expect(rig.message(1, V)).toBe(0);
  });
});

describe('logical destinations', () => {
  test('flat: a bit for each of eight processors', () => {
    for (const system of ALL) {
      const rig = logical([1, 2, 4, 8], system);
      expect([takers(rig, 0x0a), takers(rig, 0x10, V + 1)]).toEqual([[1, 3], []]);
    }
  });

  test('cluster: a cluster in the upper four bits, processors of it in the lower', () => {
    for (const system of ALL) {
      const rig = logical([0x11, 0x12, 0x21, 0x22], system, CLUSTER);
      expect([takers(rig, 0x13), takers(rig, 0x22, V + 1), takers(rig, 0x33, V + 2)]).toEqual([
        [0, 1],
        [3],
        [],
      ]);
    }
  });

  test('an address that was written counts at once', () => {
    const rig = logical([1, 2], kvm);
    expect(takers(rig, 2)).toEqual([1]);
    rig.apics[0]!.write(Reg.LDR, 0x1200_0000);
    rig.apics[1]!.write(Reg.LDR, 0x2100_0000);
    expect(takers(rig, 0x02, V + 1)).toEqual([0]);
    for (const apic of rig.apics) apic.write(Reg.DFR, CLUSTER);
    expect([takers(rig, 0x21, V + 2), takers(rig, 0x12, V + 3)]).toEqual([[1], [0]]);
    expect([rig.message(0x41, V, { logical: true }), rig.message(1, V + 4), rig.holding(V + 4)]).toEqual([
      0,
      1,
      [1],
    ]);
  });

  test('in a model that is neither flat nor cluster nobody is reached', () => {
    const rig = logical([1, 2], xen, 0x3fff_ffff);
    expect(rig.message(3, V, { logical: true })).toBe(-1);
  });

  test('x2APIC: a cluster of 16 processors in the upper half, a bit for each in the lower', () => {
    for (const system of ALL) {
      const rig = allX2apic([0, 1, 17, 18], system);
      expect([takers(rig, 0x0001_0006), takers(rig, 0x0000_0003, V + 1)]).toEqual([
        [2, 3],
        [0, 1],
      ]);
    }
  });

  test('a software-disabled one is found, and does not take it', () => {
    const rig = logical([1, 2], kvm);
    rig.apics[1]!.write(Reg.SVR, 0xff);
    expect([rig.message(3, V, { logical: true }), rig.holding(V)]).toEqual([1, [0]]);
  });

  test('all ones reaches whoever has a bit in common; under KVM everybody (logicalBroadcast)', () => {
    const reached = ALL.map((system) => takers(logical([1, 0, 4], system), 0xff));
    expect(reached).toEqual([
      [0, 2],
      [0, 1, 2],
      [0, 2],
    ]);
  });

  test("KVM's map holds for one logical mode; with several each is asked, and nobody is -1", () => {
    const rig = logical([1, 2, 4], kvm);
    expect(rig.message(0x10, V, { logical: true })).toBe(0);
    rig.apics[2]!.write(Reg.DFR, CLUSTER);
    expect(rig.message(0x10, V, { logical: true })).toBe(-1);
    expect(takers(rig, 0x06)).toEqual([1, 2]);
  });
});

describe('shorthands', () => {
  test('self, all, all but self', () => {
    for (const system of ALL) {
      const rig = new ApicRig({ ...system, cpus: 3 });
      const send = (vector: number, shorthand: number) => {
        rig.apics[1]!.write(Reg.ICR, icr(vector, { shorthand }));
        return rig.holding(vector);
      };
      expect([
        send(V, Shorthand.SELF),
        send(V + 1, Shorthand.ALL),
        send(V + 2, Shorthand.ALL_BUT_SELF),
      ]).toEqual([[1], [0, 1, 2], [0, 2]]);
    }
  });
});

describe('lowest priority', () => {
  const lowest = { logical: true, mode: Mode.LOWEST } as const;

  test('one of the destinations takes it', () => {
    for (const system of ALL) {
      const rig = logical([1, 2, 4, 8], system);
      expect([rig.message(0x0e, V, lowest), rig.holding(V).length]).toEqual([1, 1]);
    }
  });

  test('by hash: the vector modulo their number chooses (vectorHashing)', () => {
    const rig = logical([1, 2, 4, 8], kvm);
    for (const vector of [0x60, 0x61, 0x62, 0x63]) rig.message(0x0e, vector, lowest);
    expect(rig.requested).toEqual([[], [0x60, 0x63], [0x61], [0x62]]);
  });

  test("by KVM's hash an absent destination may be chosen: then nobody takes it", () => {
    const rig = logical([1, 2], kvm);
    expect([0x60, 0x61, 0x62].map((vector) => rig.message(0x07, vector, lowest))).toEqual([1, 1, 0]);
  });

  test('by arbitration: who has accepted the fewest', () => {
    const rig = logical([1, 2, 4], { ...kvm, busOptions: { ...KVM_BUS, vectorHashing: false } });
    for (const vector of [0x60, 0x61, 0x62, 0x63]) rig.message(0x07, vector, lowest);
    expect(rig.requested).toEqual([[0x60, 0x63], [0x61], [0x62]]);
  });

  test('by arbitration among those who were asked each, too', () => {
    const rig = logical([1, 2, 4], { ...kvm, busOptions: { ...KVM_BUS, map: false, vectorHashing: false } });
    for (const vector of [0x60, 0x61, 0x62, 0x63]) rig.message(0x06, vector, lowest);
    expect(rig.requested).toEqual([[], [0x60, 0x62], [0x61, 0x63]]);
  });

  test('under Xen the lowest PPR, of equal ones the next in turn (roundRobin)', () => {
    const rig = logical([1, 2, 4], xen);
    for (const vector of [0x60, 0x61, 0x62, 0x63]) rig.message(0x07, vector, lowest);
    expect([rig.requested, rig.bus.roundRobin]).toEqual([[[0x62], [0x60, 0x63], [0x61]], 1]);
    for (const cpu of [0, 2]) rig.apics[cpu]!.write(Reg.TPR, 0x20);
    rig.message(0x07, 0x70, lowest);
    expect(rig.holding(0x70)).toEqual([1]);
  });

  test("the turn passes though the vector is illegal, and to the sender's own self", () => {
    const rig = logical([1, 2, 4], xen);
    rig.apics[0]!.write(Reg.ICR2, 7 << 24);
    rig.apics[0]!.write(Reg.ICR, icr(3, { mode: Mode.LOWEST, logical: 1 }));
    expect([rig.bus.roundRobin, rig.apics.map((apic) => apic.errors)]).toEqual([1, [Esr.SEND_ILLEGAL, 0, 0]]);
    rig.apics[2]!.write(Reg.ICR, icr(V, { mode: Mode.LOWEST, shorthand: Shorthand.SELF }));
    expect([rig.bus.roundRobin, rig.holding(V)]).toEqual([2, [2]]);
  });

  test('the redirection hint of an MSI asks for it', () => {
    const rig = logical([1, 2, 4], kvm);
    expect([rig.message(0x07, 0x61, { logical: true, hint: true }), rig.holding(0x61)]).toEqual([1, [1]]);
  });

  test('software-disabled ones are not chosen where each is asked', () => {
    const rig = logical([1, 2], xen);
    rig.apics[1]!.write(Reg.SVR, 0xff);
    rig.message(3, V, lowest);
    rig.apics[0]!.write(Reg.SVR, 0xff);
    expect([rig.holding(V), rig.message(3, V, lowest)]).toEqual([[0], -1]);
  });

  test('a physical broadcast of it is fixed under KVM', () => {
    const rig = new ApicRig({ ...kvm, cpus: 3 });
    expect([rig.message(0xff, V, { mode: Mode.LOWEST }), rig.holding(V)]).toEqual([3, [0, 1, 2]]);
  });
});

describe('broadcasts of devices to x2APICs', () => {
  const ids = [0, 1, 0xff];

  test('0xff means all of them under KVM, as it has no interrupt remapping', () => {
    const rig = allX2apic(ids, kvm);
    expect([rig.message(0xff, V), rig.holding(V)]).toEqual([3, [0, 1, 2]]);
  });

  test('without that quirk it means the one with that ID (noBroadcastQuirk)', () => {
    const rig = allX2apic(ids, { ...kvm, busOptions: { ...KVM_BUS, noBroadcastQuirk: true } });
    expect([rig.message(0xff, V), rig.holding(V)]).toEqual([1, [2]]);
    expect(rig.message(0xffff_ffff, V + 1)).toBe(3);
  });

  test('Xen compares it with each ID', () => {
    const rig = allX2apic(ids, xen);
    expect([rig.message(0xff, V), rig.holding(V)]).toEqual([1, [2]]);
  });
});

describe('processors whose local APIC is disabled in IA32_APIC_BASE', () => {
  test('are passed by, but hear NMI, INIT and SIPI under Xen (disabledHear)', () => {
    const told = ALL.map((system) => {
      const rig = new ApicRig({ ...system, cpus: 2 });
      rig.apics[1]!.wrmsr(MSR_APIC_BASE, 0xfee0_0000, 0);
      rig.told.length = 0;
      rig.message(0xff, V);
      rig.message(0xff, 0, { mode: Mode.NMI });
      return [rig.told, rig.holding(V)];
    });
    const passedBy = [['cpu0 request 0x51', 'cpu0 nmi'], [0]];
    expect(told).toEqual([passedBy, passedBy, [['cpu0 request 0x51', 'cpu0 nmi', 'cpu1 nmi'], [0]]]);
  });
});

describe('questions without a message', () => {
  test('a single destination', () => {
    const rig = logical([1, 2, 4], kvm);
    const single = (destination: number, logicalMode: boolean, mode: number = Mode.FIXED) =>
      rig.bus.single(destination, logicalMode, mode, V, false)?.apicId;
    expect([
      single(2, false),
      single(2, true),
      single(6, true),
      single(0xff, false),
      single(9, false),
    ]).toEqual([2, 1, undefined, undefined, undefined]);
    expect(single(6, true, Mode.LOWEST)).toBe(2); // 0x51 is odd: the second of two
  });

  test('all destinations', () => {
    for (const system of ALL) {
      const rig = logical([1, 2, 4], system);
      const meant = (destination: number, logicalMode: boolean) => {
        const found: number[] = [];
        rig.bus.meant(destination, logicalMode, Mode.FIXED, V, (apic) => found.push(apic.apicId));
        return found;
      };
      expect([meant(6, true), meant(1, false), meant(0xff, false), meant(8, true)]).toEqual([
        [1, 2],
        [1],
        [0, 1, 2],
        [],
      ]);
    }
  });

  test('they agree with what a message does, whatever modes the processors are in', () => {
    const rng = new Rng(7).stream('bus');
    for (let round = 0; round < 300; round++) {
      const system = ALL[rng.below(3)]!;
      const rig = new ApicRig({ ...system, cpus: 4 });
      for (let i = 0; i < 4; i++) {
        const kind = rng.below(4);
        if (kind === 0) rig.toX2apic(i);
        rig.apics[i]!.write(Reg.DFR, kind === 1 ? CLUSTER : FLAT);
        rig.apics[i]!.write(Reg.LDR, rng.below(256) << 24);
      }
      const destination = rng.below(256);
      const logicalMode = rng.chance(0.5);
      const meant: number[] = [];
      rig.bus.meant(destination, logicalMode, Mode.FIXED, V, (apic) => meant.push(apic.apicId));
      const taken = rig.message(destination, V, { logical: logicalMode });
      expect([rig.holding(V), Math.max(0, taken)]).toEqual([meant.sort(), meant.length]);
    }
  });
});

describe('the hypercall that sends to bitmaps of IDs', () => {
  const command = { mode: Mode.FIXED, vector: V, assert: true, level: false };

  test('bits count from `min`, those of the second word from `min` + its size', () => {
    const rig = allX2apic([3, 5, 40, 70], kvm);
    const send = (size: 32 | 64, vector: number) =>
      rig.bus.sendBitmaps(
        [
          [0b101, 0],
          [1 << 5, 1 << 3],
        ],
        3,
        size,
        { ...command, vector },
      );
    expect([send(32, V), rig.holding(V)]).toEqual([4, [0, 1, 2, 3]].map((v) => (v === 4 ? 4 : v)));
    expect([send(64, V + 1), rig.holding(V + 1)]).toEqual([2, [0, 1]]);
  });

  test('IDs that nobody has are left out, and beyond the largest nothing is looked for', () => {
    const rig = new ApicRig({ ...kvm, cpus: 2 });
    expect(
      rig.bus.sendBitmaps(
        [
          [0xffff_ffff, 0xffff_ffff],
          [0xffff_ffff, 0],
        ],
        1,
        64,
        command,
      ),
    ).toBe(1);
    expect(
      rig.bus.sendBitmaps(
        [
          [1, 0],
          [0, 0],
        ],
        0x1_0000,
        64,
        command,
      ),
    ).toBe(0);
  });

  test('the sum of `min` and the size is cut to 32 bits', () => {
    const rig = new ApicRig({ ...kvm, cpus: 2 });
    expect(
      rig.bus.sendBitmaps(
        [
          [0, 0],
          [2, 0],
        ],
        0xffff_ffc0,
        64,
        command,
      ),
    ).toBe(1);
    expect(rig.holding(V)).toEqual([1]);
  });
});

test('what was put back has its map made anew, and nobody is asked to look', () => {
  const rig = new ApicRig({ ...kvm, cpus: 2 });
  const saved = JSON.parse(JSON.stringify(rig.apics[1]!.save()));
  rig.apics[1]!.write(Reg.ID, 9 << 24);
  rig.message(9, V);
  let changes = 0;
  rig.bus.onChange = () => changes++;
  rig.apics[1]!.restore(saved);
  expect([rig.message(1, V + 1), rig.holding(V + 1), changes]).toEqual([1, [1], 0]);
});

test('with many processors a message for one asks no other', () => {
  const rig = allX2apic(
    Array.from({ length: 300 }, (_, i) => i),
    manual,
  );
  rig.message(299, V);
  let asked = 0;
  for (const apic of rig.apics.slice(0, 299)) apic.accept = () => ++asked;
  rig.apics[0]!.wrmsr(msr(Reg.ICR), icr(V + 1), 299);
  expect([rig.holding(V), rig.holding(V + 1), asked]).toEqual([[299], [299], 0]);
});
