/**
 * The suite xen: the 8259s, the IOAPIC and the local APICs that Xen gives an HVM guest. Operations on their registers
 * are run; what others do (lines, links, messages, callbacks, injection) is taken from the case.
 */
import { Clock, HvmChips, LocalApic, XEN_LAPIC } from '../../engine/index.ts';
import { picState, runPic } from './i8259.ts';
import { BadVector, type Fields, type Suite } from './suite.ts';
import {
  argument,
  hex,
  hex16,
  NOT_MODELLED,
  replayX86,
  type Value,
  wide,
  type X86Model,
} from './x86-replay.ts';

/** Registers of a local APIC that the state has as words, beside the three maps. */
const OFFSETS = [
  0x20, 0x30, 0x80, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x3e0,
];
const OTHERS = new Set([
  'isa',
  'pci',
  'link',
  'ioassert',
  'iodeassert',
  'msi',
  'via',
  'upcall',
  'upvec',
  'intack',
]);
/** of Xen's 8259s the state does not have these, or has them in `init` and `int` */
const NOT_XENS = ['m.last', 's.last', 'm.init4', 's.init4', 'out'];
/** #GP: X86EMUL_EXCEPTION */
const EXCEPTION = 2;
/** rate of the virtual TSC; no timer runs here */
const TSC_KHZ = 1_000_000;

/** What a virtual CPU has beside its local APIC. */
class Vcpu {
  readonly apic: LocalApic;
  nmi = 0;
  initialised: boolean;
  sipi = -1;
  upcallVector = 0;
  upcallPending = false;

  constructor(
    readonly index: number,
    chips: HvmChips,
    clock: Clock,
    later: (what: () => void) => void,
  ) {
    this.initialised = index === 0;
    this.apic = new LocalApic({
      id: `vcpu${index}.vlapic`,
      apicId: 2 * index,
      bsp: index === 0,
      options: XEN_LAPIC,
      bus: chips.bus,
      clock,
      tscKhz: TSC_KHZ,
      output: {
        request: () => {},
        nmi: () => {
          this.nmi = 1;
        },
        init: () => later(() => this.initialise()),
        startup: (vector) => later(() => this.startUp(vector)),
        lvt: (offset) => chips.lvtWritten(offset),
        softwareEnabled: () => {
          if (this.upcallVector !== 0 && this.upcallPending) this.apic.request(this.upcallVector);
        },
      },
    });
  }

  /** vlapic_init_sipi_one */
  private initialise(): void {
    if (!this.initialised) return;
    this.initialised = false;
    this.apic.reset(true);
  }

  /** hvm_vcpu_reset_state */
  private startUp(vector: number): void {
    if (this.initialised) return;
    this.initialised = true;
    this.sipi = vector;
  }
}

class Machine implements X86Model {
  readonly state = new Map<string, () => Value>();
  private readonly setters = new Map<string, (value: number) => void>();
  private readonly chips = new HvmChips('hvm');
  private readonly vcpus: readonly Vcpu[];
  /** gsi_assert_count */
  private readonly asserted: Uint8Array;
  /** INIT and SIPI, done by tasklets at the end of an operation */
  private tasklets: (() => void)[] = [];

  constructor(init: Fields) {
    const { vcpus } = init;
    if (vcpus !== 1 && vcpus !== 2 && vcpus !== 4) throw new BadVector('"vcpus" must be 1, 2 or 4');
    const clock = new Clock();
    this.vcpus = Array.from(
      { length: vcpus },
      (_, i) => new Vcpu(i, this.chips, clock, (tasklet) => this.tasklets.push(tasklet)),
    );
    this.asserted = new Uint8Array(this.chips.ioapic.low.length);
    this.addPic();
    this.addIoApic();
    for (const vcpu of this.vcpus) this.addApic(vcpu);
  }

  private add(key: string, value: () => number | boolean, set?: (value: number) => void): void {
    this.state.set(key, () => Number(value()));
    if (set) this.setters.set(key, set);
  }

  private addPic(): void {
    const { pic } = this.chips;
    for (const [key, value] of picState(pic)) if (!NOT_XENS.includes(key)) this.state.set(key, value);
    for (const [prefix, chip] of [
      ['m', pic.master],
      ['s', pic.slave],
    ] as const) {
      this.add(
        `${prefix}.int`,
        () => chip.output,
        (value) => {
          chip.output = value !== 0;
        },
      );
      // the other operations change nothing else in an 8259
      this.setters.set(`${prefix}.irr`, (value) => {
        chip.irr = value;
      });
      this.setters.set(`${prefix}.isr`, (value) => {
        chip.isr = value;
      });
      this.setters.set(`${prefix}.padd`, (value) => {
        chip.priorityAdd = value;
      });
    }
  }

