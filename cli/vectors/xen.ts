/** The suite xen: the virtual interrupt hardware of an HVM guest, from its wires to what a virtual CPU is given. */
import {
  Clock,
  HvmChips,
  HvmIrq,
  HvmVcpuApic,
  type IntAck,
  type LocalApic,
  Vpt,
} from '../../engine/index.ts';
import { picState, runPic } from './i8259.ts';
import { BadVector, type Fields, type Suite } from './suite.ts';
import { argument, hex, hex16, replayX86, type Value, wide, type X86Model } from './x86-replay.ts';

/** Registers of a local APIC that the state has as words, beside the three maps. */
const OFFSETS = [
  0x20, 0x30, 0x80, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x3e0,
];
/** of Xen's 8259s the state does not have these, or has them in `init` and `int` */
const NOT_XENS = ['m.last', 's.last', 'm.init4', 's.init4', 'out'];
/** #GP: X86EMUL_EXCEPTION */
const EXCEPTION = 2;
/** rate of the virtual TSC */
const TSC_KHZ = 1_000_000;

type Done = { r?: unknown };

class Machine implements X86Model {
  readonly state = new Map<string, () => Value>();
  private readonly chips: HvmChips;
  private readonly irq: HvmIrq;
  private readonly vcpus: readonly HvmVcpuApic[];
  /** evtchn_upcall_pending of each virtual CPU */
  private readonly upcalls: boolean[];
  /** virtual CPUs whose INIT or SIPI waits for the end of the operation */
  private tasklets: number[] = [];

  constructor(init: Fields) {
    const { vcpus } = init;
    if (vcpus !== 1 && vcpus !== 2 && vcpus !== 4) throw new BadVector('"vcpus" must be 1, 2 or 4');
    const clock = new Clock();
    this.chips = new HvmChips('hvm', { kick: () => {} });
    this.irq = new HvmIrq('hvm', this.chips);
    // no timer runs here
    const host = { now: () => clock.now, timer: () => ({ at: () => {}, cancel: () => {} }) };
    const vpt = new Vpt({ name: 'hvm', irq: this.irq, chips: this.chips, host });
    this.upcalls = Array.from({ length: vcpus }, () => false);
    this.vcpus = this.upcalls.map(
      (_, vcpu) =>
        new HvmVcpuApic({
          name: 'hvm',
          vcpu,
          chips: this.chips,
          vpt,
          clock,
          tscKhz: TSC_KHZ,
          output: {
            upcallPending: () => this.upcalls[vcpu]!,
            tasklet: () => this.tasklets.push(vcpu),
          },
        }),
    );
    // those that were not started are online all the same
    for (const vcpu of this.vcpus) vcpu.down = false;
    this.addPic();
    this.addIoApic();
    for (const vcpu of this.vcpus) this.addApic(vcpu);
  }

  // state

  private add(key: string, value: () => number | boolean): void {
    this.state.set(key, () => Number(value()));
  }

  private addPic(): void {
    const { pic } = this.chips;
    for (const [key, value] of picState(pic)) if (!NOT_XENS.includes(key)) this.state.set(key, value);
    this.add('m.int', () => pic.master.output);
    this.add('s.int', () => pic.slave.output);
  }

  private addIoApic(): void {
    const { ioapic, bus } = this.chips;
    this.add('io.sel', () => ioapic.select);
    this.add('io.id', () => ioapic.apicId);
    this.add('rrv', () => bus.roundRobin);
    this.add('tgt', () => this.chips.target);
    for (let pin = 0; pin < ioapic.low.length; pin++) {
      this.state.set(`rt${pin}`, () => hex16(ioapic.low[pin]!, ioapic.high[pin]!));
      this.add(`g${pin}`, () => this.irq.gsiCount[pin]!);
    }
  }

