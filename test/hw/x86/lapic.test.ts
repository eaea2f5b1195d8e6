/**
 * The local APIC, sentence by sentence of the SDM's chapter on it; and every difference of KVM and Xen from it that
 * lapic-options.ts names. Its timer has apic-timer.test.ts, who is meant by a message apic-bus.test.ts.
 */
import { describe, expect, test } from 'vitest';
import { Bitmap } from '../../../engine/core/bits.ts';
import { Clock } from '../../../engine/core/clock.ts';
import { ApicBus } from '../../../engine/hw/x86/apic-bus.ts';
import { Esr, Mode, MSR_APIC_BASE, Reg, Shorthand } from '../../../engine/hw/x86/apic-regs.ts';
import { physicalLapic } from '../../../engine/hw/x86/physical-lapic.ts';
import { ApicRig, icr, SYSTEMS } from '../../support/apics.ts';

/** A local APIC and the number of times it asked its processor. */
function apic() {
  const asked = { times: 0 };
  const lapic = physicalLapic(new Clock(), new ApicBus(), 0, () => asked.times++);
  return { lapic, asked };
}

const { manual, kvm, xen } = SYSTEMS;
const MASKED = 1 << 16;
const ENABLED = 0x1ff;
const DISABLED = 0xff;
const msr = (offset: number) => 0x800 + (offset >> 4);

describe('accepting', () => {
  test('a message sets the request bit of its vector and asks the processor', () => {
    const { lapic, asked } = apic();
    expect(lapic.request(0x31)).toBe(true);
    expect(lapic.irr.members()).toEqual([0x31]);
    expect(asked.times).toBe(1);
  });

  test('a second message for a vector that is requested already is one with it', () => {
    const { lapic, asked } = apic();
    lapic.request(0x31);
    expect(lapic.request(0x31)).toBe(false);
    expect(asked.times).toBe(1);
  });

  test('while a vector is in service one more of it can be requested', () => {
    const { lapic } = apic();
    lapic.request(0x31);
    lapic.ack();
    expect(lapic.request(0x31)).toBe(true);
    expect([lapic.irr.has(0x31), lapic.isr.has(0x31)]).toEqual([true, true]);
  });

  test('the trigger mode of the last message is kept with the vector', () => {
    const { lapic } = apic();
    lapic.request(0x31, true);
    expect(lapic.tmr.has(0x31)).toBe(true);
    lapic.ack();
    lapic.request(0x31, false);
    expect(lapic.tmr.has(0x31)).toBe(false);
  });

  test('a level message that is lowered requests nothing', () => {
    const { lapic } = apic();
    expect(lapic.accept(Mode.FIXED, 0x31, false, true)).toBe(0);
    expect(lapic.irr.members()).toEqual([]);
  });

  test('software-disabled, it takes NMI, SMI, INIT and SIPI, but no vectors', () => {
    const { apics, told } = new ApicRig({ enabled: false });
    const modes = [Mode.FIXED, Mode.LOWEST, Mode.SMI, Mode.NMI, Mode.INIT, Mode.SIPI];
    expect(modes.map((mode) => apics[0]!.accept(mode, 0x31, true, false))).toEqual([0, 0, 1, 1, 1, 1]);
    expect(told).toEqual(['cpu0 smi', 'cpu0 nmi', 'cpu0 init', 'cpu0 startup 0x31']);
  });

  test('what is requested when it is disabled stays requested', () => {
    const [lapic] = new ApicRig().apics;
    lapic!.accept(Mode.FIXED, 0x31, true, false);
    lapic!.write(Reg.SVR, DISABLED);
    expect(lapic!.irr.members()).toEqual([0x31]);
  });

  test('INIT that is deasserted is ignored, ExtINT goes past it', () => {
    const { apics, told } = new ApicRig();
    expect(apics[0]!.accept(Mode.INIT, 0, false, true)).toBe(0);
    expect(apics[0]!.accept(Mode.EXTINT, 0x31, true, false)).toBe(0);
    expect(told).toEqual([]);
  });

  test('each lowest-priority message counts for arbitration', () => {
    const [lapic] = new ApicRig().apics;
    for (let i = 0; i < 3; i++) lapic!.accept(Mode.LOWEST, 0x31, true, false);
    lapic!.accept(Mode.FIXED, 0x31, true, false);
    expect(lapic!.arbitration).toBe(3);
  });

  test('a request that is one with an earlier one tells the processor again under KVM only (kicksAgain)', () => {
    const kicks = Object.values(SYSTEMS).map((system) => {
      const rig = new ApicRig(system);
      rig.apics[0]!.request(0x31);
      rig.apics[0]!.request(0x31);
      return rig.told.length;
    });
    expect(kicks).toEqual([1, 2, 1]);
  });
});

