/** The local APIC of a physical processor as its kernel or hypervisor has set it up: software-enabled. */
import type { Clock } from '../../core/clock.ts';
import type { ApicBus } from './apic-bus.ts';
import { Reg, SVR_ENABLE } from './apic-regs.ts';
import { type LapicOutput, LocalApic } from './lapic.ts';
import { INTEL_LAPIC } from './lapic-options.ts';

const SPURIOUS_VECTOR = 0xff;
/** of a processor of 2.1 GHz */
export const TSC_KHZ = 2_100_000;

/**
 * @param intr there is something that the processor can take
 * @param more what else it tells
 */
export function physicalLapic(
  clock: Clock,
  bus: ApicBus,
  apicId: number,
  intr: () => void,
  more: Partial<LapicOutput> = {},
): LocalApic {
  const lapic: LocalApic = new LocalApic({
    id: `lapic${apicId}`,
    apicId,
    bsp: apicId === 0,
    options: INTEL_LAPIC,
    bus,
    clock,
    tscKhz: TSC_KHZ,
    output: {
      ...more,
      request: () => {
        if (lapic.deliverable() >= 0) intr();
      },
    },
  });
  lapic.write(Reg.SVR, SVR_ENABLE | SPURIOUS_VECTOR);
  return lapic;
}