  private addApic(v: HvmVcpuApic): void {
    const { apic, vcpu } = v;
    const add = (name: string, value: () => number | boolean) => this.add(`${vcpu}.${name}`, value);
    for (const offset of OFFSETS) add(offset.toString(16), () => apic.reg(offset));
    for (let w = 0; w < 8; w++) {
      add((0x100 + w * 16).toString(16), () => apic.isr.words[w]!);
      add((0x180 + w * 16).toString(16), () => apic.tmr.words[w]!);
      add((0x200 + w * 16).toString(16), () => apic.irr.words[w]!);
    }
    add('a0', () => apic.updatePpr());
    add('irq', () => apic.requestAboveService());
    add('nmi', () => v.nmiPending);
    add('dis', () => Number(!apic.hardwareEnabled) | (Number(!apic.softwareEnabled) << 1));
    add('pesr', () => apic.errors);
    add('up', () => v.initialised);
    add('sipi', () => v.startedBy);
    add('pic', () => this.chips.acceptsPic(vcpu));
    this.state.set(`${vcpu}.base`, () => hex(apic.base >>> 0, apic.baseHigh));
  }

  // operations

  run(name: string, args: readonly unknown[]): unknown {
    const done =
      runPic(this.chips.pic, name, args) ?? this.runRegister(name, args) ?? this.runInterrupt(name, args);
    if (!done) throw new BadVector(`unknown operation ${JSON.stringify(name)}`);
    const { tasklets } = this;
    this.tasklets = [];
    for (const vcpu of tasklets) this.vcpus[vcpu]!.runInitSipi();
    return done.r;
  }

  private runRegister(name: string, args: readonly unknown[]): Done | undefined {
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

  private runInterrupt(name: string, args: readonly unknown[]): Done | undefined {
    const { irq } = this;
    const n = (i: number) => argument(args, i);
    switch (name) {
      case 'isa':
        if (n(1)) irq.isaIrqAssert(n(0));
        else irq.isaIrqDeassert(n(0));
        return {};
      case 'pci':
        if (n(2)) irq.pciIntxAssert(n(0), n(1));
        else irq.pciIntxDeassert(n(0), n(1));
        return {};
      case 'link':
        return { r: irq.setPciLinkRoute(n(0), n(1)) };
      case 'ioassert':
        irq.ioapicAssert(n(0), n(1) !== 0);
        return { r: this.chips.vectorOf(n(0)) };
      case 'iodeassert':
        irq.ioapicDeassert(n(0));
        return {};
      case 'msi':
        return { r: irq.injectMsi(n(0), 0, n(1)) };
      case 'via': {
        const { low, high } = wide(args, 0);
        irq.setCallbackVia(low, high);
        return {};
      }
      case 'upcall':
        this.upcall(this.vcpu(args[0]).vcpu, n(1) !== 0);
        return {};
      case 'upvec':
        this.vcpu(args[0]).upcallVector = n(1);
        return {};
      case 'intack':
        return { r: this.intack(this.vcpu(args[0]).vcpu) };
      default:
        return undefined;
    }
  }

  private upcall(vcpu: number, pending: boolean): void {
    this.upcalls[vcpu] = pending;
    if (pending) this.irq.assertEvtchnIrq(vcpu);
    else this.irq.maybeDeassertEvtchnIrq();
  }

  private intack(vcpu: number): readonly [source: string, vector: number] {
    const waits = this.irq.hasPendingIrq(vcpu);
    if (this.irq.tprBlocks(vcpu, waits)) return ['tpr', waits.vector];
    const { source, vector }: IntAck = this.irq.ackPendingIrq(vcpu, waits);
    return [source, source === 'none' ? -1 : vector];
  }

  private apic(vcpu: unknown): LocalApic {
    return this.vcpu(vcpu).apic;
  }

  private vcpu(index: unknown): HvmVcpuApic {
    const vcpu = this.vcpus[index as number];
    if (!vcpu) throw new BadVector(`there is no virtual CPU ${JSON.stringify(index)}`);
    return vcpu;
  }
}

export const xen: Suite = {
  name: 'xen',
  replay: (vector, meta) => replayX86(vector, meta, new Machine(vector.init)),
};