describe('priority', () => {
  test('the highest vector is taken first', () => {
    const { lapic } = apic();
    for (const vector of [0x31, 0xfa, 0x80]) lapic.request(vector);
    expect([lapic.ack(), lapic.irr.members()]).toEqual([0xfa, [0x31, 0x80]]);
  });

  test('nothing of the same or a lower class comes through what is in service', () => {
    const { lapic, asked } = apic();
    lapic.request(0x80);
    lapic.ack();
    for (const vector of [0x8f, 0x81, 0x79]) lapic.request(vector);
    expect(lapic.deliverable()).toBe(-1);
    expect(lapic.ack()).toBe(-1);
    expect(asked.times).toBe(1);
  });

  test('a higher class comes through', () => {
    const { lapic, asked } = apic();
    lapic.request(0x8f);
    lapic.ack();
    lapic.request(0x90);
    expect(asked.times).toBe(2);
    expect(lapic.ack()).toBe(0x90);
    expect(lapic.isr.members()).toEqual([0x8f, 0x90]);
  });

  test('with nothing requested there is nothing to take', () => {
    expect(apic().lapic.ack()).toBe(-1);
  });

  test('TPR holds back vectors of its class and below', () => {
    const [lapic] = new ApicRig().apics;
    lapic!.write(Reg.TPR, 0x42);
    lapic!.request(0x4f);
    expect(lapic!.deliverable()).toBe(-1);
    lapic!.request(0x50);
    expect(lapic!.deliverable()).toBe(0x50);
  });

  test('PPR is TPR where its class is at least that in service, else the class in service', () => {
    const [lapic] = new ApicRig().apics;
    const ppr = (tpr: number) => {
      lapic!.write(Reg.TPR, tpr);
      return lapic!.read(Reg.PPR, 4);
    };
    expect(ppr(0x35)).toBe(0x35);
    lapic!.write(Reg.TPR, 0);
    lapic!.request(0x3f);
    lapic!.ack();
    expect([ppr(0x2f), ppr(0x31), ppr(0x45)]).toEqual([0x30, 0x31, 0x45]);
  });

  test('lowering TPR lets the processor look again', () => {
    const { apics, told } = new ApicRig();
    apics[0]!.write(Reg.TPR, 0x80);
    apics[0]!.request(0x40);
    told.length = 0;
    apics[0]!.write(Reg.TPR, 0);
    expect([told, apics[0]!.ack()]).toEqual([['cpu0 look'], 0x40]);
  });

  test('vectors below 16 are never taken', () => {
    const [lapic] = new ApicRig(kvm).apics;
    lapic!.accept(Mode.FIXED, 0x0f, true, false);
    expect([lapic!.irr.members(), lapic!.deliverable()]).toEqual([[0x0f], -1]);
  });

  test('disabled in IA32_APIC_BASE it has nothing to take', () => {
    const [lapic] = new ApicRig(kvm).apics;
    lapic!.request(0x31);
    lapic!.wrmsr(MSR_APIC_BASE, 0xfee0_0000, 0);
    expect(lapic!.deliverable()).toBe(-1);
  });

  test('what is above service, TPR aside, is asked for by Xen', () => {
    const [lapic] = new ApicRig(xen).apics;
    lapic!.write(Reg.TPR, 0xf0);
    lapic!.request(0x41);
    expect([lapic!.deliverable(), lapic!.requestAboveService()]).toEqual([-1, 0x41]);
    lapic!.take(0x41);
    lapic!.request(0x4f);
    expect(lapic!.requestAboveService()).toBe(-1);
    lapic!.eoi();
    expect(lapic!.requestAboveService()).toBe(0x4f);
    lapic!.write(Reg.SVR, DISABLED);
    expect(lapic!.requestAboveService()).toBe(-1);
  });
});

