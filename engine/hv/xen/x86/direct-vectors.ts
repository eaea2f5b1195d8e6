/**
 * Vectors that the local APICs interrupt Xen by itself with, on every CPU: no interrupt number, no descriptor, a function
 * each (direct_apic_vector, xen/arch/x86/irq.c of 4.17; irq_vectors.h).
 */
import { APIC_TIMER_VECTOR, CALL_FUNCTION_VECTOR, EVENT_CHECK_VECTOR } from '../softirq.ts';

export const IRQ_MOVE_CLEANUP_VECTOR = 0x22;
const PMU_APIC_VECTOR = 0xf9;
const INVALIDATE_TLB_VECTOR = 0xfd;
const ERROR_APIC_VECTOR = 0xfe;
const SPURIOUS_APIC_VECTOR = 0xff;

/** ascending */
export const DIRECT_APIC_VECTORS: readonly (readonly [vector: number, handler: string])[] = [
  [IRQ_MOVE_CLEANUP_VECTOR, 'irq_move_cleanup_interrupt'],
  [PMU_APIC_VECTOR, 'pmu_apic_interrupt'],
  [APIC_TIMER_VECTOR['4.17'], 'apic_timer_interrupt'],
  [CALL_FUNCTION_VECTOR, 'call_function_interrupt'],
  [EVENT_CHECK_VECTOR, 'event_check_interrupt'],
  [INVALIDATE_TLB_VECTOR, 'invalidate_interrupt'],
  [ERROR_APIC_VECTOR, 'error_interrupt'],
  [SPURIOUS_APIC_VECTOR, 'spurious_interrupt'],
];
