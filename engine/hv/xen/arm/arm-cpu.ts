/**
 * What a guest's instructions do on a virtual CPU: those that the machine carries out for it, on its virtual interface and
 * its virtual timer, and those that leave it by an exception to EL2 (do_trap_guest_sync of xen/arch/arm/traps.c, io.c,
 * vgic-v2.c, vgic-v3.c, vtimer.c).
 *
 * A kernel programs its GIC before its virtual CPU first runs. What it writes then goes where it would have gone, but costs
 * nothing.
 */
import { HYPERVISOR_EVTCHN_OP } from '../../../abi/hypercall-numbers.ts';
import type { Ns } from '../../../core/clock.ts';
import type { Width } from '../../../core/registers.ts';
import { coprocessor } from '../../../hw/arm/cp15.ts';
import type { ArmCpu } from '../../../hw/arm/cpu.ts';
import { type CallClass, call, dataAbort, Ec, systemRegister, waitFor } from '../../../hw/arm/exceptions.ts';
import { GICC_SIZE, GICR_SIZE, ICC } from '../../../hw/arm/gic-regs.ts';
import { readGicv, writeGicv } from '../../../hw/arm/gich-regs.ts';
import { readIcv, writeIcv } from '../../../hw/arm/icv.ts';
import { CNT } from '../../../hw/arm/timer-regs.ts';
import { timing } from '../../../timing.ts';
import type { ArmDomain, MmioRange } from './arm-domain.ts';
import type { ArmVcpu } from './arm-vcpu.ts';
import type { GicCpu } from './gic-hw.ts';
import { readDistributor, readRedistributor, writeDistributor, writeRedistributor } from './vgic-emulate.ts';
import type { MmioAccess, Size } from './vgic-mmio.ts';
import { writeSgi1r } from './vgic-v3.ts';
import { Smccc } from './vsmccc.ts';
import type { XenArm } from './xen.ts';

const TWO32 = 2 ** 32;
/** the register that a kernel's accessors use */
const RT = 0;

export class ArmGuestCpu implements ArmCpu {
  constructor(
    readonly v: ArmVcpu,
    private readonly xen: XenArm,
  ) {}

  get vcpu(): number {
    return this.v.vcpu;
  }

  get now(): Ns {
    return this.v.now;
  }

  get processor(): number {
    return this.v.processor;
  }

  get irqsMasked(): boolean {
    return this.v.irqsMasked;
  }

  set irqsMasked(masked: boolean) {
    this.v.irqsMasked = masked;
  }

  run(ns: Ns): void {
    this.v.run(ns);
  }

  /** HCR_EL2.TWI: vcpu_block_unless_event_pending */
  wfi(): void {
    const { v, xen } = this;
    v.left = 0;
    v.waiting = true;
    // it waits for what comes next
    v.journey = 0;
    xen.traps.guestSync(v, waitFor(false));
    xen.blockUnlessPending(v);
  }

  // memory

  load(address: number, width: Width = 4): number {
    if (width === 8 && this.v.compat) return this.load(address) + this.load(address + 4) * TWO32;
    const place = this.gicPlace(address);
    if (place) return this.loadGic(place, width);
    const range = this.range(address);
    this.reach(range, address, width, false);
    return range.registers.read(address - range.base, width);
  }

  store(address: number, value: number, width: Width = 4): void {
    if (width === 8 && this.v.compat) {
      // __gic_writeq_nonatomic
      this.store(address, value % TWO32);
      this.store(address + 4, Math.floor(value / TWO32));
      return;
    }
    const place = this.gicPlace(address);
    if (place) {
      this.storeGic(place, value, width);
      return;
    }
    const range = this.range(address);
    this.reach(range, address, width, true, value);
    range.registers.write(address - range.base, value, width);
  }

  private range(address: number): MmioRange {
    const range = this.v.arm.rangeAt(address);
    // inject_dabt_exception: the guest's kernel is ours, and does not do that
    if (!range) throw new Error(`${this.v.name} accesses ${address.toString(16)}, where nothing is`);
    return range;
  }

  private reach({ direct }: MmioRange, address: number, width: Width, write: boolean, value = 0): void {
    if (!this.running) return;
    if (direct) this.charge(timing.mmioAccess);
    else this.dataAbort(address, width, write, value);
  }

  // the GIC