describe('end of interrupt', () => {
  test('it ends the highest vector in service, whichever handler says it', () => {
    const { lapic } = apic();
    lapic.request(0x31);
    lapic.ack();
    lapic.request(0x41);
    lapic.ack();
    expect([lapic.eoi(), lapic.eoi(), lapic.eoi()]).toEqual([0x41, 0x31, -1]);
  });

  test('what had to wait is offered again', () => {
    const { lapic, asked } = apic();
    lapic.request(0x80);
    lapic.ack();
    lapic.request(0x81);
    expect(asked.times).toBe(1);
    lapic.eoi();
    expect(asked.times).toBe(2);
    expect(lapic.ack()).toBe(0x81);
  });

  test('it goes out to the IOAPICs with the trigger mode of the vector; without a vector in service nothing does', () => {
    const { apics, eois } = new ApicRig();
    apics[0]!.request(0x31, true);
    apics[0]!.ack();
    apics[0]!.request(0x41);
    apics[0]!.ack();
    for (let i = 0; i < 3; i++) apics[0]!.write(Reg.EOI, 0);
    expect(eois).toEqual(['0x41 edge', '0x31 level']);
  });
});

describe('posted requests', () => {
  const pir = (...vectors: number[]) => {
    const posted = new Bitmap(256);
    for (const vector of vectors) posted.set(vector);
    return posted;
  };

  test('they join IRR, and PIR is empty', () => {
    const [lapic] = new ApicRig().apics;
    lapic!.request(0x40);
    const posted = pir(0x31, 0xe1);
    expect({ ...lapic!.updateIrr(posted) }).toEqual({ updated: true, highest: 0xe1 });
    expect([lapic!.irr.members(), posted.empty, lapic!.deliverable()]).toEqual([
      [0x31, 0x40, 0xe1],
      true,
      0xe1,
    ]);
  });

  test('the highest is updated only if it is new', () => {
    const [lapic] = new ApicRig().apics;
    lapic!.request(0x90);
    expect({ ...lapic!.updateIrr(pir(0x31)) }).toEqual({ updated: false, highest: 0x90 });
    expect({ ...lapic!.updateIrr(pir(0x90)) }).toEqual({ updated: false, highest: 0x90 });
    expect({ ...lapic!.updateIrr(pir()) }).toEqual({ updated: false, highest: 0x90 });
  });
});

