/** GICv2's CPU interface as a page of registers (IHI 0048, section 4.4), without the Security Extensions. */
import type { Width } from '../../core/registers.ts';
import type { CpuInterface } from './cpu-interface.ts';
import { part } from './distributor.ts';
import { CpuCtlr, GICC, GICC_IIDR } from './gic-regs.ts';

/** A load by the CPU whose interface it is. IAR takes an interrupt, whatever the width. */
export function readGicc(gicc: CpuInterface, offset: number, width: Width): number {
  return width === 8 ? 0 : part(word(gicc, offset & ~3), offset, width);
}

function word(gicc: CpuInterface, offset: number): number {
  switch (offset) {
    case GICC.CTLR:
      return ctlr(gicc);
    case GICC.PMR:
      return gicc.pmr;
    case GICC.BPR:
      return gicc.bpr(0);
    case GICC.IAR:
      return gicc.acknowledge();
    case GICC.RPR:
      return gicc.runningPriority;
    case GICC.HPPIR:
      return gicc.highestPending();
    case GICC.ABPR:
      return gicc.bpr(1);
    case GICC.AIAR:
      return gicc.acknowledge(1);
    case GICC.AHPPIR:
      return gicc.highestPending(1);
    case GICC.IIDR:
      return GICC_IIDR;
    default:
      if (offset >= GICC.APR && offset < GICC.APR + 16) return gicc.apr(0, (offset - GICC.APR) >> 2);
      if (offset >= GICC.NSAPR && offset < GICC.NSAPR + 16) return gicc.apr(1, (offset - GICC.NSAPR) >> 2);
      return 0;
  }
}

/** A store by that CPU. */
export function writeGicc(gicc: CpuInterface, offset: number, value: number, width: Width): void {
  if (width !== 4) return;
  switch (offset) {
    case GICC.CTLR:
      writeCtlr(gicc, value);
      break;
    case GICC.PMR:
      gicc.setPmr(value);
      break;
    case GICC.BPR:
      gicc.setBpr(0, value);
      break;
    case GICC.EOIR:
      gicc.endOfInterrupt(value);
      break;
    case GICC.ABPR:
      gicc.setBpr(1, value);
      break;
    case GICC.AEOIR:
      gicc.endOfGroup(value & 0x3ff, 1);
      break;
    case GICC.DIR:
      gicc.deactivate(value);
      break;
    default:
      if (offset >= GICC.APR && offset < GICC.APR + 16) gicc.setApr(0, (offset - GICC.APR) >> 2, value);
      else if (offset >= GICC.NSAPR && offset < GICC.NSAPR + 16) {
        gicc.setApr(1, (offset - GICC.NSAPR) >> 2, value);
      }
  }
}

function ctlr(gicc: CpuInterface): number {
  return (
    gicc.groups |
    (gicc.ackCtl ? CpuCtlr.ackCtl.mask : 0) |
    (gicc.fiq ? CpuCtlr.fiqEn.mask : 0) |
    (gicc.commonBpr ? CpuCtlr.cbpr.mask : 0) |
    (gicc.split ? CpuCtlr.eoiMode.mask : 0)
  );
}

function writeCtlr(gicc: CpuInterface, value: number): void {
  gicc.setControl(
    CpuCtlr.eoiMode.has(value),
    CpuCtlr.cbpr.has(value),
    CpuCtlr.ackCtl.has(value),
    CpuCtlr.fiqEn.has(value),
  );
  gicc.setGroups(value & (CpuCtlr.enableGrp0.mask | CpuCtlr.enableGrp1.mask));
}
