/**
 * A virtual CPU as the kernel on it sees it: a native processor. Instructions that KVM must see leave the guest, are
 * emulated and cost the time of that (handle_io, handle_apic_access, handle_ept_misconfig, the MSR exits and
 * kvm_emulate_halt of arch/x86/kvm).
 */
import { hasAutoEoi, MSR_SINT0 } from '../../abi/hyperv.ts';
import { KVM_EXIT_IO, KVM_EXIT_MMIO, MSR_KVM_PV_EOI_EN } from '../../abi/kvm.ts';
import type { Ns } from '../../core/clock.ts';
import { MSR_TSC_DEADLINE, MSR_X2APIC, MSR_X2APIC_LAST, Reg } from '../../hw/x86/apic-regs.ts';
import type { NativeCpu, Width } from '../../hw/x86/cpu.ts';
import { Exit } from '../../hw/x86/vmcs-fields.ts';
import { timing } from '../../timing.ts';
import { AccessTrace, MMIO_READ, MMIO_READ_UNSATISFIED, MMIO_WRITE } from './access-trace.ts';
import type { Kvm } from './kvm.ts';
import { Stat } from './stats.ts';
import { HALTED, type KvmVcpu } from './vcpu.ts';

const APIC_PAGE = 0xfee0_0000;
const MSR_EOI = 0x80b;
const MSR_TPR = 0x808;
const MSR_SELF_IPI = 0x83f;

/** Exceptions that a guest may raise; see `fault`. */
export const PAGE_FAULT = 14;
export const DEVICE_NOT_AVAILABLE = 7;
export const BREAKPOINT = 3;

export class KvmCpu implements NativeCpu {
  private readonly kvm: Kvm;
  private readonly told: AccessTrace;

  constructor(readonly v: KvmVcpu) {
    this.kvm = v.kvm;
    this.told = new AccessTrace(v.kvm, v);
  }

  get vcpu(): number {
    return this.v.vcpu;
  }

  /** Behind an exit the guest goes on only when it has been entered again. */
  get now(): Ns {
    const { on, exited } = this.v;
    return exited ? on.now + timing.vmEntry : on.now;
  }

  get processor(): number {
    return this.v.on.processor;
  }

  get interruptFlag(): boolean {
    return this.v.vmx.interruptFlag;
  }

  set interruptFlag(on: boolean) {
    this.v.vmx.interruptFlag = on;
  }

  spend(ns: Ns): void {
    this.v.on.spendInGuest(ns);
  }

  run(ns: Ns): void {
    this.v.left = ns;
  }

  /** kvm_emulate_halt */
  halt(): void {
    const { v } = this;
    v.vmx.interruptFlag = true;
    v.left = 0;
    v.halting = true;
    v.journey = 0;
    this.exit(Exit.HLT, Stat.halt_exits);
    v.mpState = HALTED;
  }

  /** VMCALL with a number that KVM does not know: answered with -KVM_ENOSYS (kvm_emulate_hypercall). */
  vmcall(): void {
    this.exit(Exit.VMCALL, Stat.hypercalls);
  }

  nmiReturn(): void {
    this.v.vmx.nmiUnblocked();
  }

  // I/O ports

  out(port: number, value: number, width: Width = 1): void {
    this.exit(Exit.IO_INSTRUCTION, Stat.io_exits, (port << 16) | (width - 1));
    const { kernelBus, userBus } = this.v.vm;
    this.told.pio(true, port, width, value);
    if (kernelBus.hasPort(port)) {
      this.charge(timing.emulateShort);
      kernelBus.out(port, value, width);
    } else {
      this.userExit(KVM_EXIT_IO);
      userBus.out(port, value, width);
      this.told.fromUser();
    }
  }

  in(port: number, width: Width = 1): number {
    this.exit(Exit.IO_INSTRUCTION, Stat.io_exits, (port << 16) | 8 | (width - 1));
    const { kernelBus, userBus } = this.v.vm;
    let value: number;
    if (kernelBus.hasPort(port)) {
      this.charge(timing.emulateShort);
      value = kernelBus.in(port, width);
    } else {
      this.userExit(KVM_EXIT_IO);
      value = userBus.in(port, width);
      this.told.fromUser();
    }
    this.told.pio(false, port, width, value);
    return value;
  }