describe('local vector table', () => {
  test('all entries are masked after reset', () => {
    const [lapic] = new ApicRig({ cmci: true, enabled: false }).apics;
    const entries = [Reg.LVT_TIMER, Reg.LVT_LINT0, Reg.LVT_LINT1, Reg.LVT_ERROR, Reg.LVT_PERF, Reg.LVT_CMCI];
    expect(entries.map((offset) => lapic!.read(offset, 4))).toEqual(entries.map(() => MASKED));
  });

  test("the first processor's LINT0 is unmasked ExtINT under KVM (lint0Reenabled)", () => {
    const lint0 = Object.values(SYSTEMS).map((system) => {
      const { apics } = new ApicRig({ ...system, cpus: 2, enabled: false });
      return apics.map((lapic) => [lapic.read(Reg.LVT_LINT0, 4), lapic.acceptsPic]);
    });
    const masked = [MASKED, false];
    expect(lint0).toEqual([
      [masked, masked],
      [[0x700, true], masked],
      [masked, masked],
    ]);
  });

  test('while software-disabled the mask bits cannot be cleared, and disabling sets them', () => {
    const [lapic] = new ApicRig().apics;
    lapic!.write(Reg.LVT_LINT1, 0x400);
    expect(lapic!.read(Reg.LVT_LINT1, 4)).toBe(0x400);
    lapic!.write(Reg.SVR, DISABLED);
    expect(lapic!.read(Reg.LVT_LINT1, 4)).toBe(0x400 | MASKED);
    lapic!.write(Reg.LVT_LINT1, 0x400);
    lapic!.write(Reg.SVR, ENABLED);
    expect(lapic!.read(Reg.LVT_LINT1, 4)).toBe(0x400 | MASKED);
  });

  test.each([
    ['timer', Reg.LVT_TIMER, 0x710ff],
    ['thermal sensor', Reg.LVT_THERMAL, 0x117ff],
    ['performance counters', Reg.LVT_PERF, 0x117ff],
    ['LINT0', Reg.LVT_LINT0, 0x1f7ff],
    ['LINT1', Reg.LVT_LINT1, 0x1f7ff],
    ['error', Reg.LVT_ERROR, 0x110ff],
    ['CMCI', Reg.LVT_CMCI, 0x117ff],
  ])('of the entry for %s only its fields can be written', (_, offset, fields) => {
    const [lapic] = new ApicRig({ cmci: true }).apics;
    lapic!.write(offset, 0xffff_ffff);
    expect(lapic!.read(offset, 4)).toBe(fields);
  });

  test('without TSC-deadline mode bit 18 of the timer entry is reserved', () => {
    const [lapic] = new ApicRig({ tscDeadline: false }).apics;
    lapic!.write(Reg.LVT_TIMER, 0xffff_ffff);
    expect(lapic!.read(Reg.LVT_TIMER, 4)).toBe(0x310ff);
  });

  test('an entry is delivered with its vector, mode and trigger, unless it is masked', () => {
    const { apics, told } = new ApicRig();
    const [lapic] = apics;
    lapic!.write(Reg.LVT_LINT0, 0x8031);
    lapic!.write(Reg.LVT_LINT1, 0x400);
    lapic!.write(Reg.LVT_THERMAL, 0x51 | MASKED);
    told.length = 0;
    const taken = [Reg.LVT_LINT0, Reg.LVT_LINT1, Reg.LVT_THERMAL].map((offset) =>
      lapic!.deliverLocal(offset),
    );
    expect([taken, lapic!.irr.members(), lapic!.tmr.members()]).toEqual([[1, 1, 0], [0x31], [0x31]]);
    expect(told).toEqual(['cpu0 request 0x31', 'cpu0 nmi']);
  });

  test('a performance-counter interrupt masks its entry, but not under Xen (perfMasksItself)', () => {
    const after = Object.values(SYSTEMS).map((system) => {
      const [lapic] = new ApicRig(system).apics;
      lapic!.write(Reg.LVT_PERF, 0x400);
      lapic!.deliverLocal(Reg.LVT_PERF);
      return lapic!.read(Reg.LVT_PERF, 4);
    });
    expect(after).toEqual([0x400 | MASKED, 0x400 | MASKED, 0x400]);
  });

  test('8259s are let through by an unmasked ExtINT LINT0, or when there is no local APIC in between', () => {
    const [lapic] = new ApicRig().apics;
    const states = [lapic!.acceptsPic];
    lapic!.write(Reg.LVT_LINT0, 0x700);
    states.push(lapic!.acceptsPic);
    lapic!.write(Reg.LVT_LINT0, 0x700 | MASKED);
    states.push(lapic!.acceptsPic);
    lapic!.wrmsr(MSR_APIC_BASE, 0xfee0_0000, 0);
    states.push(lapic!.acceptsPic);
    expect(states).toEqual([false, true, false, true]);
  });

  test('writes of an entry and of SVR are told', () => {
    const { apics, told } = new ApicRig({ enabled: false });
    apics[0]!.write(Reg.SVR, ENABLED);
    apics[0]!.write(Reg.LVT_LINT0, 0x700);
    apics[0]!.write(Reg.SVR, DISABLED);
    expect(told).toEqual(['cpu0 enabled', 'cpu0 lvt 0x350']);
  });
});