  private gicPlace(address: number): { what: 'dist' | 'cpu' | 'redist'; offset: number } | undefined {
    const { map, vgic, vcpus }: ArmDomain = this.v.arm;
    const dist = address - map.dist;
    if (dist >= 0 && dist < map.distSize) return { what: 'dist', offset: dist };
    if (vgic.version === 2) {
      const offset = address - map.cpu;
      return offset >= 0 && offset < GICC_SIZE ? { what: 'cpu', offset } : undefined;
    }
    const offset = address - map.redist;
    return offset >= 0 && offset < vcpus.length * GICR_SIZE ? { what: 'redist', offset } : undefined;
  }

  private loadGic({ what, offset }: { what: string; offset: number }, width: Width): number {
    if (what === 'cpu')
      return this.byHardware(() => readGicv(this.xen.hardware.gich[this.here.cpu]!, offset));
    this.trapGic(what, offset, width, false);
    const { vgic } = this.xen;
    const size = sizeOf(width);
    const access = this.onInterface(() =>
      what === 'dist'
        ? readDistributor(vgic, this.here, offset, size)
        : readRedistributor(vgic, this.here, Math.floor(offset / GICR_SIZE), offset % GICR_SIZE, size),
    );
    return this.loaded(access ? readOf(access, width) : 0);
  }

  /** The register that it was loaded to. */
  private loaded(value: number): number {
    if (this.running) {
      const [low, high] = [value >>> 0, Math.floor(value / TWO32)];
      if (this.v.compat) this.setPair(low, high);
      else this.v.regs.setX(RT, low, high);
    }
    return value;
  }

  private storeGic({ what, offset }: { what: string; offset: number }, value: number, width: Width): void {
    if (what === 'cpu') {
      this.byHardware(() => writeGicv(this.xen.hardware.gich[this.here.cpu]!, offset, value));
      return;
    }
    this.trapGic(what, offset, width, true, value);
    const { vgic } = this.xen;
    const size = sizeOf(width);
    const [low, high] = [value >>> 0, Math.floor(value / TWO32)];
    this.onInterface(() => {
      if (what === 'dist') writeDistributor(vgic, this.here, offset, size, low, high);
      else {
        const n = Math.floor(offset / GICR_SIZE);
        writeRedistributor(vgic, this.here, n, offset % GICR_SIZE, size, low, high);
      }
    });
  }

  private trapGic(what: string, offset: number, width: Width, write: boolean, value = 0): void {
    const { map } = this.v.arm;
    this.dataAbort((what === 'dist' ? map.dist : map.redist) + offset, width, write, value);
  }

  private get here(): GicCpu {
    return this.xen.gicCpus[this.v.processor]!;
  }

  private get running(): boolean {
    return this.v.state !== 'offline';
  }

  /** An access to the virtual interface, which the processor carries out by itself. */
  private byHardware<T>(access: () => T): T {
    this.charge(timing.gicvAccess);
    return this.onInterface(access);
  }

  /** What is done with list registers at hand; a virtual CPU that does not run yet has them for that long. */
  private onInterface<T>(access: () => T): T {
    if (this.running) return access();
    const { gic } = this.xen.vgic;
    gic.restoreState(this.here, this.v.vgic);
    const result = access();
    gic.saveState(this.here);
    gic.restoreState(this.here, null);
    return result;
  }

  // system registers

  mrs(register: number): number | undefined {
    const timer = this.readTimer(register);
    if (timer !== undefined) return timer;
    if (this.v.arm.vgic.version === 2) return undefined;
    return this.byHardware(() => readIcv(this.xen.hardware.ich[this.here.cpu]!, register));
  }

  msr(register: number, low: number, high = 0): boolean {
    if (register === ICC.SGI1R_EL1) return this.sendSgi(register, low, high);
    if (this.writeTimer(register, low, high)) return true;
    if (this.v.arm.vgic.version === 2) return false;
    return this.byHardware(() => writeIcv(this.xen.hardware.ich[this.here.cpu]!, register, low));
  }

  /** vgic_v3_emulate_sysreg */
  private sendSgi(register: number, low: number, high: number): boolean {
    if (this.v.arm.vgic.version === 2) return false;
    this.sysreg(register, false, low, high);
    this.onInterface(() => writeSgi1r(this.xen.vgic, this.here, this.v.vgic, high, low));
    return true;
  }

