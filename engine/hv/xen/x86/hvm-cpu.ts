/**
 * A virtual CPU as the HVM kernel on it sees it: a native processor, and hypercalls by VMCALL. Instructions that Xen
 * must see leave the guest, are emulated in Xen or handed to the device model, and cost the time of that (handle_pio,
 * handle_mmio, hvm_msr_{read,write}_intercept, hvm_hlt of xen/arch/x86/hvm).
 */
import { HYPERVISOR_EVTCHN_OP, HYPERVISOR_SCHED_OP, SCHEDOP_POLL } from '../../../abi/hypercall-numbers.ts';
import type { Ns } from '../../../core/clock.ts';
import { Reg } from '../../../hw/x86/apic-regs.ts';
import type { NativeCpu, Width } from '../../../hw/x86/cpu.ts';
import type { LocalApic } from '../../../hw/x86/lapic.ts';
import { Exit, Proc } from '../../../hw/x86/vmcs-fields.ts';
import { timing } from '../../../timing.ts';
import { HvmTrace, IO_MEMORY, IO_READ, P2M_MMIO_DM, P2M_POPULATE_ON_DEMAND } from './hvm-trace.ts';
import type { HvmVcpu } from './hvm-vcpu.ts';
import { PAGE_FAULT, type VmExits } from './vmexit.ts';

const APIC_PAGE = 0xfee0_0000;
const MSR_EOI = 0x80b;
const MSR_TSC_DEADLINE = 0x6e0;

/** exit qualifications of accesses to pages that are not mapped */
const READ = 0x181;
const WRITE = 0x182;

/** Exceptions that a guest may raise; see `fault`. */
export const DEBUG = 1;
export const BREAKPOINT = 3;
export const DEVICE_NOT_AVAILABLE = 7;

export class HvmCpu implements NativeCpu {
  /** time of exception handlers that the kernel's code in hand has run into */
  private handlers: Ns = 0;

  private readonly told: HvmTrace;

  constructor(
    readonly v: HvmVcpu,
    private readonly exits: VmExits,
  ) {
    this.told = new HvmTrace(exits.xen, v);
  }

  get vcpu(): number {
    return this.v.vcpu;
  }

  get now(): Ns {
    return this.v.now;
  }

  get processor(): number {
    return this.v.processor;
  }

  get interruptFlag(): boolean {
    return this.v.vmx.interruptFlag;
  }

  set interruptFlag(on: boolean) {
    this.v.vmx.interruptFlag = on;
  }

  private get apic(): LocalApic {
    return this.v.hvm.chips.vcpus[this.v.vcpu]!.apic;
  }

  spend(ns: Ns): void {
    this.v.cpu.spendInGuest(ns);
  }

  run(ns: Ns): void {
    this.v.run(ns + this.handlers);
    this.handlers = 0;
  }

  /** sti; hlt: hvm_hlt, which blocks like SCHEDOP_block. */
  halt(): void {
    const { v } = this;
    v.vmx.interruptFlag = true;
    v.left = 0;
    v.halting = true;
    v.journey = 0;
    this.exit(Exit.HLT);
    this.exits.xen.halt(v);
  }

  nmiReturn(): void {
    this.v.vmx.nmiUnblocked();
  }

  /** VMCALL, without what the hypercall itself does. */
  vmcall(op = HYPERVISOR_EVTCHN_OP, command = 0): void {
    this.exit(Exit.VMCALL);
    this.told.hypercall(op, command);
  }

  /** SCHEDOP_poll: sleeps until the port is pending, whether it interrupts or not. */
  poll(port: number): void {
    this.v.left = 0;
    this.vmcall(HYPERVISOR_SCHED_OP, SCHEDOP_POLL);
    this.exits.xen.poll(this.v, port);
  }

  // I/O ports (handle_pio): what Xen emulates itself, or the device model

