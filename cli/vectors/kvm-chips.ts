/**
 * Virtual CPUs with KVM's local APICs as the x86 suites have them: what happens to a virtual CPU between operations
 * (it enters the guest), and the state under the vectors' names.
 */
import { ApicBus, Bitmap, Clock, KVM_LAPIC, LocalApic } from '../../engine/index.ts';
import { BadVector, type Fields } from './suite.ts';
import { argument, hex, type Value, wide } from './x86-replay.ts';

const START = 1_000_000_000;
const OFFSETS = [
  0x20, 0x30, 0x80, 0xa0, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380,
  0x3e0, 0x2f0,
];
/** mp_state of KVM_GET_MP_STATE */
const RUNNABLE = 0;
const UNINITIALIZED = 1;
const INIT_RECEIVED = 2;
/** IA32_APIC_BASE: the bootstrap processor */
const BSP = 1 << 8;
const INIT = 1;
const SIPI = 2;

/** What a virtual CPU has beside its local APIC. */
class Cpu {
  nmis = 0;
  smis = 0;
  smiRequested = false;
  events = 0;
  sipi = 0;
  delivered = -1;
  unhalted = 0;
  mp: number;
  /** its local APIC has taken a vector */
  accepted: (vector: number) => void = () => {};
  readonly apic: LocalApic;

  constructor(
    readonly index: number,
    chips: KvmChips,
    flags: readonly string[],
    tscKhz: number,
  ) {
    this.mp = index === 0 ? RUNNABLE : UNINITIALIZED;
    const options = { ...KVM_LAPIC, lint0Reenabled: !flags.includes('lint0_quirk_off') };
    this.apic = new LocalApic({
      id: `vcpu${index}.lapic`,
      apicId: index,
      bsp: index === 0,
      options,
      bus: chips.bus,
      clock: chips.clock,
      tscKhz,
      cmci: flags.includes('cmci'),
      tscDeadline: !flags.includes('no_tsc_deadline'),
      output: {
        request: () => {},
        accepted: (vector) => this.accepted(vector),
        nmi: () => this.nmis++,
        smi: () => {
          this.smiRequested = true;
        },
        init: () => {
          this.events = INIT;
        },
        startup: (vector) => {
          this.sipi = vector;
          this.events |= SIPI;
        },
        remoteRead: () => {
          this.unhalted = 1;
        },
      },
    });
  }

  /** kvm_apic_accept_events */
  acceptEvents(): void {
    if (this.events & INIT) {
      this.events &= ~INIT;
      this.apic.reset(true);
      this.nmis = 0;
      this.smis = 0;
      this.mp = this.apic.base & BSP ? RUNNABLE : INIT_RECEIVED;
    }
    if (!(this.events & SIPI)) return;
    this.events &= ~SIPI;
    if (this.mp !== INIT_RECEIVED) return;
    this.delivered = this.sipi;
    this.mp = RUNNABLE;
  }
}

export class KvmChips {
  readonly clock = new Clock();
  readonly bus: ApicBus;
  readonly cpus: readonly Cpu[];
  /** on the way into the guest, after a timer's delivery: what else the virtual CPU does */
  entering: (cpu: number) => void = () => {};

  constructor(init: Fields) {
    const { vcpus, tsc_khz: tscKhz, flags = [] } = init;
    if (vcpus !== 1 && vcpus !== 2 && vcpus !== 4) throw new BadVector('"vcpus" must be 1, 2 or 4');
    if (typeof tscKhz !== 'number' || !(tscKhz > 0))
      throw new BadVector('"tsc_khz" must be a number above 0');
    if (!Array.isArray(flags)) throw new BadVector('"flags" must be a list');
    const has = (flag: string) => flags.includes(flag);
    this.bus = new ApicBus({
      wideIds: has('x2apic_format'),
      noBroadcastQuirk: has('bcast_quirk_off'),
      vectorHashing: !has('no_vector_hashing'),
    });
    this.clock.runUntil(START);
    this.cpus = Array.from({ length: vcpus }, (_, i) => new Cpu(i, this, flags as string[], tscKhz));
  }

  apic(cpu: unknown): LocalApic {
    return this.cpu(cpu).apic;
  }

  private cpu(index: unknown): Cpu {
    const cpu = this.cpus[index as number];
    if (!cpu) throw new BadVector(`there is no virtual CPU ${JSON.stringify(index)}`);
    return cpu;
  }

  /** Each timer that is due, and then all virtual CPUs, enter the guest. */
  settle(until = this.clock.now): void {
    while (this.clock.next <= until) {
      this.clock.step();
      this.enter();
    }
    this.clock.runUntil(until);
    this.enter();
  }

