/** Chips of older Xens: each named difference by itself, and that the presets of 4.17 and 3.4 have it. */
import { describe, expect, test } from 'vitest';
import { ms } from '../../../engine/core/clock.ts';
import { XEN_BUS } from '../../../engine/hw/x86/apic-bus-options.ts';
import {
  BASE_ENABLE,
  BASE_X2APIC,
  Esr,
  Mode,
  MSR_APIC_BASE,
  Reg,
  Shorthand,
} from '../../../engine/hw/x86/apic-regs.ts';
import { I8259Pair } from '../../../engine/hw/x86/i8259.ts';
import { type PicOptions, XEN_3_4_PIC, XEN_PIC } from '../../../engine/hw/x86/i8259-options.ts';
import { IoApic } from '../../../engine/hw/x86/ioapic.ts';
import { type IoApicOptions, XEN_3_4_IOAPIC, XEN_IOAPIC } from '../../../engine/hw/x86/ioapic-options.ts';
import { RTE_LEVEL, RTE_REMOTE_IRR } from '../../../engine/hw/x86/ioapic-regs.ts';
import {
  type LapicOptions,
  XEN_3_4_LAPIC,
  XEN_4_17_LAPIC,
  XEN_LAPIC,
} from '../../../engine/hw/x86/lapic-options.ts';
import { ApicRig, icr } from '../../support/apics.ts';

/** The same on Xen's chip, with one option changed, and on the preset of the version that has it. */
function versions<O, R>(options: O, change: Partial<O>, preset: O, run: (options: O) => R): R[] {
  return [options, { ...options, ...change }, preset].map(run);
}

describe('the 8259s', () => {
  function run<R>(change: Partial<PicOptions>, what: (pic: I8259Pair, acked: number[]) => R): R[] {
    return versions<PicOptions, R>(XEN_PIC, change, XEN_3_4_PIC, (options) => {
      const acked: number[] = [];
      const pic = new I8259Pair('pc', options, { intr: () => {}, acked: (pin) => acked.push(pin) });
      return what(pic, acked);
    });
  }

  test('INT follows the requests while they are initialised (initInt)', () => {
    const int = run({ initInt: 'live' }, (pic) => {
      pic.write(0x4d0, 0x20);
      pic.edge(5, true);
      pic.write(0x20, 0x11);
      const during = pic.intr;
      pic.write(0x21, 0x08);
      pic.write(0x21, 0x04);
      pic.write(0x21, 0x01);
      return [during, pic.intr];
    });
    expect(int).toEqual([
      [false, true],
      [true, true],
      [true, true],
    ]);
  });

  test('nobody is told of what ICW1 forgets (initAcknowledges)', () => {
    const acked = run({ initAcknowledges: false }, (pic, told) => {
      pic.edge(5, true);
      pic.write(0x20, 0x11);
      return told;
    });
    expect(acked).toEqual([[5], [], []]);
  });
});

describe('the IOAPIC', () => {
  function run<R>(change: Partial<IoApicOptions>, what: (chip: IoApic, sent: number[]) => R): R[] {
    return versions<IoApicOptions, R>(XEN_IOAPIC, change, XEN_3_4_IOAPIC, (options) => {
      const sent: number[] = [];
      const chip: IoApic = new IoApic('pc', options, { send: (_l, _h, _r, pin) => sent.push(pin) });
      return what(chip, sent);
    });
  }

  function write(chip: IoApic, pin: number, low: number): void {
    chip.write(0, 0x10 + 2 * pin, 4);
    chip.write(0x10, low, 4);
  }

  test('an entry written as edge keeps its remote IRR (edgeClearsRemoteIrr)', () => {
    const kept = run({ edgeClearsRemoteIrr: false }, (chip) => {
      write(chip, 20, RTE_LEVEL | 0x41);
      chip.setIrq(20, true);
      write(chip, 20, 0x41);
      return (chip.low[20]! & RTE_REMOTE_IRR) !== 0;
    });
    expect(kept).toEqual([false, true, true]);
  });

  test('an EOI is for the first pin of its vector (eoiForAll)', () => {
    const sent = run({ eoiForAll: false }, (chip, pins) => {
      for (const pin of [20, 21]) {
        write(chip, pin, RTE_LEVEL | 0x41);
        chip.setIrq(pin, true);
      }
      pins.length = 0;
      chip.eoi(0x41);
      return pins;
    });
    expect(sent).toEqual([[20, 21], [20], [20]]);
  });

  test('pin 0 is as the others (picPinApart)', () => {
    const sent = run({ picPinApart: false }, (chip, pins) => {
      chip.hold(0, true);
      write(chip, 0, RTE_LEVEL | 0x41);
      return pins;
    });
    expect(sent).toEqual([[], [0], [0]]);
  });
});