describe('errors', () => {
  /** LVTERR with this entry; the answer reads ESR as software does: written first. */
  function rigWith(entry: number, system: (typeof SYSTEMS)[keyof typeof SYSTEMS] = manual) {
    const rig = new ApicRig({ ...system, cpus: 2 });
    const [lapic] = rig.apics;
    lapic!.write(Reg.LVT_ERROR, entry);
    const esr = () => {
      lapic!.write(Reg.ESR, 0);
      return lapic!.read(Reg.ESR, 4);
    };
    return { ...rig, rig, lapic: lapic!, esr };
  }

  test('a vector below 16 that arrives is an error and not requested; KVM requests it (illegalVectors)', () => {
    const results = Object.values(SYSTEMS).map((system) => {
      const { lapic, esr } = rigWith(0xfe, system);
      const taken = lapic.accept(Mode.FIXED, 0x0f, true, false);
      return [taken, esr(), lapic.irr.members()];
    });
    expect(results).toEqual([
      [0, Esr.RECEIVE_ILLEGAL, [0xfe]],
      [1, 0, [0x0f]],
      [0, Esr.RECEIVE_ILLEGAL, [0xfe]],
    ]);
  });

  test('a command with such a vector is not sent', () => {
    const results = Object.values(SYSTEMS).map((system) => {
      const { lapic, esr, rig } = rigWith(MASKED, system);
      lapic.write(Reg.ICR2, 1 << 24);
      lapic.write(Reg.ICR, icr(0x05));
      return [esr(), rig.requested];
    });
    expect(results).toEqual([
      [Esr.SEND_ILLEGAL, [[], []]],
      [0, [[], [0x05]]],
      [Esr.SEND_ILLEGAL, [[], []]],
    ]);
  });

  test('ESR shows errors once it is written, and what was since then at the next write', () => {
    const { lapic, esr } = rigWith(MASKED);
    lapic.accept(Mode.FIXED, 1, true, false);
    expect(lapic.read(Reg.ESR, 4)).toBe(0);
    expect([esr(), esr()]).toEqual([Esr.RECEIVE_ILLEGAL, 0]);
  });

  test('each kind is told by LVTERR once', () => {
    const { lapic, told } = rigWith(0xfe);
    told.length = 0;
    for (let i = 0; i < 3; i++) lapic.accept(Mode.FIXED, 1, true, false);
    lapic.ack();
    lapic.accept(Mode.FIXED, 1, true, false);
    expect(told).toEqual(['cpu0 request 0xfe']);
  });

  test('an LVTERR whose own vector is illegal adds that error and no more', () => {
    const { lapic, esr } = rigWith(0x05);
    lapic.write(Reg.ICR, icr(0x03, { shorthand: Shorthand.ALL }));
    expect([esr(), lapic.irr.members()]).toEqual([Esr.SEND_ILLEGAL | Esr.RECEIVE_ILLEGAL, []]);
  });

  test('access to a reserved register is an error on a processor only (illegalRegisters)', () => {
    const errors = Object.values(SYSTEMS).map((system) => {
      const { lapic, esr } = rigWith(MASKED, system);
      lapic.read(0x40, 4);
      const read = esr();
      lapic.write(0x40, 1);
      return [read, esr()];
    });
    expect(errors).toEqual([
      [Esr.REGISTER, Esr.REGISTER],
      [0, 0],
      [0, 0],
    ]);
  });

  test('INIT clears ESR, but not under Xen (esrSurvives)', () => {
    const errors = [manual, xen].map((system) => {
      const { lapic, esr } = rigWith(MASKED, system);
      lapic.accept(Mode.FIXED, 1, true, false);
      esr();
      lapic.accept(Mode.FIXED, 1, true, false);
      lapic.reset(true);
      return [lapic.read(Reg.ESR, 4), esr()];
    });
    expect(errors).toEqual([
      [0, 0],
      [Esr.RECEIVE_ILLEGAL, Esr.RECEIVE_ILLEGAL],
    ]);
  });
});

test('16 is the first vector that is legal, for LVTERR too', () => {
  const [lapic] = new ApicRig().apics;
  lapic!.write(Reg.LVT_ERROR, 0x10);
  expect(lapic!.accept(Mode.FIXED, 0x0f, true, false)).toBe(0);
  expect([lapic!.irr.members(), lapic!.errors]).toEqual([[0x10], Esr.RECEIVE_ILLEGAL]);
  expect(lapic!.accept(Mode.FIXED, 0x10, true, false)).toBe(1);
});

