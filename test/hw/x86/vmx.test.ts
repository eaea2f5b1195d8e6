/** VM entry and exit, and APIC virtualization, sentence by sentence of the SDM's chapters 24 to 30. */
import { describe, expect, test } from 'vitest';
import { Clock } from '../../../engine/core/clock.ts';
import { ApicBus } from '../../../engine/hw/x86/apic-bus.ts';
import { ApicV } from '../../../engine/hw/x86/apicv.ts';
import { LocalApic } from '../../../engine/hw/x86/lapic.ts';
import { KVM_LAPIC } from '../../../engine/hw/x86/lapic-options.ts';
import { FAILED, NOTHING, VmxGuest } from '../../../engine/hw/x86/vm-entry-exit.ts';
import { Vmcs } from '../../../engine/hw/x86/vmcs.ts';
import {
  Blocking,
  Exit,
  ExitControl,
  exitName,
  Info,
  info,
  Proc,
  Type,
} from '../../../engine/hw/x86/vmcs-fields.ts';

function guest() {
  const vmcs = new Vmcs();
  return { vmcs, vmx: new VmxGuest(vmcs, undefined) };
}

describe('event injection', () => {
  test('a valid interruption-information field delivers its vector after the entry', () => {
    const { vmcs, vmx } = guest();
    vmx.interruptFlag = true;
    vmcs.entryInfo = info(0x51, Type.EXTERNAL);
    expect([vmx.enter(), vmx.deliveredType]).toEqual([0x51, Type.EXTERNAL]);
    vmx.delivered();
    expect(vmx.interruptFlag).toBe(false);
  });

  test('without the valid bit nothing is delivered', () => {
    const { vmcs, vmx } = guest();
    vmcs.entryInfo = 0x51;
    expect(vmx.enter()).toBe(NOTHING);
  });

  test('an external interrupt with IF clear, or blocked by STI or MOV SS, fails the entry', () => {
    for (const [flag, blocked] of [
      [false, 0],
      [true, Blocking.sti],
      [true, Blocking.movSs],
    ] as const) {
      const { vmcs, vmx } = guest();
      vmx.interruptFlag = flag;
      vmcs.interruptibility = blocked;
      vmcs.entryInfo = info(0x51, Type.EXTERNAL);
      expect([vmx.enter(), vmcs.exitReason]).toEqual([FAILED, Exit.INVALID_STATE]);
    }
  });

  test('an NMI blocks further ones until IRET', () => {
    const { vmcs, vmx } = guest();
    vmcs.entryInfo = info(2, Type.NMI);
    expect(vmx.enter()).toBe(2);
    vmx.delivered();
    expect(vmx.nmiAllowed).toBe(false);
    vmx.nmiUnblocked();
    expect(vmx.nmiAllowed).toBe(true);
  });
});

describe('VM exits', () => {
  test('the exit clears the valid bit of the entry field', () => {
    const { vmcs, vmx } = guest();
    vmx.interruptFlag = true;
    vmcs.entryInfo = info(0x51, Type.EXTERNAL);
    vmx.enter();
    vmx.delivered();
    vmx.exit(Exit.HLT);
    expect([vmcs.entryInfo, vmcs.exitReason, vmcs.idtVectoringInfo]).toEqual([0x51, Exit.HLT, 0]);
  });

  test('an exit during delivery saves the event as IDT-vectoring information', () => {
    const { vmcs, vmx } = guest();
    vmx.interruptFlag = true;
    vmcs.entryInfo = info(0x51, Type.EXTERNAL);
    vmx.enter();
    vmx.exit(Exit.EPT_VIOLATION, 0x182);
    expect([vmcs.idtVectoringInfo, vmcs.exitQualification]).toEqual([info(0x51, Type.EXTERNAL), 0x182]);
    expect(vmx.interruptFlag).toBe(true);
  });

  test('acknowledge interrupt on exit takes the vector and tells it; clear, it leaves it where it is', () => {
    for (const on of [true, false]) {
      const { vmcs, vmx } = guest();
      let taken = 0;
      const lapic = { deliverable: () => 0xec, ack: () => 0xec + 0 * ++taken, eoi: () => 0 };
      vmcs.exitControls = on ? ExitControl.acknowledgeInterrupt : 0;
      expect(vmx.exitForInterrupt(lapic)).toBe(on ? 0xec : -1);
      expect([taken, Info.valid.has(vmcs.exitInfo), vmcs.exitReason]).toEqual([Number(on), on, 1]);
    }
  });

  test('an NMI exits as an exception of type NMI', () => {
    const { vmcs, vmx } = guest();
    vmx.exitForNmi();
    expect([vmcs.exitReason, vmcs.exitInfo]).toEqual([Exit.EXCEPTION_NMI, 0x8000_0202]);
  });

  test('exceptions exit as their bit in the exception bitmap says', () => {
    const { vmcs, vmx } = guest();
    vmcs.exceptionBitmap = 1 << 14;
    expect([vmx.exceptionExits(14), vmx.exceptionExits(3)]).toEqual([true, false]);
    vmx.exitForException(14, 0x1234);
    expect([Info.vector.get(vmcs.exitInfo), Info.type.get(vmcs.exitInfo)]).toEqual([14, 3]);
  });

  test('windows exit as soon as the guest could take the event', () => {
    const { vmcs, vmx } = guest();
    vmx.interruptWindow = true;
    expect([vmcs.procBased & Proc.interruptWindow, vmx.pendingExit()]).toEqual([Proc.interruptWindow, -1]);
    vmx.interruptFlag = true;
    expect(vmx.pendingExit()).toBe(Exit.INTERRUPT_WINDOW);
    vmx.nmiWindow = true;
    expect(vmx.pendingExit()).toBe(Exit.NMI_WINDOW);
    vmcs.interruptibility = Blocking.nmi;
    vmx.interruptWindow = false;
    expect(vmx.pendingExit()).toBe(-1);
  });

  test('reasons have the names that perf prints', () => {
    expect([exitName(1), exitName(7), exitName(52), exitName(200)]).toEqual([
      'EXTERNAL_INTERRUPT',
      'INTERRUPT_WINDOW',
      'PREEMPTION_TIMER',
      'reason 200',
    ]);
  });
});