  private addIoApic(): void {
    const { ioapic, bus } = this.chips;
    this.add('io.sel', () => ioapic.select);
    this.add('io.id', () => ioapic.apicId);
    this.add(
      'rrv',
      () => bus.roundRobin,
      (value) => {
        bus.roundRobin = value;
      },
    );
    this.add('tgt', () => this.chips.target);
    for (let pin = 0; pin < ioapic.low.length; pin++) {
      this.state.set(`rt${pin}`, () => hex16(ioapic.low[pin]!, ioapic.high[pin]!));
      this.add(
        `g${pin}`,
        () => this.asserted[pin]!,
        (value) => {
          this.asserted[pin] = value;
          if (value !== 0) ioapic.requests.set(pin);
          else ioapic.requests.clear(pin);
        },
      );
    }
  }

  private addApic(vcpu: Vcpu): void {
    const { apic, index } = vcpu;
    const add = (name: string, value: () => number | boolean, set?: (value: number) => void) =>
      this.add(`${index}.${name}`, value, set);
    const word = (offset: number, words: Uint32Array, at: number) =>
      add(
        offset.toString(16),
        () => words[at]!,
        (value) => {
          words[at] = value;
        },
      );
    for (const offset of OFFSETS) word(offset, apic.regs, offset >> 4);
    for (let w = 0; w < 8; w++) {
      word(0x100 + w * 16, apic.isr.words, w);
      word(0x180 + w * 16, apic.tmr.words, w);
      word(0x200 + w * 16, apic.irr.words, w);
    }
    add('a0', () => apic.updatePpr());
    add('irq', () => apic.requestAboveService());
    add(
      'nmi',
      () => vcpu.nmi,
      (value) => {
        vcpu.nmi = value;
      },
    );
    add('dis', () => Number(!apic.hardwareEnabled) | (Number(!apic.softwareEnabled) << 1));
    add(
      'pesr',
      () => apic.errors,
      (value) => {
        apic.errors = value;
      },
    );
    add('up', () => vcpu.initialised);
    add('sipi', () => vcpu.sipi);
    add('pic', () => this.chips.acceptsPic(index));
    this.state.set(`${index}.base`, () => hex(apic.base >>> 0, apic.baseHigh));
  }

  load(changes: Fields): void {
    for (const [key, value] of Object.entries(changes)) {
      const pin = /^rt(\d+)$/.exec(key)?.[1];
      if (pin !== undefined) this.loadEntry(Number(pin), value);
      else this.setters.get(key)?.(value as number);
    }
    for (const { apic } of this.vcpus) apic.changed();
  }

  private loadEntry(pin: number, value: unknown): void {
    const { low, high } = wide([value], 0);
    this.chips.ioapic.low[pin] = low;
    this.chips.ioapic.high[pin] = high;
  }

  run(name: string, args: readonly unknown[]): unknown {
    if (OTHERS.has(name)) {
      this.remember(name, args);
      return NOT_MODELLED;
    }
    const done = runPic(this.chips.pic, name, args) ?? this.runRegister(name, args);
    if (!done) throw new BadVector(`unknown operation ${JSON.stringify(name)}`);
    const { tasklets } = this;
    this.tasklets = [];
    for (const tasklet of tasklets) tasklet();
    return done.r;
  }

  /** What the other operations leave behind that the state does not show. */
  private remember(name: string, args: readonly unknown[]): void {
    if (name === 'upcall') this.vcpu(args[0]).upcallPending = argument(args, 1) !== 0;
    if (name === 'upvec') this.vcpu(args[0]).upcallVector = argument(args, 1);
  }

  private runRegister(name: string, args: readonly unknown[]): { r?: unknown } | undefined {
    const { ioapic } = this.chips;
    const n = (i: number) => argument(args, i);
    switch (name) {
      case 'w':
        this.apic(args[0]).write(n(1), n(2));
        return {};
      case 'r':
        return { r: this.apic(args[0]).read(n(1), n(2) as 1 | 2 | 4) };
      case 'wrmsr': {
        const { low, high } = wide(args, 2);
        return { r: this.apic(args[0]).wrmsr(n(1), low, high) ? 0 : EXCEPTION };
      }
      case 'rdmsr': {
        const value = this.apic(args[0]).rdmsr(n(1));
        return { r: value ? hex(...value) : 'gp' };
      }
      case 'iow':
        ioapic.write(n(0), n(1), 4);
        return {};
      case 'ior':
        return { r: ioapic.read(n(0), 4) };
      default:
        return undefined;
    }
  }

  private apic(vcpu: unknown): LocalApic {
    return this.vcpu(vcpu).apic;
  }

  private vcpu(index: unknown): Vcpu {
    const vcpu = this.vcpus[index as number];
    if (!vcpu) throw new BadVector(`there is no virtual CPU ${JSON.stringify(index)}`);
    return vcpu;
  }
}

export const xen: Suite = {
  name: 'xen',
  scope: 'register operations only',
  replay: (vector, meta) => replayX86(vector, meta, new Machine(vector.init)),
};