describe('commands', () => {
  test('a store to the low half of the ICR sends, to the destination in the high half', () => {
    const rig = new ApicRig({ cpus: 3 });
    rig.apics[0]!.write(Reg.ICR2, 2 << 24);
    expect(rig.requested).toEqual([[], [], []]);
    rig.apics[0]!.write(Reg.ICR, icr(0xfd));
    expect(rig.requested).toEqual([[], [], [0xfd]]);
  });

  test('it reads back as written, delivery status idle', () => {
    const [lapic] = new ApicRig().apics;
    lapic!.write(Reg.ICR2, 0xffff_ffff);
    lapic!.write(Reg.ICR, icr(0xfd, { busy: 1, shorthand: Shorthand.SELF }));
    expect([lapic!.read(Reg.ICR, 4), lapic!.read(Reg.ICR2, 4)]).toEqual([0x440fd, 0xff00_0000]);
  });

  test('INIT, SIPI, NMI and SMI go out by it', () => {
    const { apics, told } = new ApicRig({ cpus: 2 });
    apics[0]!.write(Reg.ICR2, 1 << 24);
    apics[0]!.write(Reg.ICR, icr(0, { mode: Mode.INIT, level: 1 }));
    apics[0]!.write(Reg.ICR, icr(0, { mode: Mode.INIT, level: 1, assert: 0 }));
    apics[0]!.write(Reg.ICR, icr(0x9a, { mode: Mode.SIPI }));
    apics[0]!.write(Reg.ICR, icr(0, { mode: Mode.NMI }));
    apics[0]!.write(Reg.ICR, icr(0, { mode: Mode.SMI }));
    expect(told).toEqual(['cpu1 init', 'cpu1 startup 0x9a', 'cpu1 nmi', 'cpu1 smi']);
  });

  test('a command for a vector is an edge whatever its trigger mode; KVM heeds it (levelCommands)', () => {
    const results = Object.values(SYSTEMS).map((system) => {
      const [lapic] = new ApicRig(system).apics;
      lapic!.write(Reg.ICR, icr(0x51, { shorthand: Shorthand.SELF, level: 1 }));
      lapic!.write(Reg.ICR, icr(0x52, { shorthand: Shorthand.SELF, level: 1, assert: 0 }));
      return [lapic!.irr.members(), lapic!.tmr.members()];
    });
    expect(results).toEqual([
      [[0x51, 0x52], []],
      [[0x51], [0x51]],
      [[0x51, 0x52], []],
    ]);
  });
});

describe('reset', () => {
  test('registers have their values after reset', () => {
    const [lapic] = new ApicRig({ ids: [5], enabled: false }).apics;
    const at = (offset: number) => lapic!.read(offset, 4);
    expect([Reg.ID, Reg.DFR, Reg.SVR, Reg.TPR, Reg.LDR, Reg.TMICT, Reg.TDCR, Reg.ESR].map(at)).toEqual([
      0x0500_0000, 0xffff_ffff, 0xff, 0, 0, 0, 0, 0,
    ]);
  });

  test('the version register tells version and LVT entries (version)', () => {
    const versions = Object.values(SYSTEMS).flatMap((system) =>
      [false, true].map((cmci) => new ApicRig({ ...system, cmci }).apics[0]!.read(Reg.VERSION, 4)),
    );
    expect(versions).toEqual([0x50015, 0x60015, 0x50014, 0x60014, 0x50014, 0x60014]);
  });

  test('INIT is as reset, but IA32_APIC_BASE and the ID stay', () => {
    const [lapic] = new ApicRig(kvm).apics;
    lapic!.write(Reg.ID, 9 << 24);
    lapic!.write(Reg.LDR, 0x0400_0000);
    lapic!.request(0x31, true);
    lapic!.request(0x41);
    lapic!.ack();
    lapic!.wrmsr(MSR_APIC_BASE, 0xfee0_0800, 0); // no longer marked as bootstrap processor
    lapic!.reset(true);
    expect([lapic!.read(Reg.ID, 4), lapic!.read(Reg.LDR, 4), lapic!.base >>> 0]).toEqual([
      9 << 24,
      0,
      0xfee0_0800,
    ]);
    expect([lapic!.irr.empty, lapic!.isr.empty, lapic!.tmr.empty, lapic!.softwareEnabled]).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect([lapic!.deliverable(), lapic!.eoi()]).toEqual([-1, -1]);
  });

  test('INIT stops the timer, its mode and count are those of reset', () => {
    const { apics, clock } = new ApicRig();
    const [lapic] = apics;
    lapic!.write(Reg.LVT_TIMER, (1 << 17) | 0xec);
    lapic!.write(Reg.TMICT, 100);
    lapic!.reset(true);
    expect([clock.pending, lapic!.read(Reg.TMICT, 4), lapic!.timer.mode, lapic!.read(Reg.TMCCT, 4)]).toEqual([
      0, 0, 0, 0,
    ]);
  });

  test('INIT takes the processor out of its logical destinations, and arbitration starts anew', () => {
    const rig = new ApicRig({ ...kvm, cpus: 2 });
    rig.apics[1]!.write(Reg.LDR, 2 << 24);
    rig.message(2, 0x31, { logical: true, mode: Mode.LOWEST });
    rig.apics[1]!.reset(true);
    expect([rig.message(2, 0x31, { logical: true }), rig.apics[1]!.arbitration]).toEqual([-1, 0]);
  });

  test('in x2APIC mode INIT leaves the logical ID, which is fixed', () => {
    const rig = new ApicRig({ ids: [0x23] });
    rig.toX2apic(0);
    rig.apics[0]!.reset(true);
    expect([rig.apics[0]!.x2apic, rig.apics[0]!.rdmsr(msr(Reg.LDR))]).toEqual([true, [0x0002_0008, 0]]);
  });

  test('setting the enable bit of IA32_APIC_BASE resets all; KVM leaves what was (enablingResets)', () => {
    const svr = Object.values(SYSTEMS).map((system) => {
      const [lapic] = new ApicRig(system).apics;
      lapic!.write(Reg.TPR, 0x20);
      lapic!.wrmsr(MSR_APIC_BASE, 0xfee0_0100, 0);
      lapic!.wrmsr(MSR_APIC_BASE, 0xfee0_0900, 0);
      return [lapic!.read(Reg.SVR, 4), lapic!.read(Reg.TPR, 4)];
    });
    expect(svr).toEqual([
      [0xff, 0],
      [0x1ff, 0x20],
      [0xff, 0],
    ]);
  });

  test('which bits of the ID can be written differs (idMask)', () => {
    const ids = Object.values(SYSTEMS).map((system) => {
      const [lapic] = new ApicRig(system).apics;
      lapic!.write(Reg.ID, 0x1234_5678);
      return lapic!.read(Reg.ID, 4);
    });
    expect(ids).toEqual([0, 0x1200_0000, 0x1234_5678]);
  });
});

