/**
 * Calls of guests to their firmware, which Xen is (vsmccc_handle_call of xen/arch/arm/vsmc.c, vpsci.c): PSCI, by which a
 * guest starts and stops its CPUs and itself, and what it is told of workarounds.
 */
import type { Schedule } from '../schedule.ts';
import type { ArmVcpu } from './arm-vcpu.ts';
import { ssbdFeature } from './ssbd.ts';
import type { TrapOptions } from './traps.ts';
import type { Vgic } from './vgic.ts';

/** Functions (asm-arm/psci.h, smccc.h); those of 64 bits have another number for AArch32. */
export const Psci = {
  VERSION: 0x8400_0000,
  CPU_OFF: 0x8400_0002,
  CPU_ON32: 0x8400_0003,
  CPU_ON64: 0xc400_0003,
  AFFINITY_INFO32: 0x8400_0004,
  AFFINITY_INFO64: 0xc400_0004,
  MIGRATE_INFO_TYPE: 0x8400_0006,
  SYSTEM_OFF: 0x8400_0008,
  SYSTEM_RESET: 0x8400_0009,
  FEATURES: 0x8400_000a,
} as const;
export const Smccc = {
  VERSION: 0x8000_0000,
  ARCH_FEATURES: 0x8000_0001,
  WORKAROUND_2: 0x8000_7fff,
} as const;

/** smccc_is_conv_64 */
const CONV_64 = 0x4000_0000;
const VERSION_1_1 = 0x1_0001;
const SUCCESS = 0;
const NOT_SUPPORTED = -1 >>> 0;
const INVALID_PARAMETERS = -2 >>> 0;
const ALREADY_ON = -4 >>> 0;
const INVALID_ADDRESS = -9 >>> 0;
/** AFFINITY_INFO */
const ON = 0;
const OFF = 1;
/** Trusted OS: there is none, nothing migrates */
const TOS_NOT_PRESENT_MP = 2;

export interface FirmwareHost {
  readonly vgic: Vgic;
  readonly sched: Schedule;
  readonly trapOptions: TrapOptions;
  /** The kernel of a domain asks for its end: of dom0's the machine's. */
  domainShutdown(v: ArmVcpu, reboot: boolean): void;
  print(line: string): void;
}

/** do_psci_1_0_features */
const FEATURES: readonly number[] = [...Object.values(Psci), Smccc.VERSION];

/** The answer goes to X0. */
export function vsmcccHandleCall(xen: FirmwareHost, v: ArmVcpu, fn: number, x1: number, x2: number): number {
  if (v.compat && (fn & CONV_64) !== 0) return NOT_SUPPORTED;
  switch (fn) {
    case Smccc.VERSION:
    case Psci.VERSION:
      return VERSION_1_1;
    case Smccc.ARCH_FEATURES:
      return x1 === Smccc.WORKAROUND_2 ? ssbdFeature(xen.trapOptions.ssbd.state) : NOT_SUPPORTED;
    case Smccc.WORKAROUND_2:
      if (xen.trapOptions.ssbd.state === 'runtime') v.workaround2 = x1 !== 0;
      return SUCCESS;
    case Psci.CPU_ON32:
    case Psci.CPU_ON64:
      return cpuOn(xen, v, x1, x2);
    case Psci.CPU_OFF:
      // one that comes back goes on where it was: no kernel here takes CPUs out of use
      v.online = false;
      xen.sched.pause(v);
      return SUCCESS;
    case Psci.AFFINITY_INFO32:
    case Psci.AFFINITY_INFO64:
      return affinityInfo(v, x1, x2);
    case Psci.MIGRATE_INFO_TYPE:
      return TOS_NOT_PRESENT_MP;
    case Psci.FEATURES:
      return FEATURES.includes(x1) ? SUCCESS : NOT_SUPPORTED;
    case Psci.SYSTEM_OFF:
      xen.domainShutdown(v, false);
      return SUCCESS;
    case Psci.SYSTEM_RESET:
      xen.domainShutdown(v, true);
      return SUCCESS;
    default:
      xen.print(`${name(v)} Unhandled SMC/HVC: 0x${fn.toString(16)}`);
      return NOT_SUPPORTED;
  }
}

/**
 * do_common_cpu_on: what came for it before is dropped from its list, and it begins; with the others, if the one that says so
 * has not begun itself.
 */
function cpuOn({ vgic, sched }: FirmwareHost, v: ArmVcpu, target: number, entry: number): number {
  const other = v.arm.vcpus[vaffinityToVcpuid(target)];
  if (!other) return INVALID_PARAMETERS;
  if (!v.compat && (entry & 1) !== 0) return INVALID_ADDRESS;
  if (other.online) return ALREADY_ON;
  vgic.clearPendingIrqs(other.vgic);
  other.online = true;
  if (other.state !== 'offline') sched.unpause(other);
  else if (v.state !== 'offline') sched.start(other);
  return SUCCESS;
}

/** do_psci_0_2_affinity_info */
function affinityInfo(v: ArmVcpu, target: number, lowest: number): number {
  const other = v.arm.vcpus[vaffinityToVcpuid(target)];
  if (!other || lowest > 0) return INVALID_PARAMETERS;
  return other.online ? ON : OFF;
}

/** Aff0 counts 16 CPUs, Aff1 goes on. */
function vaffinityToVcpuid(affinity: number): number {
  return (affinity & 0xf) | (((affinity >>> 8) & 0xff) << 4);
}

/** %pv */
function name(v: ArmVcpu): string {
  return `d${v.domain}v${v.vcpu}`;
}