  out(port: number, value: number, width: Width = 1): void {
    this.exit(Exit.IO_INSTRUCTION, (port << 16) | (width - 1));
    const { own, model } = this.v.hvm;
    const bus = own.hasPort(port) ? own : model;
    this.told.io(0, port, value);
    this.handled(bus === own);
    bus.out(port, value, width);
  }

  in(port: number, width: Width = 1): number {
    this.exit(Exit.IO_INSTRUCTION, (port << 16) | 8 | (width - 1));
    const { own, model } = this.v.hvm;
    const bus = own.hasPort(port) ? own : model;
    this.handled(bus === own);
    const value = bus.in(port, width);
    this.told.io(IO_READ, port, value);
    return value;
  }

  // memory-mapped registers

  store(address: number, value: number, width: Width = 4): void {
    const { v } = this;
    if (address >= APIC_PAGE && address < APIC_PAGE + 4096) {
      this.storeApic(address - APIC_PAGE, value, width);
      return;
    }
    this.pageExit(WRITE, address, P2M_MMIO_DM);
    const { own, model } = v.hvm;
    const bus = own.hasMemory(address) ? own : model;
    this.told.io(IO_MEMORY, address, value);
    this.handled(bus === own);
    bus.store(address, value, width);
  }

  load(address: number, width: Width = 4): number {
    const { v } = this;
    if (address >= APIC_PAGE && address < APIC_PAGE + 4096) return this.loadApic(address - APIC_PAGE, width);
    this.pageExit(READ, address, P2M_MMIO_DM);
    const { own, model } = v.hvm;
    const bus = own.hasMemory(address) ? own : model;
    this.handled(bus === own);
    const value = bus.load(address, width);
    this.told.io(IO_MEMORY | IO_READ, address, value);
    return value;
  }

  /**
   * Emulated by Xen; or a request to the device model, whose answer the virtual CPU waits for before it goes on
   * (hvm_send_ioreq). What the device does is seen at once, as all that is done in one step.
   */
  private handled(byXen: boolean): void {
    if (byXen) this.charge(timing.xenEmulate);
    else if (this.running) {
      this.charge(timing.ioreq);
      this.v.ioreqs++;
    }
  }

  private storeApic(offset: number, value: number, width: Width): void {
    const { v } = this;
    const { apic } = this;
    if (offset === Reg.TPR) {
      // the TPR shadow: an exit only if a request could come through now
      apic.tpr = value;
      if (value >> 4 < v.vmcs.tprThreshold) this.exit(Exit.TPR_BELOW_THRESHOLD);
      return;
    }
    this.exit(Exit.APIC_ACCESS, offset | (1 << 12));
    const eoi = offset === Reg.EOI;
    if (!eoi) this.told.io(IO_MEMORY, APIC_PAGE + offset, value);
    this.charge(eoi ? timing.xenEoi : timing.xenEmulate);
    apic.write(offset, value, width);
    if (eoi) this.told.eoiWrite();
  }

  private loadApic(offset: number, width: Width): number {
    const exits = offset !== Reg.TPR;
    if (exits) {
      this.exit(Exit.APIC_ACCESS, offset);
      this.charge(timing.xenEmulate);
    }
    const value = this.apic.read(offset, width) ?? 0;
    if (exits) this.told.io(IO_MEMORY | IO_READ, APIC_PAGE + offset, value);
    return value;
  }

  // MSRs

  wrmsr(msr: number, low: number, high = 0): boolean {
    const { v } = this;
    // setting a timer is no part of what was handled before
    if (msr === MSR_TSC_DEADLINE) v.journey = 0;
    this.exit(Exit.MSR_WRITE);
    this.told.msr(true, msr, low, high);
    this.charge(msr === MSR_EOI ? timing.xenEoi : timing.xenEmulate);
    if (this.exits.xen.vmce.wrmsr(v, msr, low)) return true;
    return this.apic.wrmsr(msr, low, high);
  }

