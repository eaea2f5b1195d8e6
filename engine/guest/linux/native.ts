/**
 * A native x86 kernel, on a real machine or on a virtual one that looks like it: it programs 8259s, IOAPIC and local
 * APICs by their addresses and takes interrupts through its gates (arch/x86/kernel/{irqinit,apic/*}.c).
 */
import type { DmaMemory } from '../../abi/dma.ts';
import { KVM_FEATURE_PV_EOI, KVM_MSR_ENABLED, MSR_KVM_PV_EOI_EN, PvEoiWord } from '../../abi/kvm.ts';
import type { DestinationId, SlotId, SourceId } from '../../core/books.ts';
import type { Ns } from '../../core/clock.ts';
import type { Tracepoint } from '../../core/trace.ts';
import { Reg } from '../../hw/x86/apic-regs.ts';
import { tscAt } from '../../hw/x86/apic-timer.ts';
import type { NativeCpu } from '../../hw/x86/cpu.ts';
import { timing } from '../../timing.ts';
import type { LinuxCpu } from './entry.ts';
import { IrqDesc, type Work } from './irq-core.ts';
import { type KernelInit, LinuxKernel } from './kernel.ts';
import { NativeLinuxCpu } from './native-entry.ts';
import { type GsiRequest, NativeIrqs } from './native-irqs.ts';

export interface NativeInit extends KernelInit<NativeCpu> {
  /** local APICs by MSR in place of their page */
  readonly x2apic: boolean;
  /** what the CPUs' ticks come from */
  readonly timer: 'tsc-deadline' | 'lapic' | 'pit' | 'xen';
  readonly tscKhz: number;
  /**
   * The idle loop waits in MWAIT: a store wakes such a CPU, without an interrupt (TIF_POLLING_NRFLAG). False: it is not
   * there now, or the processor lacks MWAIT.
   */
  wakeFromMwait?(cpu: number, from: LinuxCpu): boolean;
  /** What it finds at the CPUID leaves of KVM, with memory to share; undefined: it finds none, or knows of none. */
  readonly kvm?: { readonly features: number; readonly memory: DmaMemory };
  /** APIC ID of a CPU, where it is not its number */
  apicId?(cpu: number): number;
  /** ns of a cycle of the local APIC's timer, as the kernel has calibrated it */
  readonly apicCycle: number;
  slot(cpu: number, vector: number): SlotId;
  destination(cpu: number, vector: number): DestinationId;
}

/** The vectors that are the kernel's own (asm/irq_vectors.h). */
export const SPURIOUS_VECTOR = 0xff;
export const RESCHEDULE_VECTOR = 0xfd;
const SYSTEM: Readonly<Record<string, number>> = {
  resched: RESCHEDULE_VECTOR,
  callfunc: 0xfc,
  callfuncsingle: 0xfb,
  irqwork: 0xf6,
};
/** rows of /proc/interrupts that count them */
const SYSTEM_ROWS: Readonly<Record<string, string>> = {
  timer: 'LOC',
  resched: 'RES',
  callfunc: 'CAL',
  callfuncsingle: 'CAL',
  irqwork: 'IWI',
  pin: 'PIN',
  npi: 'NPI',
  piw: 'PIW',
};
/** IRQ_MOVE_CLEANUP_VECTOR */
const MOVE_CLEANUP = 0x20;
const POSTED = { PIN: 0xf2, PIW: 0xf1, NPI: 0xf0 } as const;

const MSR = 0x800;
const MSR_TSC_DEADLINE = 0x6e0;
const APIC_PAGE = 0xfee0_0000;
const DIVIDE_BY_16 = 3;
const DIVISOR = 16;

/** Unhandled ones of so many disable a line, counted while they come within 100 ms (kernel/irq/spurious.c). */
const COUNTED = 100_000;
const TOO_MANY = 99_900;
const WINDOW: Ns = 100_000_000;

