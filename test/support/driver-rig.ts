/**
 * A native kernel with its drivers on processors that are always there: interrupts come through a real IOAPIC or as
 * messages, instructions reach the devices of a PC at once and are written down.
 */
import { DmaMemory } from '../../engine/abi/dma.ts';
import { Books } from '../../engine/core/books.ts';
import { Clock, type Ns, type Task } from '../../engine/core/clock.ts';
import { Priority } from '../../engine/core/event-queue.ts';
import type { LineDriver, MsiSender } from '../../engine/core/line.ts';
import { type Part, Parts } from '../../engine/core/state.ts';
import { Trace } from '../../engine/core/trace.ts';
import { PciBus, type PciFunction } from '../../engine/devices/pc/pci.ts';
import { NativeKernel } from '../../engine/guest/linux/native.ts';
import type { NativeLinuxCpu } from '../../engine/guest/linux/native-entry.ts';
import { KERNELS, type KernelProfile } from '../../engine/guest/linux/profiles.ts';
import type { NativeCpu, Width } from '../../engine/hw/x86/cpu.ts';
import { IoBus } from '../../engine/hw/x86/io-bus.ts';
import { IoApic } from '../../engine/hw/x86/ioapic.ts';
import { INTEL_IOAPIC } from '../../engine/hw/x86/ioapic-options.ts';

const EOI = 0x80b;
const ICR = 0x830;
const IOAPIC_PAGE = 0xfec0_0000;

class RigCpu implements NativeCpu {
  interruptFlag = false;
  readonly processor: number;
  entry!: NativeLinuxCpu;
  /** vectors that wait, and those in service */
  private readonly requests: number[] = [];
  private readonly inService: number[] = [];
  private readonly stretch: Task;
  private readonly gate: Task;

  constructor(
    private readonly rig: DriverRig,
    readonly vcpu: number,
  ) {
    this.processor = vcpu;
    this.stretch = rig.clock.task(`cpu${vcpu}.stretch`, Priority.guest, () => this.entry.done());
    this.gate = rig.clock.task(`cpu${vcpu}.gate`, Priority.guest, () => this.interrupt());
  }

  get now(): Ns {
    return this.rig.clock.now;
  }

  /** Here code takes no time but in stretches. */
  spend(): void {}

  accept(vector: number): void {
    if (!this.requests.includes(vector)) this.requests.push(vector);
    this.gate.at(this.now);
  }

  private interrupt(): void {
    if (!this.interruptFlag || this.requests.length === 0) return;
    const vector = this.requests.shift()!;
    this.inService.push(vector);
    const left = this.stretch.queued ? this.stretch.when! - this.now : 0;
    this.stretch.cancel();
    this.interruptFlag = false;
    this.entry.interrupt(vector, left);
  }

  run(ns: Ns): void {
    this.stretch.after(ns);
    if (this.requests.length > 0) this.gate.at(this.now);
  }

  halt(): void {
    this.interruptFlag = true;
    if (this.requests.length > 0) this.gate.at(this.now);
  }

  out(port: number, value: number, width: Width = 1): void {
    this.rig.note(`out ${port.toString(16)} ${value.toString(16)}`);
    this.rig.bus.out(port, value, width);
  }

  in(port: number, width: Width = 1): number {
    this.rig.note(`in ${port.toString(16)}`);
    return this.rig.bus.in(port, width);
  }

  store(address: number, value: number, width: Width = 4): void {
    if (address < IOAPIC_PAGE) this.rig.note(`store ${address.toString(16)} ${value.toString(16)}`);
    this.rig.bus.store(address, value, width);
  }

  load(address: number, width: Width = 4): number {
    this.rig.note(`load ${address.toString(16)}`);
    return this.rig.bus.load(address, width);
  }

