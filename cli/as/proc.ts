/** What programs read. */
import { type DomainSnapshot, printInterrupts } from '../../engine/index.ts';

export function interruptsOf({ interrupts }: DomainSnapshot): string {
  return printInterrupts(interrupts);
}
