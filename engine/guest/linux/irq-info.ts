/** What the kernel keeps of a bound event channel (struct irq_info), and what it is kept for. */
import type { Hypercalls } from '../../abi/hypercalls.ts';
import { ENOSPC } from '../../abi/xen.ts';
import type { Books, DestinationId, SlotId } from '../../core/books.ts';
import type { IrqDesc, IrqTable } from './irq-core.ts';
import type { KernelProfile } from './profiles.ts';

/** Why a port is masked (EVT_MASK_REASON_*). */
export const EXPLICIT = 1;
export const TEMPORARY = 2;
export const EOI_PENDING = 4;

/** What the kernel keeps of a bound port (struct irq_info). */
export interface IrqInfo {
  readonly port: number;
  readonly desc: IrqDesc;
  readonly kind: 'pirq' | 'virq' | 'ipi' | 'event';
  cpu: number;
  maskReason: number;
  /** being handled; for late EOI until it is over */
  active: boolean;
  spurious: number;
  /** jiffies: the EOI is held back until then; 0: not */
  eoiTime: number;
  eoiCpu: number;
  epoch: number;
}

export interface EventsHost {
  readonly id: string;
  readonly profile: KernelProfile;
  readonly irqs: IrqTable;
  readonly books: Books;
  readonly cpuCount: number;
  /** first number of event channels */
  readonly dynamicBase: number;
  slot(port: number): SlotId;
  destination(port: number): DestinationId;
  hypercalls(cpu: number): Hypercalls;
  jiffies(): number;
  upcallPending(cpu: number): boolean;
  setUpcall(cpu: number, pending: boolean | undefined, mask: boolean | undefined): void;
  /** a late EOI is due on this CPU after a number of jiffies */
  delayEoi(cpu: number, jiffies: number): void;
}

/** xen_irq_info_common_setup: masked until somebody requests it. */
export function newIrqInfo(port: number, desc: IrqDesc, kind: IrqInfo['kind']): IrqInfo {
  return {
    port,
    desc,
    kind,
    cpu: 0,
    maskReason: EXPLICIT,
    active: false,
    spurious: 0,
    eoiTime: 0,
    eoiCpu: 0,
    epoch: 0,
  };
}

/** -ENOSPC: no interrupt number (find_unbound_irq) or no event channel (get_free_port) is left. */
export class NoSpace extends Error {}

/** A hypercall that must not fail but for want of channels. */
export function check(answer: number, call: string): number {
  if (answer === -ENOSPC) throw new NoSpace(`${call}: no event channel left (-ENOSPC)`);
  if (answer < 0) throw new Error(`${call} failed with ${answer}`);
  return answer;
}