  wrmsr(msr: number, low: number, high = 0): boolean {
    if (msr === EOI) this.rig.ioapic.eoi(this.inService.pop()!, true);
    else if (msr === ICR) this.rig.deliver(high, low & 0xff);
    return true;
  }

  rdmsr(): number {
    return 0;
  }

  nmiReturn(): void {}
}

export class DriverRig {
  readonly clock = new Clock();
  readonly books = new Books();
  readonly parts = new Parts();
  readonly bus = new IoBus();
  readonly pci = new PciBus('bus');
  readonly memory = new DmaMemory();
  readonly ioapic: IoApic;
  readonly kernel: NativeKernel;
  /** what drivers did to their devices, in order; those with PCI configuration are left out */
  accesses: string[] = [];
  private readonly cpus: RigCpu[];
  private readonly slots: number;

  constructor(profile: KernelProfile = KERNELS['linux-6.1'], cpus = 1) {
    const { books, clock, bus } = this;
    this.slots = books.addSlots(cpus * 256);
    books.begin(books.sourceOf('test'));
    this.ioapic = this.parts.add(
      new IoApic('rig', INTEL_IOAPIC, {
        send: (low, high) => {
          this.deliver(high >>> 24, low & 0xff);
          return 1;
        },
      }),
    );
    bus.addMemory(IOAPIC_PAGE, 4096, this.ioapic.registers);
    bus.addPorts(0xcf8, 8, this.pci);
    this.cpus = Array.from({ length: cpus }, (_, n) => new RigCpu(this, n));
    this.kernel = new NativeKernel({
      id: 'vm1',
      domain: 1,
      profile,
      vcpus: this.cpus,
      books,
      trace: new Trace(),
      parts: this.parts,
      nrIrqs: 456,
      x2apic: true,
      timer: 'pit',
      tscKhz: 1_000_000,
      apicCycle: 1,
      slot: (cpu, vector) => this.slots + cpu * 256 + vector,
      destination: (cpu, vector) => books.destinationOf(`cpu${cpu} ${vector}`),
    });
    this.parts.add(clock);
    this.cpus.forEach((cpu, n) => {
      cpu.entry = this.kernel.cpus[n]!;
      cpu.entry.done();
    });
  }

  note(access: string): void {
    if (!/^(in|out) (20|21|a0|a1|cf.)\b/.test(access)) this.accesses.push(access);
  }

  deliver(cpu: number, vector: number): void {
    this.books.pend(this.slots + cpu * 256 + vector, this.books.destinationOf('test'));
    this.cpus[cpu]!.accept(vector);
  }

  /** A device's end of a line to the IOAPIC. */
  line(pin: number): LineDriver {
    return { set: (high) => void this.ioapic.setIrq(pin, high) };
  }

  readonly send: MsiSender = (low, _high, data) => this.deliver((low >>> 12) & 0xff, data & 0xff);

  /** A device's part, saved with the rest. */
  add<P extends Part>(part: P): P {
    return this.parts.add(part);
  }

  /** A function with its registers where it says they are. */
  addFunction(fn: PciFunction): void {
    this.pci.add(fn);
    for (const bar of fn.bars) if (bar) this.bus.addMemory(bar.base, bar.size, bar.registers);
  }

  run(us: number): void {
    this.clock.runUntil(this.clock.now + us * 1_000);
  }

  /** Accesses since the last look. */
  took(): string[] {
    const { accesses } = this;
    this.accesses = [];
    return accesses;
  }

  /** Count of a row, all CPUs together; by the name in its last column. */
  count(action: string): number {
    const row = this.row(action);
    return row.counts.reduce((a, b) => a + b, 0);
  }

  row(action: string) {
    const row = this.kernel.interruptsFile().rows.find((r) => r.actions.includes(action));
    if (!row) throw new Error(`no row ${action}`);
    return row;
  }

  /** A state that can travel. */
  save(): ReturnType<Parts['save']> {
    return JSON.parse(JSON.stringify(this.parts.save()));
  }
}