  // memory-mapped registers

  store(address: number, value: number, width: Width = 4): void {
    if (address >= APIC_PAGE && address < APIC_PAGE + 4096) {
      this.storeApic(address - APIC_PAGE, value, width);
      return;
    }
    const { vm } = this.v;
    this.exit(this.mmioReason, -1);
    const signal = vm.ioeventfds.get(address);
    if (signal) {
      const { on, journey, index } = this.v;
      this.kvm.trace.emit(this.kvm.points.ioeventfd, on.now, journey, on.processor, index, address);
      this.charge(timing.ioeventfd);
      signal(value);
      this.told.fastMmio(address);
    } else if (vm.kernelBus.hasMemory(address)) {
      this.emulate();
      this.told.mmio(MMIO_WRITE, address, width, value);
      vm.kernelBus.store(address, value, width);
    } else {
      this.told.mmio(MMIO_WRITE, address, width, value);
      this.userMemory();
      vm.userBus.store(address, value, width);
      this.told.fromUser();
    }
  }

  load(address: number, width: Width = 4): number {
    if (address >= APIC_PAGE && address < APIC_PAGE + 4096) return this.loadApic(address - APIC_PAGE, width);
    const { vm } = this.v;
    this.exit(this.mmioReason, -1);
    let value: number;
    if (vm.kernelBus.hasMemory(address)) {
      this.emulate();
      value = vm.kernelBus.load(address, width);
    } else {
      this.told.mmio(MMIO_READ_UNSATISFIED, address, width, 0);
      this.userMemory();
      value = vm.userBus.load(address, width);
      this.told.fromUser();
    }
    this.told.mmio(MMIO_READ, address, width, value);
    return value;
  }

  /** Pages of devices are marked in the nested tables; without these they fault. */
  private get mmioReason(): number {
    return this.kvm.options.ept ? Exit.EPT_MISCONFIG : Exit.EXCEPTION_NMI;
  }

  private emulate(): void {
    this.charge(timing.emulateAccess);
    this.count(Stat.insn_emulation);
  }

  private userMemory(): void {
    this.emulate();
    this.userExit(KVM_EXIT_MMIO);
    this.count(Stat.mmio_exits);
  }

  /** KVM_RUN returns to QEMU, which has its own floating-point registers (kvm_put_guest_fpu; 2.6.36 waits until they are used). */
  private userExit(reason: number): void {
    this.told.toUser(reason);
    this.charge(timing.userExit);
    if (this.kvm.options.version === '6.1') this.count(Stat.fpu_reload);
  }

  // the local APIC at its page

  private storeApic(offset: number, value: number, width: Width): void {
    const { v } = this;
    if (v.apicv) {
      if (offset === Reg.EOI) {
        this.virtualEoi();
        return;
      }
      if (offset === Reg.TPR) {
        v.apic.tpr = value;
        return;
      }
      this.exit(Exit.APIC_WRITE, -1, offset);
      this.charge(timing.emulateShort);
    } else if (offset === Reg.TPR) {
      // the TPR shadow: an exit only if a request could come through now
      v.apic.tpr = value;
      if (value >> 4 >= v.vmcs.tprThreshold) return;
      this.exit(Exit.TPR_BELOW_THRESHOLD, -1);
      this.charge(timing.emulateShort);
      return;
    } else {
      this.exit(Exit.APIC_ACCESS, -1, offset | (1 << 12));
      if (offset === Reg.EOI) this.charge(timing.emulateApic);
      else {
        this.emulate();
        this.told.mmio(MMIO_WRITE, APIC_PAGE + offset, width, value);
      }
    }
    this.told.apic(true, offset, value);
    v.apic.write(offset, value, width);
  }

  private loadApic(offset: number, width: Width): number {
    const { v } = this;
    const exits = !v.apicv && offset !== Reg.TPR;
    if (exits) {
      this.exit(Exit.APIC_ACCESS, -1, offset);
      this.emulate();
    }
    const value = v.apic.read(offset, width) ?? 0;
    if (exits) {
      this.told.apic(false, offset, value);
      this.told.mmio(MMIO_READ, APIC_PAGE + offset, width, value);
    }
    return value;
  }