export class NativeKernel extends LinuxKernel {
  declare readonly init: NativeInit;
  declare readonly cpus: readonly NativeLinuxCpu[];
  readonly controllers: NativeIrqs;
  /** descriptors of the system vectors, by vector */
  readonly system: (IrqDesc | undefined)[] = [];
  nmis = 0;
  /** handlers of the posted-interrupt vectors, where there is a hypervisor */
  readonly posted: { wakeup: (cpu: LinuxCpu) => void } = { wakeup: () => {} };
  readonly timerVector: number;
  private readonly tpPvEoi: Tracepoint | undefined;
  /** by vector: in whose name an IPI is raised */
  private readonly ipiSources: SourceId[] = [];

  constructor(init: NativeInit) {
    super(init);
    this.timerVector = this.old ? 0xef : 0xec;
    this.tpPvEoi = init.kvm && init.trace.point('kvm_guest_apic_eoi_write', 'dom', 'vcpu', 'vector');
    this.controllers = new NativeIrqs(this);
    this.addSystemVectors();
  }

  protected makeCpu(cpu: number): NativeLinuxCpu {
    return new NativeLinuxCpu(this, cpu, this.init.vcpus[cpu]!);
  }

  /** 2.6.36 */
  get old(): boolean {
    return this.profile.arch === 'linux-2.6.36-x86';
  }

  private addSystemVectors(): void {
    const short: Work = { cost: () => timing.apicVector, run: () => {} };
    const counted = (label: string): Work => ({ ...short, count: (cpu) => this.countArch(label, cpu.cpu) });
    const { time, calls } = this;
    this.addSystem(this.timerVector, 'timer', {
      count: (cpu) => this.countArch('LOC', cpu.cpu),
      cost: time.interrupt.cost,
      run: time.interrupt.run,
    });
    this.addSystem(SYSTEM.resched!, 'resched', counted('RES'));
    this.addSystem(SYSTEM.callfunc!, 'callfunc', calls.interrupt);
    this.addSystem(SYSTEM.callfuncsingle!, 'callfuncsingle', calls.interrupt);
    this.addSystem(SYSTEM.irqwork!, 'irqwork', counted('IWI'));
    this.addSystem(MOVE_CLEANUP, 'irq_move_cleanup', {
      ...short,
      run: (cpu) => this.controllers.cleanUp(cpu as NativeLinuxCpu),
    });
    this.addSystem(POSTED.PIN, 'pin', counted('PIN'));
    this.addSystem(POSTED.NPI, 'npi', counted('NPI'));
    this.addSystem(POSTED.PIW, 'piw', { ...counted('PIW'), run: (cpu) => this.posted.wakeup(cpu) });
  }

  private addSystem(vector: number, name: string, work: Work): void {
    const desc = new IrqDesc(-vector, this.controllers.systemChip, null, this.cpuCount);
    desc.actions.push({ name, work });
    desc.depth = 0;
    this.system[vector] = desc;
    for (const cpu of this.cpus) cpu.vectors[vector] = desc;
  }

  /** request_irq for a GSI; a level line may be shared. */
  requestGsi(gsi: number, request: GsiRequest): IrqDesc {
    return this.controllers.requestGsi(gsi, request);
  }

  // interrupts, from the controllers' side

  /** The handlers of a vector run: the raise that waited for it is delivered. */
  delivered(cpu: NativeLinuxCpu): void {
    const slot = this.init.slot(cpu.cpu, cpu.vector);
    this.books.resume(slot);
    this.books.deliver(slot);
  }

  /** ack_APIC_irq; kvm_guest_apic_eoi_write where KVM offers PV EOI. */
  eoi(cpu: LinuxCpu): void {
    const { hardware, apicEoi, vector } = cpu as NativeLinuxCpu;
    if (apicEoi?.testAndClear()) {
      const { trace, tpPvEoi, books, init } = this;
      trace.emit(tpPvEoi!, cpu.now, books.journey, hardware.processor, init.domain, cpu.cpu, vector);
      return;
    }
    if (this.init.x2apic) hardware.wrmsr(MSR + (Reg.EOI >> 4), 0);
    else hardware.store(APIC_PAGE + Reg.EOI, 0);
  }