describe('the local APIC', () => {
  function run<R>(preset: LapicOptions, change: Partial<LapicOptions>, what: (rig: ApicRig) => R): R[] {
    return versions<LapicOptions, R>(XEN_LAPIC, change, preset, (options) =>
      what(new ApicRig({ options, busOptions: XEN_BUS, ids: [0, 4] })),
    );
  }

  test('an error shows in ESR at once, and stays there (esrAtOnce)', () => {
    const seen = run(XEN_4_17_LAPIC, { esrAtOnce: true }, ({ apics: [apic], told }) => {
      apic!.write(Reg.LVT_ERROR, 0xfe);
      told.length = 0;
      const read: number[] = [];
      for (let i = 0; i < 2; i++) {
        apic!.accept(Mode.FIXED, 1, true, false);
        read.push(apic!.read(Reg.ESR, 4)!);
        apic!.write(Reg.ESR, 0);
        read.push(apic!.read(Reg.ESR, 4)!);
        apic!.ack();
        apic!.write(Reg.EOI, 0);
      }
      return [read, told.length];
    });
    const bit = Esr.RECEIVE_ILLEGAL;
    const since = [[0, bit, bit, bit], 2];
    const once = [[bit, bit, bit, bit], 1];
    expect(seen).toEqual([since, once, once]);
  });

  test('LDR in x2APIC mode is of the number of the virtual CPU (ldrOfHalfId)', () => {
    const ldr = run(XEN_4_17_LAPIC, { ldrOfHalfId: true }, (rig) => {
      rig.toX2apic(1);
      return rig.apics[1]!.reg(Reg.LDR);
    });
    expect(ldr).toEqual([1 << 4, 1 << 2, 1 << 2]);
  });

  test('vectors below 16 are vectors (illegalVectors)', () => {
    const requested = run(XEN_3_4_LAPIC, { illegalVectors: false }, ({ apics: [apic] }) => {
      apic!.accept(Mode.FIXED, 5, true, false);
      return apic!.irr.members();
    });
    expect(requested).toEqual([[], [5], [5]]);
  });

  test('a command has a trigger mode, and a deassert is one, too (levelCommands)', () => {
    const maps = run(XEN_3_4_LAPIC, { levelCommands: 'both' }, ({ apics: [apic] }) => {
      apic!.write(Reg.ICR, icr(0x51, { shorthand: Shorthand.SELF, level: 1 }));
      apic!.write(Reg.ICR, icr(0x52, { shorthand: Shorthand.SELF, level: 1, assert: 0 }));
      return [apic!.irr.members(), apic!.tmr.members()];
    });
    const both = [
      [0x51, 0x52],
      [0x51, 0x52],
    ];
    expect(maps).toEqual([[[0x51, 0x52], []], both, both]);
  });

  test('TMR keeps a vector until its EOI (tmrUntilEoi)', () => {
    const tmr = run(XEN_3_4_LAPIC, { tmrUntilEoi: true }, ({ apics: [apic], eois }) => {
      apic!.setIrq(0x51, true);
      apic!.setIrq(0x51, false);
      apic!.ack();
      const before = apic!.tmr.has(0x51);
      apic!.write(Reg.EOI, 0);
      apic!.setIrq(0x52, true);
      apic!.ack();
      apic!.write(Reg.EOI, 0);
      return [before, eois, apic!.tmr.members()];
    });
    const kept = [true, ['0x51 level', '0x52 level'], []];
    expect(tmr).toEqual([[false, ['0x51 edge', '0x52 level'], [0x52]], kept, kept]);
  });

  test('there is no x2APIC mode, and IA32_APIC_BASE takes anything (hasX2apic)', () => {
    const seen = run(XEN_3_4_LAPIC, { hasX2apic: false }, ({ apics: [apic] }) => {
      const moved = apic!.wrmsr(MSR_APIC_BASE, 0x1234_5000 | BASE_ENABLE, 1);
      apic!.write(Reg.TPR, 0x20);
      return [moved, apic!.x2apic, apic!.rdmsr(0x808) !== undefined, apic!.read(Reg.TPR, 4)];
    });
    const old = [true, false, false, 0x20];
    expect(seen).toEqual([[false, false, false, 0x20], old, old]);
    const [xen, , old34] = run(XEN_3_4_LAPIC, {}, ({ apics: [apic] }) => {
      apic!.wrmsr(MSR_APIC_BASE, apic!.base | BASE_X2APIC, 0);
      return [apic!.x2apic, apic!.atPage];
    });
    expect([xen, old34]).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  test('its ID cannot be written (idMask)', () => {
    const ids = run(XEN_3_4_LAPIC, { idMask: 0 }, ({ apics: [apic] }) => {
      apic!.write(Reg.ID, 0x0900_0000);
      return apic!.xapicId;
    });
    expect(ids).toEqual([9, 0, 0]);
  });

  test('the reserved timer mode stops TMICT under Xen, not under KVM (fourthModeStops)', () => {
    const counts = run(XEN_LAPIC, { fourthModeStops: false }, ({ apics: [apic], clock }) => {
      apic!.write(Reg.LVT_TIMER, 3 << 17);
      apic!.write(Reg.TMICT, 7);
      clock.runUntil(ms(1));
      return [apic!.reg(Reg.TMICT), apic!.read(Reg.TMICT, 4)];
    });
    expect(counts).toEqual([
      [0, 0],
      [7, 7],
      [0, 0],
    ]);
  });
});
