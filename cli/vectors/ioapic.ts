/** The suites ioapic and routing: KVM's IOAPIC and 8259s with its local APICs, and the GSIs that lead there. */
import { defaultRoutes, IrqChip, IrqRouting, qemuRoutes, type Route } from '../../engine/index.ts';
import { picState, runPic } from './i8259.ts';
import { KvmChips } from './kvm-chips.ts';
import { BadVector, type Fields, type Suite } from './suite.ts';
import { argument, hex16, replayX86, type Value, type X86Model } from './x86-replay.ts';

class Machine implements X86Model {
  readonly state: Map<string, () => Value>;
  private readonly chips: KvmChips;
  private readonly chip: IrqChip;
  private readonly routing: IrqRouting;
  private told: number[] = [];

  constructor(init: Fields) {
    this.chips = new KvmChips(init);
    const { bus, clock, cpus } = this.chips;
    this.chip = new IrqChip('vm', bus, clock);
    for (const cpu of cpus) {
      this.chip.addVcpu();
      cpu.accepted = (vector) => this.chip.accepted(cpu.index, vector);
    }
    this.chips.entering = (cpu) => this.chip.scanIfAsked(cpu);
    this.routing = new IrqRouting(this.chip);
    this.routing.resample = (_, gsi) => this.told.push(gsi);
    this.routing.setRoutes(init.routes === 'qemu' ? qemuRoutes() : defaultRoutes());
    this.state = this.chips.state();
    this.addChips(init.devs);
    this.chips.settle();
  }

  private addChips(devices: unknown): void {
    if (!Array.isArray(devices)) throw new BadVector('"devs" must be a list');
    if (devices.includes('pic'))
      for (const [key, value] of picState(this.chip.pic)) this.state.set(key, value);
    if (!devices.includes('ioapic')) return;
    const { ioapic } = this.chip;
    this.state.set('io.sel', () => ioapic.select);
    this.state.set('io.id', () => ioapic.apicId);
    this.state.set('io.irr', () => ioapic.irr);
    this.state.set('io.irrd', () => ioapic.delivered);
    this.state.set('io.rtc', () => ioapic.rtcPending);
    for (let pin = 0; pin < ioapic.low.length; pin++) {
      this.state.set(`rt${pin}`, () => hex16(ioapic.low[pin]!, ioapic.high[pin]!));
    }
  }

  notes(): readonly unknown[] {
    const { told } = this;
    this.told = [];
    return told;
  }

  run(name: string, args: readonly unknown[]): unknown {
    const done = this.chips.run(name, args) ?? this.runChips(name, args) ?? runPic(this.chip.pic, name, args);
    if (!done) throw new BadVector(`unknown operation ${JSON.stringify(name)}`);
    this.chips.settle();
    return done.r;
  }

  private runChips(name: string, args: readonly unknown[]): { r?: unknown } | undefined {
    const { ioapic, pic } = this.chip;
    const n = (i: number) => argument(args, i);
    switch (name) {
      case 'iow':
        ioapic.write(n(0), n(1), n(2) as 4);
        return {};
      case 'ior':
        return { r: ioapic.read(n(0), n(1) as 4) };
      case 'pin':
        return { r: ioapic.setIrq(n(0), n(2) !== 0, n(1), n(3) !== 0) };
      case 'ioeoi':
        this.chip.eoi(n(0), n(1), n(2) !== 0);
        return {};
      case 'iosr':
        this.chip.reloadIoApic();
        return {};
      case 'picsr':
        pic.reload();
        return {};
      case 'storm':
        return { r: this.storm(args) };
      case 'intack': {
        const apic = this.chips.apic(args[0]);
        return { r: apic.acceptsPic && pic.intr ? pic.ack() : apic.ack() };
      }
      case 'irq':
        return { r: this.routing.setIrq(n(0), n(1), n(2) !== 0, n(3) !== 0) };
      case 'msi':
        return { r: this.routing.signalMsi(n(0), n(1), n(2)) };
      case 'routes':
        return { r: this.routing.setRoutes(routesOf(args[0])) };
      case 'reqsrc':
        return { r: this.chip.requestSource() };
      case 'freesrc':
        this.chip.freeSource(n(0));
        return {};
      case 'resample':
        this.routing.addResampler(n(0), n(1));
        return {};
      default:
        return undefined;
    }
  }

  /** Acknowledge and EOI, many times over. */
  private storm(args: readonly unknown[]): number {
    const apic = this.chips.apic(args[0]);
    let acknowledged = 0;
    for (let i = argument(args, 1); i > 0; i--) {
      if (apic.ack() >= 0) acknowledged++;
      this.chips.settle();
      apic.write(0xb0, 0);
      this.chips.settle();
    }
    return acknowledged;
  }
}

function routesOf(value: unknown): Route[] {
  if (!Array.isArray(value)) throw new BadVector('argument 1 must be a list of routes');
  return value.map((route: unknown[]): Route => {
    const [gsi, to, ...numbers] = route as [number, string, ...number[]];
    if (to === 'pic' || to === 'ioapic') return { gsi, to, pin: numbers[0]! };
    if (to !== 'msi') throw new BadVector(`no kind of route ${JSON.stringify(to)}`);
    return { gsi, to, addressLow: numbers[0]!, addressHigh: numbers[1]!, data: numbers[2]! };
  });
}

const replay: Suite['replay'] = (vector, meta) => replayX86(vector, meta, new Machine(vector.init));

export const ioapic: Suite = { name: 'ioapic', replay };
export const routing: Suite = { name: 'routing', replay };