describe('state', () => {
  test('travels as plain data', () => {
    const { lapic } = apic();
    lapic.request(0x31, true);
    lapic.ack();
    lapic.request(0x22);
    const copy = apic().lapic;
    copy.restore(JSON.parse(JSON.stringify(lapic.save())));
    expect([copy.irr.members(), copy.isr.members(), copy.tmr.members()]).toEqual([[0x22], [0x31], [0x31]]);
    expect([copy.highestRequest, copy.highestInService]).toEqual([0x22, 0x31]);
  });

  test('all of it: modes, registers, errors, arbitration', () => {
    const make = () => new ApicRig({ ids: [3, 4] });
    const rig = make();
    rig.toX2apic(0);
    const [lapic] = rig.apics;
    lapic!.wrmsr(msr(Reg.ICR), icr(0x61), 4);
    lapic!.accept(Mode.LOWEST, 0x71, true, false);
    lapic!.accept(Mode.FIXED, 2, true, false);
    lapic!.wrmsr(msr(Reg.TPR), 0x80, 0);
    const saved = JSON.parse(JSON.stringify(lapic!.save()));
    const other = make();
    other.apics[0]!.restore(saved);
    expect(JSON.parse(JSON.stringify(other.apics[0]!.save()))).toEqual(saved);
    expect(other.apics[0]!.inspect()).toEqual(lapic!.inspect());
    other.message(3, 0x91); // found by an ID that the bus learns anew
    expect(other.apics[0]!.deliverable()).toBe(0x91);
  });

  test('looking at it changes nothing', () => {
    const [lapic] = new ApicRig().apics;
    lapic!.request(0x31);
    const before = JSON.stringify(lapic!.save());
    const registers = new Map(lapic!.inspect());
    expect([registers.get('SVR'), registers.get('LVT0')]).toEqual([0x1ff, MASKED]);
    expect(JSON.stringify(lapic!.save())).toBe(before);
  });

  test('an image that is taken back keeps the registers and starts arbitration anew', () => {
    const rig = new ApicRig(kvm);
    rig.toX2apic(0);
    const [lapic] = rig.apics;
    lapic!.accept(Mode.LOWEST, 0x71, true, false);
    lapic!.wrmsr(msr(Reg.ICR), icr(0x61), 0x1234);
    const before = lapic!.inspect();
    lapic!.reload();
    expect([lapic!.inspect(), lapic!.arbitration, lapic!.irr.members()]).toEqual([before, 0, [0x71]]);
  });
});