  /** spurious_interrupt, or a vector that nobody has. */
  strayVector(cpu: NativeLinuxCpu, vector: number): void {
    const slot = this.init.slot(cpu.cpu, vector);
    this.books.discard(slot, 'no handler');
    if (vector === SPURIOUS_VECTOR) this.countArch('SPU', cpu.cpu);
    else {
      this.log.push(`do_IRQ: ${cpu.cpu}.${vector} No irq handler for vector`);
      this.eoi(cpu);
    }
  }

  /** An edge that comes while its interrupt is disabled is kept for later; a level one comes again by itself. */
  whileDisabled(desc: IrqDesc, cpu: NativeLinuxCpu): void {
    const slot = this.init.slot(cpu.cpu, cpu.vector);
    this.books.discard(slot, 'disabled');
    this.irqs.holdBack(desc, cpu);
    this.eoi(cpu);
  }

  override noteInterrupt(desc: IrqDesc, handled: boolean, now: Ns): void {
    if (desc.irq < 0) return;
    if (!handled) {
      if (now > desc.lastUnhandled + WINDOW) desc.unhandled = 1;
      else desc.unhandled++;
      desc.lastUnhandled = now;
    }
    if (++desc.counted < COUNTED) return;
    desc.counted = 0;
    if (desc.unhandled > TOO_MANY) {
      this.log.push(`irq ${desc.irq}: nobody cared (try booting with the "irqpoll" option)`);
      this.log.push(`Disabling IRQ #${desc.irq}`);
      this.irqs.disable(desc);
    }
    desc.unhandled = 0;
  }

  /** Of the kernel's own vectors it is one of the architecture's. */
  override rowOf(irq: number): { readonly row: number | string; readonly name: string } {
    if (irq >= 0) return super.rowOf(irq);
    const name = this.system[-irq]?.actions[0]?.name ?? '';
    return { row: SYSTEM_ROWS[name] ?? name, name };
  }

  // inter-processor interrupts and timers

  /** The old vector of an interrupt that has moved can be given up there (__send_cleanup_vector). */
  sendCleanup(cpu: number, from: LinuxCpu): void {
    this.sendSystem(MOVE_CLEANUP, 'irq_move_cleanup', cpu, from);
  }

  /** apic_read(APIC_IRR): does this vector wait at the CPU's own local APIC? */
  isRequested({ hardware }: NativeLinuxCpu, vector: number): boolean {
    const register = Reg.IRR + (vector >> 5) * 0x10;
    const word = this.init.x2apic
      ? hardware.rdmsr(MSR + (register >> 4))!
      : hardware.load(APIC_PAGE + register);
    return ((word >>> (vector & 31)) & 1) === 1;
  }

  sendIpi(kind: string, cpu: number, from: LinuxCpu): void {
    if (kind === 'resched' && this.init.wakeFromMwait?.(cpu, from)) return;
    this.sendKind(kind, cpu, from);
  }

  override sendReschedule(cpu: number, from: LinuxCpu): void {
    this.sendKind('resched', cpu, from);
  }

  private sendKind(kind: string, cpu: number, from: LinuxCpu): void {
    this.sendSystem(SYSTEM[kind]!, kind, cpu, from);
  }

  private sendSystem(vector: number, kind: string, cpu: number, from: LinuxCpu): void {
    const { books } = this;
    const { source, journey } = books;
    this.ipiSources[vector] ??= books.sourceOf(`${this.id} ${kind}`);
    books.begin(this.ipiSources[vector]);
    this.sendVector(vector, cpu, from);
    books.source = source;
    books.journey = journey;
  }