  rdmsr(msr: number): number | undefined {
    this.exit(Exit.MSR_READ);
    this.charge(timing.xenEmulate);
    const ofMachineCheck = this.exits.xen.vmce.rdmsr(this.v, msr);
    const read = ofMachineCheck === undefined ? this.apic.rdmsr(msr) : ([ofMachineCheck, 0] as const);
    // what ends with #GP is told as ones
    const [low, high] = read ?? [-1, -1];
    this.told.msr(false, msr, low, high);
    return read?.[0];
  }

  // what else leaves the guest

  cpuid(): void {
    this.exit(Exit.CPUID);
    this.charge(timing.emulateShort);
  }

  /** A page that the nested tables, or the shadow's, do not map yet. */
  touch(): void {
    this.pageExit(WRITE, 0, P2M_POPULATE_ON_DEMAND);
  }

  /** EPT_VIOLATION, or without nested paging #PF, which the shadow page tables may be to blame for (paging_fault). */
  private pageExit(qualification: number, address: number, type: number): void {
    if (this.v.options.hap) {
      this.exit(Exit.EPT_VIOLATION, qualification);
      this.told.nestedPageFault(address, qualification, type);
    } else if (this.running) this.exits.exception(this.v, PAGE_FAULT);
  }

  /** INVLPG */
  invlpg(): void {
    this.intercepted(Proc.invlpgExiting, Exit.INVLPG);
  }

  /** RDTSC */
  rdtsc(): void {
    this.intercepted(Proc.rdtscExiting, Exit.RDTSC);
  }

  /** MOV to CR0 or CR4 of a bit that Xen owns; to CR3 only without nested paging. */
  movCr(register: number): void {
    if (register === 3) this.intercepted(Proc.cr3LoadExiting, Exit.CR_ACCESS, register);
    else {
      this.exit(Exit.CR_ACCESS, register);
      this.charge(timing.emulateShort);
    }
  }

  /** MOV DR: the first one loads the debug registers, which are the guest's until it is switched away from. */
  movDr(): void {
    const { vmcs } = this.v;
    this.intercepted(Proc.movDrExiting, Exit.DR_ACCESS);
    vmcs.procBased &= ~Proc.movDrExiting;
  }

  /** A jump to a task-state segment (hvm_task_switch). */
  taskSwitch(): void {
    this.exit(Exit.TASK_SWITCH);
    this.charge(timing.taskSwitch);
  }

  /** An exception while a double fault is delivered: the end of the guest. */
  tripleFault(): void {
    this.exit(Exit.TRIPLE_FAULT);
    this.exits.xen.tripleFault(this.v);
  }

  /** An instruction that leaves the guest if this control says so. */
  private intercepted(control: number, reason: number, qualification = 0): void {
    if (!(this.v.vmcs.procBased & control)) return;
    this.exit(reason, qualification);
    this.charge(timing.emulateShort);
  }

  /** An exception; it leaves the guest if the exception bitmap says so. False: the guest handles it by itself. */
  fault(vector: number): boolean {
    const { v } = this;
    if (!v.vmx.exceptionExits(vector)) return false;
    this.exits.exception(v, vector);
    this.charge(timing.emulateShort);
    if (vector === DEVICE_NOT_AVAILABLE) {
      // vmx_fpu_dirty_intercept: the FPU is the guest's until it is switched away from
      v.vmcs.exceptionBitmap &= ~(1 << DEVICE_NOT_AVAILABLE);
    } else if (v.options.debugger && (vector === DEBUG || vector === BREAKPOINT)) {
      this.exits.xen.debugTrap(v, vector);
    } else {
      this.exits.propagate(v);
      this.handlers += timing.shortHandler;
    }
    return true;
  }

  /** Before the guests run, while kernels are booted, nothing is left and nothing takes time. */
  private get running(): boolean {
    return this.v.state !== 'offline';
  }

  private exit(reason: number, qualification = 0): void {
    if (this.running) this.exits.beginInstruction(this.v, reason, qualification);
  }

  private charge(ns: Ns): void {
    if (this.running) this.v.cpu.charge(ns);
  }
}
