/**
 * Interrupts with an action of Xen's own (setup_irq and the second half of do_IRQ, xen/arch/x86/irq.c).
 *
 * The action runs with the descriptor's lock dropped, for some time; meanwhile another CPU may take the same interrupt.
 * It finds IRQ_INPROGRESS set, leaves IRQ_PENDING behind and goes on: the CPU that runs the action runs it again.
 */
import type { Books, SlotId } from '../../../core/books.ts';
import type { Plain } from '../../../core/state.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { XenProfile } from '../softirq.ts';
import type { IrqControllers } from './irq-controllers.ts';
import type { IrqDesc } from './irq-desc.ts';
import { IRQ_DISABLED, IRQ_INPROGRESS, IRQ_PENDING, IRQ_REPLAY } from './irq-status.ts';

/** struct irqaction */
export interface IrqAction {
  /** Xen's function */
  readonly name: string;
  /** Charges the time it takes. */
  handler(cpu: Pcpu): void;
}

export interface OwnIrqHost {
  readonly books: Books;
  readonly profile: XenProfile;
  irqEnter(cpu: Pcpu): void;
  irqExit(cpu: Pcpu): void;
}

export class OwnIrqs {
  private readonly actions: IrqAction[] = [];
  /** by interrupt: what IRQ_PENDING stands for */
  private readonly pending: SlotId[];
  /** per CPU: the interrupt whose action runs; -1 for none */
  private readonly running: number[];

  constructor(
    private readonly host: OwnIrqHost,
    private readonly controllers: IrqControllers,
    private readonly descs: readonly (IrqDesc | undefined)[],
    cpus: number,
    irqs: number,
  ) {
    const first = host.books.addSlots(irqs);
    this.pending = Array.from({ length: irqs }, (_, irq) => first + irq);
    this.running = Array.from({ length: cpus }, () => -1);
  }

  /** setup_irq */
  setup(irq: number, action: IrqAction): void {
    const desc = this.descs[irq]!;
    this.actions[irq] = action;
    desc.own = action.name;
    desc.status &= ~IRQ_DISABLED;
    this.controllers.startup(desc);
  }

  /** The part of do_IRQ behind the acknowledgement, of a line that no guest has. */
  doIrq(cpu: Pcpu, desc: IrqDesc, vector: number, slot: SlotId): void {
    const { books } = this.host;
    desc.status = (desc.status & ~IRQ_REPLAY) | IRQ_PENDING;
    if ((desc.status & IRQ_DISABLED) !== 0) books.discard(slot, 'unbound');
    else books.move(slot, this.pending[desc.irq]!);
    if ((desc.status & (IRQ_DISABLED | IRQ_INPROGRESS)) !== 0) {
      this.leave(cpu, desc);
      return;
    }
    desc.status |= IRQ_INPROGRESS;
    this.running[cpu.cpu] = desc.irq;
    this.whilePending(cpu, desc, vector);
  }

  /** The action is over. False: none was running on this CPU. */
  goOn(cpu: Pcpu, vector: number): boolean {
    const desc = this.descs[this.running[cpu.cpu]!];
    if (!desc) return false;
    if (this.host.profile === '3.4') this.host.irqExit(cpu);
    this.whilePending(cpu, desc, vector);
    return true;
  }

  private whilePending(cpu: Pcpu, desc: IrqDesc, vector: number): void {
    if ((desc.status & IRQ_PENDING) !== 0) {
      desc.status &= ~IRQ_PENDING;
      if (this.host.profile === '3.4') this.host.irqEnter(cpu);
      const slot = this.pending[desc.irq]!;
      this.host.books.resume(slot);
      this.host.books.deliver(slot);
      this.actions[desc.irq]!.handler(cpu);
      cpu.goOn(vector);
      return;
    }
    desc.status &= ~IRQ_INPROGRESS;
    this.running[cpu.cpu] = -1;
    this.leave(cpu, desc);
  }

  private leave(cpu: Pcpu, desc: IrqDesc): void {
    this.controllers.end(cpu, desc);
    if (this.host.profile !== '3.4') this.host.irqExit(cpu);
  }

  save(): Plain {
    return [...this.running];
  }

  restore(state: Plain): void {
    (state as number[]).forEach((irq, cpu) => {
      this.running[cpu] = irq;
    });
  }
}
