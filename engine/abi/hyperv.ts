/** The synthetic interrupt controller that Hyper-V defines (SynIC), as far as it is used: hyperv-tlfs.h. */

/** HV_X64_MSR_SINT0 */
export const MSR_SINT0 = 0x4000_0090;
/** fields of a source: its vector, whether it is masked, and whether its interrupt ends itself */
const HV_SYNIC_SINT_VECTOR_MASK = 0xff;
const HV_SYNIC_SINT_MASKED = 1 << 16;
const HV_SYNIC_SINT_AUTO_EOI = 1 << 17;
/** those below are exceptions */
const HV_SYNIC_FIRST_VALID_VECTOR = 16;
/** HYPERVISOR_CALLBACK_VECTOR, which Linux gives its sources */
const CALLBACK_VECTOR = 0xf3;

/** What a kernel writes: a source with AutoEOI, of which nothing comes as long as nobody sends it messages; or none. */
export function sint(autoEoi: boolean): number {
  return autoEoi ? HV_SYNIC_SINT_AUTO_EOI | CALLBACK_VECTOR : HV_SYNIC_SINT_MASKED;
}

/** synic_get_sint_vector, and the check of synic_set_sint; -1: it is masked; undefined: #GP */
function vectorOf(value: number): number | undefined {
  if (value & HV_SYNIC_SINT_MASKED) return -1;
  const vector = value & HV_SYNIC_SINT_VECTOR_MASK;
  return vector < HV_SYNIC_FIRST_VALID_VECTOR ? undefined : vector;
}

/** synic_has_vector_auto_eoi: does an interrupt of this source end itself? undefined: #GP */
export function hasAutoEoi(value: number): boolean | undefined {
  const vector = vectorOf(value);
  return vector === undefined ? undefined : vector >= 0 && (value & HV_SYNIC_SINT_AUTO_EOI) !== 0;
}
