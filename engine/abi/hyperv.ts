/** The synthetic interrupt controller that Hyper-V defines (SynIC), as far as it is used: hyperv-tlfs.h. */

/** HV_X64_MSR_SINT0 */
export const MSR_SINT0 = 0x4000_0090;
/** bits of a source: what its EOI is, whether it is masked */
export const HV_SYNIC_SINT_MASKED = 1 << 16;
export const HV_SYNIC_SINT_AUTO_EOI = 1 << 17;
