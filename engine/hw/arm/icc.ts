/** GICv3's CPU interface as system registers (IHI 0069, section 12.2), one security state. */
import type { CpuInterface, Group } from './cpu-interface.ts';
import { cpuOf, type GicCore, GROUP1 } from './gic-core.ts';
import { ICC, IccCtlr, Sgi1r, Sgi1rHigh, SRE_EL1, SRE_EL2 } from './gic-regs.ts';

/** MRS. Undefined: there is no such register, or it cannot be read. */
export function readIcc(icc: CpuInterface, register: number, priorityBits: number): number | undefined {
  switch (register) {
    case ICC.IAR1_EL1:
      return icc.acknowledge(1);
    case ICC.IAR0_EL1:
      return icc.acknowledge(0);
    case ICC.HPPIR0_EL1:
      return icc.highestPending(0);
    case ICC.HPPIR1_EL1:
      return icc.highestPending(1);
    case ICC.PMR_EL1:
      return icc.pmr;
    case ICC.RPR_EL1:
      return icc.runningPriority;
    case ICC.BPR0_EL1:
      return icc.bpr(0);
    case ICC.BPR1_EL1:
      return icc.bpr(1);
    case ICC.CTLR_EL1:
      return (
        IccCtlr.priBits.set(IccCtlr.a3v.mask, priorityBits - 1) |
        (icc.commonBpr ? IccCtlr.cbpr.mask : 0) |
        (icc.split ? IccCtlr.eoiMode.mask : 0)
      );
    case ICC.IGRPEN0_EL1:
      return icc.groups & 1;
    case ICC.IGRPEN1_EL1:
      return icc.groups >> 1;
    case ICC.SRE_EL1:
      return SRE_EL1;
    case ICC.SRE_EL2:
      return SRE_EL2;
    default: {
      const apr = aprOf(register, icc.aprs);
      return apr < 0 ? undefined : icc.apr((apr >> 2) as Group, apr & 3);
    }
  }
}

/** MSR; `high`: bits 63 to 32. False: there is no such register, or it cannot be written. */
export function writeIcc(
  icc: CpuInterface,
  core: GicCore,
  register: number,
  value: number,
  high: number,
): boolean {
  switch (register) {
    case ICC.EOIR1_EL1:
      icc.endOfGroup(value & 0xff_ffff, 1);
      return true;
    case ICC.EOIR0_EL1:
      icc.endOfGroup(value & 0xff_ffff, 0);
      return true;
    case ICC.DIR_EL1:
      icc.deactivate(value & 0xff_ffff);
      return true;
    case ICC.SGI1R_EL1:
      sendSgi(core, icc.cpu, value, high, 1);
      return true;
    // with one security state the alias is for group 0, as SGI0R
    case ICC.ASGI1R_EL1:
    case ICC.SGI0R_EL1:
      sendSgi(core, icc.cpu, value, high, 0);
      return true;
    case ICC.PMR_EL1:
      icc.setPmr(value);
      return true;
    case ICC.BPR0_EL1:
      icc.setBpr(0, value);
      return true;
    case ICC.BPR1_EL1:
      icc.setBpr(1, value);
      return true;
    case ICC.CTLR_EL1:
      icc.setMode(IccCtlr.eoiMode.has(value), IccCtlr.cbpr.has(value));
      return true;
    case ICC.IGRPEN0_EL1:
      icc.setGroups((icc.groups & 2) | (value & 1));
      return true;
    case ICC.IGRPEN1_EL1:
      icc.setGroups((icc.groups & 1) | ((value & 1) << 1));
      return true;
    case ICC.SRE_EL1:
    case ICC.SRE_EL2:
      return true;
    default: {
      const apr = aprOf(register, icc.aprs);
      if (apr < 0) return false;
      icc.setApr((apr >> 2) as Group, apr & 3, value);
      return true;
    }
  }
}

const APRS: readonly number[] = [
  ICC.AP0R0_EL1,
  ICC.AP0R1_EL1,
  ICC.AP0R2_EL1,
  ICC.AP0R3_EL1,
  ICC.AP1R0_EL1,
  ICC.AP1R1_EL1,
  ICC.AP1R2_EL1,
  ICC.AP1R3_EL1,
];

/** Group and number of an active priorities register, 4 for each group; -1: it is none, or not there. */
function aprOf(register: number, aprs: number): number {
  const at = APRS.indexOf(register);
  return (at & 3) < aprs ? at : -1;
}

/** ICC_SGI1R, ICC_SGI0R: an SGI to a list of CPUs of one cluster, or to all others; who has it in another group gets none. */
function sendSgi(core: GicCore, from: number, low: number, high: number, group: Group): void {
  const intid = Sgi1r.intid.get(low);
  if (Sgi1rHigh.irm.has(high)) {
    for (let cpu = 0; cpu < core.cpus; cpu++) if (cpu !== from) deliver(core, cpu, intid, group);
    return;
  }
  const cluster =
    (Sgi1rHigh.aff3.get(high) << 24) | (Sgi1rHigh.aff2.get(high) << 16) | (Sgi1r.aff1.get(low) << 8);
  const first = Sgi1rHigh.rangeSelector.get(high) * 16;
  for (let bit = 0, list = Sgi1r.targetList.get(low); list !== 0; bit++, list >>>= 1) {
    if ((list & 1) === 0) continue;
    const cpu = cpuOf((cluster | (first + bit)) >>> 0, core.cpus);
    if (cpu >= 0) deliver(core, cpu, intid, group);
  }
}

function deliver(core: GicCore, cpu: number, intid: number, group: Group): void {
  if ((core.flags[core.index(cpu, intid)]! & GROUP1 ? 1 : 0) === group) core.latch(cpu, intid);
}