describe('virtual interrupts', () => {
  function virtual() {
    const vmcs = new Vmcs();
    const apic = new LocalApic({
      id: 'lapic',
      apicId: 0,
      bsp: true,
      options: KVM_LAPIC,
      bus: new ApicBus(),
      clock: new Clock(),
      tscKhz: 1_000_000,
      output: { request: () => {} },
    });
    apic.write(0xf0, 0x1ff);
    return { vmcs, apic, apicv: new ApicV(vmcs, apic) };
  }

  test('delivery moves the vector from VIRR to VISR; RVI and SVI follow', () => {
    const { vmcs, apic, apicv } = virtual();
    for (const vector of [0x31, 0x51]) apic.accept(0, vector, true, false);
    vmcs.rvi = apic.highestRequest;
    expect([apicv.pending(), apicv.deliver()]).toEqual([0x51, 0x51]);
    expect([vmcs.svi, vmcs.rvi, apic.isr.members(), apic.irr.members()]).toEqual([
      0x51,
      0x31,
      [0x51],
      [0x31],
    ]);
  });

  test('nothing of the class in service or of TPR, or below, is pending', () => {
    const { vmcs, apic, apicv } = virtual();
    vmcs.rvi = 0x51;
    vmcs.svi = 0x5f;
    expect(apicv.pending()).toBe(-1);
    vmcs.svi = 0x41;
    expect(apicv.pending()).toBe(0x51);
    apic.tpr = 0x50;
    expect(apicv.pending()).toBe(-1);
  });

  test('EOI ends the vector in SVI, and exits if the EOI-exit bitmap has it', () => {
    const { vmcs, apic, apicv } = virtual();
    for (const vector of [0x31, 0x51]) apic.isr.set(vector);
    apic.changed();
    vmcs.svi = 0x51;
    vmcs.eoiExit[1] = 1 << (0x31 - 32);
    expect(apicv.eoi()).toEqual({ vector: 0x51, exits: false });
    expect(vmcs.svi).toBe(0x31);
    expect(apicv.eoi()).toEqual({ vector: 0x31, exits: true });
    expect([vmcs.svi, apic.isr.members()]).toEqual([0, []]);
  });

  test('a self-IPI raises RVI without anybody else', () => {
    const { vmcs, apic, apicv } = virtual();
    apicv.selfIpi(0x61);
    expect([vmcs.rvi, apic.irr.members()]).toEqual([0x61, [0x61]]);
  });

  test('posted-interrupt processing clears ON and PIR, and takes the highest to RVI', () => {
    const { vmcs, apic, apicv } = virtual();
    const { posted } = apicv;
    posted.outstanding = true;
    for (const vector of [0x42, 0x91]) posted.requests.set(vector);
    apicv.processPosted();
    expect([posted.outstanding, posted.requests.empty, vmcs.rvi]).toEqual([false, true, 0x91]);
    expect(apic.irr.members()).toEqual([0x42, 0x91]);
  });
});