  /** The virtual timer and the counters are the processor's; the physical timer traps (CNTHCTL_EL2). */
  private readTimer(register: number): number | undefined {
    const { v, xen } = this;
    switch (register) {
      case CNT.CNTV_CTL_EL0:
      case CNT.CNTV_CVAL_EL0:
      case CNT.CNTV_TVAL_EL0:
      case CNT.CNTVCT_EL0:
      case CNT.CNTPCT_EL0:
      case CNT.CNTFRQ_EL0:
        return this.running ? xen.hardware.timers[v.processor]!.read(register) : v.timers.readSaved(register);
      case CNT.CNTP_CTL_EL0:
      case CNT.CNTP_CVAL_EL0:
      case CNT.CNTP_TVAL_EL0:
        this.sysreg(register, true);
        return this.loaded(v.timers.readPhysical(register)!);
      default:
        return undefined;
    }
  }

  private writeTimer(register: number, low: number, high: number): boolean {
    const { v, xen } = this;
    switch (register) {
      case CNT.CNTV_CTL_EL0:
      case CNT.CNTV_CVAL_EL0:
      case CNT.CNTV_TVAL_EL0:
        if (this.running) return xen.hardware.timers[v.processor]!.write(register, low, high);
        return v.timers.writeSaved(register, low, high);
      case CNT.CNTP_CTL_EL0:
      case CNT.CNTP_CVAL_EL0:
      case CNT.CNTP_TVAL_EL0:
        this.sysreg(register, false, low, high);
        return v.timers.writePhysical(register, low, high);
      default:
        return false;
    }
  }

  // calls

  hvc(immediate: number, x0: number, x1 = 0, x2 = 0, x3 = 0): number {
    // the fast path is AArch64's
    if (immediate === 0 && x0 === Smccc.WORKAROUND_2 && !this.v.compat) {
      this.xen.traps.switchWorkaround2(this.v, x1 !== 0);
      return 0;
    }
    return this.firmware(this.v.compat ? Ec.HVC32 : Ec.HVC64, immediate, x0, x1, x2, x3);
  }

  smc(x0: number, x1 = 0, x2 = 0, x3 = 0): number {
    return this.firmware(this.v.compat ? Ec.SMC32 : Ec.SMC64, 0, x0, x1, x2, x3);
  }

  /** vsmccc_handle_call */
  private firmware(ec: CallClass, immediate: number, ...x: number[]): number {
    const { v, xen } = this;
    x.forEach((value, n) => {
      v.regs.setX(n, value >>> 0);
    });
    this.trap(call(ec, immediate), 0);
    const answer = xen.vsmccc(v, x[0]! >>> 0, x[1]!, x[2]!);
    v.regs.setX(0, answer);
    return answer;
  }

  /** HVC #XEN_HYPERCALL_TAG: the trip of a hypercall. */
  hypercall(): void {
    const { compat, regs } = this.v;
    regs.setX(compat ? 12 : 16, HYPERVISOR_EVTCHN_OP);
    this.trap(call(compat ? Ec.HVC32 : Ec.HVC64, XEN_HYPERCALL_TAG), 0);
  }

  // leaving

  private dataAbort(address: number, width: Width, write: boolean, value: number): void {
    if (!this.running) return;
    if (write) this.v.regs.setX(RT, value >>> 0, Math.floor(value / TWO32));
    this.xen.traps.far[this.v.processor] = address;
    this.trap(dataAbort(width, write, RT), timing.armEmulate);
  }

  private sysreg(register: number, read: boolean, low = 0, high = 0): void {
    const { compat, regs } = this.v;
    if (compat) {
      if (!read) this.setPair(low, high);
      this.trap(coprocessor(register, read, RT), timing.armEmulate);
      return;
    }
    if (!read) regs.setX(RT, low >>> 0, high >>> 0);
    this.trap(systemRegister(register, read, RT), timing.armEmulate);
  }

  /** AArch32: two registers, the lower half in the first. */
  private setPair(low: number, high: number): void {
    const { regs } = this.v;
    regs.setX(RT, low >>> 0);
    regs.setX(RT + 1, high >>> 0);
  }

  private trap(esr: number, cost: Ns): void {
    if (!this.running) return;
    this.xen.traps.guestSync(this.v, esr);
    this.charge(cost);
  }

  private charge(ns: Ns): void {
    if (this.running) this.v.cpu.charge(ns);
  }
}

/** asm-arm/hypercall: the immediate of HVC */
const XEN_HYPERCALL_TAG = 0xea1;

function sizeOf(width: Width): Size {
  return (31 - Math.clz32(width)) as Size;
}

function readOf({ low, high }: MmioAccess, width: Width): number {
  return width === 8 ? (high >>> 0) * TWO32 + (low >>> 0) : low >>> 0;
}