  apicId(cpu: number): number {
    return this.init.apicId?.(cpu) ?? cpu;
  }

  /** ICR: a fixed interrupt for one CPU by its physical ID. */
  sendVector(vector: number, cpu: number, from: LinuxCpu): void {
    this.writeIcr(vector, this.apicId(cpu), from);
  }

  /** native_apic_icr_write, native_x2apic_icr_write */
  writeIcr(low: number, apicId: number, from: LinuxCpu): void {
    const { hardware } = from as NativeLinuxCpu;
    if (this.init.x2apic) hardware.wrmsr(MSR + (Reg.ICR >> 4), low, apicId);
    else {
      hardware.store(APIC_PAGE + Reg.ICR2, (apicId << 24) >>> 0);
      hardware.store(APIC_PAGE + Reg.ICR, low);
    }
  }

  setTimer(cpu: LinuxCpu, when: Ns): void {
    const { hardware } = cpu as NativeLinuxCpu;
    const { timer, tscKhz, apicCycle } = this.init;
    switch (timer) {
      case 'tsc-deadline': {
        const tsc = when === Infinity ? 0 : tscAt(when, tscKhz) + 1;
        hardware.wrmsr(MSR_TSC_DEADLINE, tsc % 2 ** 32, Math.floor(tsc / 2 ** 32));
        return;
      }
      case 'lapic': {
        const count =
          when === Infinity ? 0 : Math.max(1, Math.ceil((when - cpu.now) / (apicCycle * DIVISOR)));
        this.writeApic(hardware, Reg.TMICT, Math.min(count, 0xffff_ffff));
        return;
      }
      default:
      // periodic ticks come by themselves
    }
  }

  writeApic(hardware: NativeCpu, register: number, value: number): void {
    if (this.init.x2apic) hardware.wrmsr(MSR + (register >> 4), value);
    else hardware.store(APIC_PAGE + register, value);
  }

  /** kvm_guest_cpu_init */
  private startKvmGuest(cpu: NativeLinuxCpu): void {
    const { kvm, parts } = this.init;
    if (!kvm || !(kvm.features & (1 << KVM_FEATURE_PV_EOI))) return;
    cpu.apicEoi = parts.add(new PvEoiWord(`${cpu.id}.kvm_apic_eoi`));
    const address = kvm.memory.allocate(8, cpu.apicEoi);
    cpu.hardware.wrmsr(MSR_KVM_PV_EOI_EN, address | KVM_MSR_ENABLED);
  }

  /** What each CPU does to its local APIC as it comes up (setup_local_APIC, setup_APIC_timer). */
  startCpu(cpu: NativeLinuxCpu): void {
    const { hardware } = cpu;
    const { timer, x2apic } = this.init;
    this.startKvmGuest(cpu);
    if (x2apic) hardware.wrmsr(0x1b, APIC_PAGE | 0xc00 | (cpu.cpu === 0 ? 0x100 : 0));
    else {
      this.writeApic(hardware, Reg.DFR, 0xffff_ffff);
      this.writeApic(hardware, Reg.LDR, ((1 << (cpu.cpu & 7)) << 24) >>> 0);
    }
    this.writeApic(hardware, Reg.TPR, 0x10);
    this.writeApic(hardware, Reg.SVR, 0x100 | SPURIOUS_VECTOR);
    this.writeApic(hardware, Reg.LVT_LINT0, cpu.cpu === 0 ? 0x700 : 0x1_0700);
    this.writeApic(hardware, Reg.LVT_LINT1, cpu.cpu === 0 ? 0x400 : 0x1_0400);
    if (timer === 'pit' || timer === 'xen') return;
    this.writeApic(hardware, Reg.TDCR, DIVIDE_BY_16);
    this.writeApic(hardware, Reg.LVT_TIMER, this.timerVector | (timer === 'tsc-deadline' ? 2 << 17 : 0));
  }
}
