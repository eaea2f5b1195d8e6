/**
 * Speculative store bypass (xen/arch/arm/cpuerrata.c). The firmware has a workaround that is switched by an SMC,
 * ARM_SMCCC_ARCH_WORKAROUND_2. Xen runs with it; a guest may run without, and then it is switched on each way in and out.
 */

/** spec-ctrl=ssbd */
export type SsbdOption = 'force-disable' | 'runtime' | 'force-enable';

/** What the firmware answers of the workaround: it has none, processors need it, they do not, they are safe by themselves. */
export type SsbdFirmware = 'none' | 'required' | 'not-required' | 'mitigated';

/** enum ssbd_state */
export type SsbdState = 'unknown' | 'mitigated' | SsbdOption;

export interface Ssbd {
  readonly state: SsbdState;
  /** ssbd_callback_required, of all CPUs: the firmware is to be called */
  readonly callback: boolean;
}

/** has_ssbd_mitigation */
export function ssbdOf(option: SsbdOption, firmware: SsbdFirmware): Ssbd {
  switch (firmware) {
    case 'none':
      return { state: 'unknown', callback: false };
    case 'mitigated':
      return { state: 'mitigated', callback: false };
    default:
      return { state: option, callback: option === 'runtime' && firmware === 'required' };
  }
}

/** Answers of SMCCC_ARCH_FEATURES. */
const SUCCESS = 0;
const NOT_SUPPORTED = -1 >>> 0;
const NOT_REQUIRED = -2 >>> 0;

/** handle_arch: what a guest that asks is told of the workaround. */
export function ssbdFeature(state: SsbdState): number {
  switch (state) {
    case 'runtime':
      return SUCCESS;
    case 'force-enable':
    case 'mitigated':
      return NOT_REQUIRED;
    default:
      return NOT_SUPPORTED;
  }
}