  /** EOI virtualization; only vectors that the IOAPIC waits for leave the guest. */
  private virtualEoi(): void {
    const { v } = this;
    const { vector, exits } = v.apicv!.eoi();
    if (!exits) return;
    this.exit(Exit.EOI_INDUCED, -1, vector);
    this.charge(timing.emulateApic);
    v.vm.bus.eoi(v.apic, vector, v.apic.tmr.has(vector));
  }

  // MSRs

  wrmsr(msr: number, low: number, high = 0): boolean {
    const { v } = this;
    if (v.apicv && v.apic.x2apic) {
      if (msr === MSR_EOI) {
        this.virtualEoi();
        return true;
      }
      if (msr === MSR_TPR) {
        v.apic.tpr = low;
        return true;
      }
      if (msr === MSR_SELF_IPI) {
        const vector = low & 0xff;
        const { trace, points, books } = this.kvm;
        v.pended(vector);
        trace.emit(points.selfIpi, v.on.now, books.journey, v.on.processor, v.index, vector);
        v.apicv.selfIpi(vector);
        return true;
      }
    }
    if (msr === MSR_SINT0) return this.setSint(low);
    // setting a timer is no part of what was handled before
    if (msr === MSR_TSC_DEADLINE) v.journey = 0;
    this.exit(Exit.MSR_WRITE, -1);
    this.charge(timing.emulateApic);
    const offset = (msr - MSR_X2APIC) << 4;
    if (msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST) {
      this.told.apic(true, offset, low, offset === Reg.ICR ? high : 0);
    }
    const fine = msr === MSR_KVM_PV_EOI_EN ? v.pvEoi.wrmsr(low, high) : v.apic.wrmsr(msr, low, high);
    this.told.msr(true, msr, low, high, fine);
    return fine;
  }

  /** A write to HV_X64_MSR_SINT0 (synic_set_sint): with AutoEOI EOIs would be missed, so no APICv. */
  private setSint(low: number): boolean {
    this.exit(Exit.MSR_WRITE, -1);
    this.charge(timing.emulateShort);
    const autoEoi = hasAutoEoi(low);
    const fine = autoEoi !== undefined;
    if (fine) this.v.vm.setAutoEoi(this.v.vcpu, autoEoi);
    this.told.msr(true, MSR_SINT0, low, 0, fine);
    return fine;
  }

  rdmsr(msr: number): number | undefined {
    this.exit(Exit.MSR_READ, -1);
    this.charge(timing.emulateApic);
    const read = this.v.apic.rdmsr(msr);
    const [low, high] = read ?? [0, 0];
    this.told.msr(false, msr, low, high, read !== undefined);
    return read?.[0];
  }

  // what else leaves the guest

  cpuid(): void {
    this.exit(Exit.CPUID, -1);
    this.charge(timing.emulateShort);
  }

  /** A page that the nested tables do not map yet, or without them any page fault. */
  touch(): void {
    if (this.kvm.options.ept) {
      this.exit(Exit.EPT_VIOLATION, -1, 0x182);
      this.kvm.run.eptViolation(this.v);
    } else this.fault(PAGE_FAULT);
  }

  /** An exception; it leaves the guest if the exception bitmap says so. False: the guest handles it by itself. */
  fault(vector: number): boolean {
    const { v } = this;
    if (!v.vmx.exceptionExits(vector)) return false;
    this.kvm.run.beginInstruction(v, Exit.EXCEPTION_NMI);
    v.vmx.exitForException(vector, 0);
    if (vector === PAGE_FAULT) this.kvm.run.eptViolation(v);
    else if (vector === DEVICE_NOT_AVAILABLE) {
      this.count(Stat.fpu_reload);
      this.charge(timing.emulateShort);
    } else this.charge(timing.emulateShort);
    return true;
  }

  private exit(reason: number, stat: number, qualification = 0): void {
    this.kvm.run.beginInstruction(this.v, reason, qualification);
    if (stat >= 0) this.count(stat);
  }

  private count(stat: number): void {
    this.kvm.stats.count(this.v.index, stat);
  }

  private charge(ns: Ns): void {
    this.v.on.charge(ns);
  }
}
