/** Interrupts on their way into a virtual GIC and its list registers, and what the trace says of that. */
import type { Books } from '../../../core/books.ts';
import type { Ns } from '../../../core/clock.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import type { GicCpu } from './gic-hw.ts';
import { GIC_IRQ_GUEST_ACTIVE, type PendingIrq } from './pending-irq.ts';
import type { Vgic } from './vgic.ts';
import type { VgicDomain, VgicVcpu } from './vgic-domain.ts';

/** What else than to be queued may become of an injection, by number in the trace. */
export const OUTCOMES: readonly string[] = ['coalesced', 'lost', 'dropped', 'nothing'];

export interface InjectionHost {
  readonly trace: Trace;
  readonly books: Books;
  readonly vgic: Vgic;
  /** what the trace says of the time */
  readonly stamp: Ns;
  /** the CPU whose Xen runs */
  readonly here: GicCpu;
}

export class Injection {
  private readonly tpInject: Tracepoint;
  private readonly tpOutcome: Tracepoint;
  private readonly tpSetLr: Tracepoint;
  private readonly tpRestoreLr: Tracepoint;
  private readonly tpUpdateLr: Tracepoint;

  constructor(private readonly xen: InjectionHost) {
    const { trace } = xen;
    this.tpSetLr = trace.point('gic_set_lr', 'dom', 'vcpu', 'virq', 'lr');
    this.tpRestoreLr = trace.point('gic_restore_pending_irqs', 'dom', 'vcpu', 'virq', 'lr');
    this.tpUpdateLr = trace.point('gic_update_one_lr', 'dom', 'vcpu', 'virq', 'lr');
    this.tpInject = trace.point('vgic_inject_irq', 'dom', 'vcpu', 'virq');
    this.tpOutcome = trace.point('vgic_inject_outcome', 'dom', 'vcpu', 'virq', 'outcome');
  }

  /** vgic_inject_irq */
  inject(here: GicCpu, d: VgicDomain, v: VgicVcpu, virq: number): void {
    const { journey } = this.xen.books;
    this.xen.trace.emit(this.tpInject, this.xen.stamp, journey, here.cpu, d.domain, v.id, virq);
    const became = this.xen.vgic.injectIrq(here, d, v, virq);
    if (became === 'queued') return;
    const outcome = OUTCOMES.indexOf(became);
    this.xen.trace.emit(this.tpOutcome, this.xen.stamp, journey, here.cpu, d.domain, v.id, virq, outcome);
  }

  /** Only what runs on a CPU has its list registers there. One that was active stays so, and is pending as well. */
  entersLr(p: PendingIrq, journey: number, coalesced: boolean): void {
    const { trace, here } = this.xen;
    const { current } = here;
    if (!trace.enabled || !current) return;
    const again = coalesced || (p.status & GIC_IRQ_GUEST_ACTIVE) !== 0;
    // one that has waited is still on the list of those that do
    const point = again ? this.tpUpdateLr : p.lrPending ? this.tpRestoreLr : this.tpSetLr;
    trace.emit(point, this.xen.stamp, journey, here.cpu, current.domain.domain, current.id, p.irq, p.lr);
  }
}
