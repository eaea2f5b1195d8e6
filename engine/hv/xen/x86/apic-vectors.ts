/**
 * Vectors that the local APICs interrupt Xen by themselves or by IPI, each with its function: no interrupt number, no
 * descriptor (irq_vectors.h). On 4.17 they come through do_IRQ, which finds no interrupt and calls direct_apic_vector;
 * on 3.4 each has a gate of its own, and do_IRQ never sees them.
 */
import { APIC_TIMER_VECTOR, CALL_FUNCTION_VECTOR, EVENT_CHECK_VECTOR, type XenProfile } from '../softirq.ts';

/** 4.17, among those of the 8259s' lines; the lowest of all */
export const IRQ_MOVE_CLEANUP_VECTOR = 0x22;
/** that of corrected machine checks; on 4.17 the first one free behind the serial line's (alloc_hipriority_vector) */
export const CMCI_VECTOR = { '3.4': 0xf7, '4.17': 0xf2 } as const;
const SPURIOUS_APIC_VECTOR = 0xff;
const ERROR_APIC_VECTOR = 0xfe;
const INVALIDATE_TLB_VECTOR = 0xfd;

/** ascending */
export const APIC_VECTORS: Readonly<
  Record<XenProfile, readonly (readonly [vector: number, handler: string])[]>
> = {
  '3.4': [
    [CMCI_VECTOR['3.4'], 'smp_cmci_interrupt'],
    [0xf8, 'smp_pmu_apic_interrupt'],
    [APIC_TIMER_VECTOR['3.4'], 'smp_apic_timer_interrupt'],
    [0xfa, 'smp_thermal_interrupt'],
    [CALL_FUNCTION_VECTOR, 'smp_call_function_interrupt'],
    [EVENT_CHECK_VECTOR, 'smp_event_check_interrupt'],
    [INVALIDATE_TLB_VECTOR, 'smp_invalidate_interrupt'],
    [ERROR_APIC_VECTOR, 'smp_error_interrupt'],
    [SPURIOUS_APIC_VECTOR, 'smp_spurious_interrupt'],
  ],
  '4.17': [
    [IRQ_MOVE_CLEANUP_VECTOR, 'irq_move_cleanup_interrupt'],
    [CMCI_VECTOR['4.17'], 'cmci_interrupt'],
    [0xf3, 'intel_thermal_interrupt'],
    [0xf9, 'pmu_apic_interrupt'],
    [APIC_TIMER_VECTOR['4.17'], 'apic_timer_interrupt'],
    [CALL_FUNCTION_VECTOR, 'call_function_interrupt'],
    [EVENT_CHECK_VECTOR, 'event_check_interrupt'],
    [INVALIDATE_TLB_VECTOR, 'invalidate_interrupt'],
    [ERROR_APIC_VECTOR, 'error_interrupt'],
    [SPURIOUS_APIC_VECTOR, 'spurious_interrupt'],
  ],
};

function byVector(profile: XenProfile): (string | undefined)[] {
  const handlers = new Array<string | undefined>(256).fill(undefined);
  for (const [vector, handler] of APIC_VECTORS[profile]) handlers[vector] = handler;
  return handlers;
}

const HANDLERS = { '3.4': byVector('3.4'), '4.17': byVector('4.17') } as const;

/** Xen's function behind such a vector; undefined: it is an interrupt's, or nobody's. */
export function apicHandler(profile: XenProfile, vector: number): string | undefined {
  return HANDLERS[profile][vector];
}