  private enter(): void {
    for (const cpu of this.cpus) {
      cpu.apic.injectPendingTimer();
      this.entering(cpu.index);
      if (cpu.smiRequested) cpu.smis++;
      cpu.smiRequested = false;
      if (cpu.apic.hardwareEnabled) cpu.apic.updatePpr();
    }
  }

  state(): Map<string, () => Value> {
    const state = new Map<string, () => Value>();
    for (const cpu of this.cpus) {
      const { apic, index } = cpu;
      const add = (name: string, value: () => Value) => state.set(`${index}.${name}`, value);
      for (const offset of OFFSETS) add(offset.toString(16), () => apic.regs[offset >> 4]!);
      add('310', () => (apic.x2apic ? apic.icrHigh : apic.regs[0x31]!));
      for (let w = 0; w < 8; w++) {
        add((0x100 + w * 16).toString(16), () => apic.isr.words[w]! >>> 0);
        add((0x180 + w * 16).toString(16), () => apic.tmr.words[w]! >>> 0);
        add((0x200 + w * 16).toString(16), () => apic.irr.words[w]! >>> 0);
      }
      add('irq', () => apic.deliverable());
      add('nmi', () => cpu.nmis);
      add('pend', () => cpu.events);
      add('sipi', () => cpu.sipi);
      add('mp', () => cpu.mp);
      add('sd', () => cpu.delivered);
      add('smi', () => cpu.smis);
      add('unh', () => cpu.unhalted);
      add('arb', () => apic.arbitration);
      add('base', () => hex(apic.base >>> 0, apic.baseHigh));
      add('pic', () => Number(apic.acceptsPic));
    }
    return state;
  }

  /** Operations on local APICs; undefined: not one of them. Settling is left to the caller. */
  run(name: string, args: readonly unknown[]): { r?: unknown } | undefined {
    const n = (i: number) => argument(args, i);
    switch (name) {
      case 'w':
        this.apic(args[0]).write(n(1), n(2));
        return {};
      case 'r':
        return { r: this.apic(args[0]).read(n(1), n(2) as 1 | 2 | 4) };
      case 'wrmsr': {
        const { low, high } = wide(args, 2);
        return { r: Number(!this.apic(args[0]).wrmsr(n(1), low, high)) };
      }
      case 'rdmsr': {
        const value = this.apic(args[0]).rdmsr(n(1));
        return { r: value ? hex(...value) : 'gp' };
      }
      case 'cr8':
        this.apic(args[0]).tpr = (n(1) & 15) << 4;
        return {};
      case 'msg':
        return {
          r: this.bus.send(null, n(0), n(1) !== 0, n(2), n(3), n(5) !== 0, n(4) !== 0, 0, n(6) !== 0),
        };
      case 'accept':
        return { r: this.apic(args[0]).accept(n(1), n(2), n(3) !== 0, n(4) !== 0) };
      case 'local':
        return { r: this.apic(args[0]).deliverLocal(n(1)) };
      case 'nmiwd':
        this.apic(args[0]).deliverLocal(0x350);
        return {};
      case 'ack':
        return { r: this.apic(args[0]).ack() };
      case 'events':
        this.cpu(args[0]).acceptEvents();
        return {};
      case 'time':
        this.settle(this.clock.now + n(0));
        return {};
      case 'saverestore':
        this.apic(args[0]).reload();
        return { r: 0 };
      case 'pvipi':
        return { r: this.sendBitmaps(args) };
      case 'pir':
        return { r: this.posted(args) };
      case 'single': {
        const apic = this.bus.single(n(0), n(1) !== 0, n(2), n(3), n(4) !== 0);
        return { r: apic ? apic.apicId : -1 };
      }
      default:
        return undefined;
    }
  }

  /** KVM_HC_SEND_IPI */
  private sendBitmaps(args: readonly unknown[]): number {
    const low = wide(args, 0);
    const high = wide(args, 1);
    const icr = argument(args, 3);
    if (icr & 0xc_0800) return -22;
    return this.bus.sendBitmaps(
      [
        [low.low, low.high],
        [high.low, high.high],
      ],
      argument(args, 2),
      argument(args, 4) !== 0 ? 64 : 32,
      {
        mode: (icr >> 8) & 7,
        vector: icr & 0xff,
        assert: (icr & (1 << 14)) !== 0,
        level: (icr & (1 << 15)) !== 0,
      },
    );
  }

  private posted(args: readonly unknown[]): [number, number] {
    const vectors = args[1];
    if (!Array.isArray(vectors)) throw new BadVector('argument 2 must be a list of vectors');
    const posted = new Bitmap(256);
    for (const vector of vectors as number[]) posted.set(vector);
    const { updated, highest } = this.apic(args[0]).updateIrr(posted);
    return [Number(updated), highest];
  }
}
