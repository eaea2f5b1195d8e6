/**
 * The kernel's interrupt descriptors and what happens when one fires (kernel/irq/{chip,handle}.c).
 *
 * A chip says how an interrupt is acknowledged before its handlers run and ended after them; the flow of
 * edge, level and per-CPU interrupts differs in that alone here. Counting is what /proc/interrupts shows.
 */
import type { Ns } from '../../core/clock.ts';
import type { Plain } from '../../core/state.ts';
import type { LinuxCpu } from './entry.ts';

/** Something the kernel executes: how long it takes, then what it does. */
export interface Work {
  /** the counters it keeps, in step with the row of its interrupt */
  count?(cpu: LinuxCpu): void;
  cost(cpu: LinuxCpu): Ns;
  /** false: it was not for this handler (IRQ_NONE) */
  run(cpu: LinuxCpu): unknown;
}

export interface IrqAction {
  /** as request_irq was told it */
  readonly name: string;
  readonly work: Work;
}

export interface IrqChip {
  /** as /proc/interrupts shows it */
  readonly name: string;
  /** first action requested: the interrupt is let through */
  startup(desc: IrqDesc): void;
  /** last action freed */
  shutdown(desc: IrqDesc): void;
  /** before the handlers */
  ack(desc: IrqDesc, cpu: LinuxCpu): void;
  /** after the handlers */
  end(desc: IrqDesc, cpu: LinuxCpu): void;
  /** @param on the CPU that does it; the first unless given */
  mask(desc: IrqDesc, on?: LinuxCpu): void;
  unmask(desc: IrqDesc, on?: LinuxCpu): void;
  /** It has no irq_disable of its own: what was disabled is masked only when it comes. */
  readonly lazy?: boolean;
  /** aims it at one of these CPUs; undefined where the kernel leaves it on CPU 0 */
  setAffinity?(desc: IrqDesc, cpus: readonly number[]): void;
  /** What a write to /proc/irq/N/smp_affinity does (irq_set_affinity); undefined: it cannot be moved. */
  writeAffinity?(desc: IrqDesc, cpus: readonly number[], on: LinuxCpu): void;
  /** raises it by software (resend_irq_on_evtchn); false if it cannot be */
  retrigger?(desc: IrqDesc, cpu: LinuxCpu): boolean;
}

/** Most interrupts of a kernel with sparse numbers: NR_IRQS and 8196 more (kernel/irq/internals.h). */
const IRQ_BITMAP_BITS = 8_192 + 8_196;

export class IrqDesc {
  /** per CPU, since boot */
  readonly counts: number[];
  readonly actions: IrqAction[] = [];
  /** event channel; 0 for none. A row that serves every CPU has one for each in `ports` */
  port = 0;
  readonly ports: number[] = [];
  /** how many bindings it has; the older trees set all numbers up at boot and look for one without any */
  bindcount = 0;
  /** nested disable_irq calls; 1 from the start, until the first action is requested */
  depth = 1;
  /** being handled now, on how many CPUs */
  active = 0;
  /** physical interrupt number under Xen; -1 for none */
  pirq = -1;
  /** Xen knows of it: PHYSDEVOP_map_pirq has been made */
  pirqMapped = false;
  hwirq: number | null = null;
  /** triggered by a level, not by an edge */
  level = false;
  /** disable_irq masks it at once, whatever its chip (IRQ_DISABLE_UNLAZY) */
  unlazy = false;
  /** it came while it was disabled (IRQS_PENDING) */
  replay = false;
  /** of a lazy chip: it is masked as well, at once or since it has come while disabled (IRQD_IRQ_MASKED) */
  heldBack = false;
  /** CPUs that root has allowed for it; null: as its driver wanted it */
  affinity: readonly number[] | null = null;
  /** CPUs that it is to be aimed at when it comes next (desc->pending_mask); null: none */
  moveTo: readonly number[] | null = null;
  /** interrupts since the unhandled ones were counted, and those among them; when the last one was */
  counted = 0;
  unhandled = 0;
  lastUnhandled: Ns = 0;

  constructor(
    readonly irq: number,
    public chip: IrqChip,
    /** name of the flow handler, e.g. `virq`; null where none is shown */
    public flow: string | null,
    cpus: number,
  ) {
    this.counts = new Array(cpus).fill(0);
  }

  save(): Plain {
    const { depth, active, replay, counted, unhandled, lastUnhandled, heldBack, affinity, moveTo } = this;
    const numbers = [depth, active, Number(replay), counted, unhandled, lastUnhandled, Number(heldBack)];
    return [this.counts, numbers, affinity, moveTo];
  }

  restore(state: Plain): void {
    const [counts, numbers, affinity, moveTo] = state as unknown as [
      number[],
      [number, number, number, number, number, number, number],
      number[] | null,
      number[] | null,
    ];
    const [depth, active, replay, counted, unhandled, last, heldBack] = numbers;
    this.depth = depth;
    this.active = active;
    this.replay = replay === 1;
    this.counted = counted;
    this.unhandled = unhandled;
    this.lastUnhandled = last;
    this.heldBack = heldBack === 1;
    this.affinity = affinity && [...affinity];
    this.moveTo = moveTo && [...moveTo];
    counts.forEach((n, i) => {
      this.counts[i] = n;
    });
  }
}

/** All descriptors of a kernel. */
export class IrqTable {
  readonly descs: (IrqDesc | undefined)[] = [];

  constructor(
    /** numbers there are; a kernel with sparse numbers makes more when they run out */
    public nrIrqs: number,
    private readonly cpus: number,
  ) {}

  /** irq_alloc_desc: the lowest number from `from` on without a descriptor; undefined when there is none. */
  lowestFree(from: number): number | undefined {
    let irq = from;
    while (this.descs[irq]) irq++;
    if (irq >= IRQ_BITMAP_BITS) return undefined;
    // irq_expand_nr_irqs
    this.nrIrqs = Math.max(this.nrIrqs, irq + 1);
    return irq;
  }

  /** find_unbound_irq: the first of these numbers with bindcount 0; undefined when all are bound. */
  findUnbound(first: number, end: number): number | undefined {
    for (let irq = first; irq < end; irq++) if (this.descs[irq]?.bindcount === 0) return irq;
    return undefined;
  }

  add(irq: number, chip: IrqChip, flow: string | null): IrqDesc {
    const desc = new IrqDesc(irq, chip, flow, this.cpus);
    this.descs[irq] = desc;
    return desc;
  }

  remove(irq: number): void {
    this.descs[irq] = undefined;
  }

  /** request_irq: one more action; the first lets the interrupt through. */
  request(desc: IrqDesc, action: IrqAction, affinity?: readonly number[]): void {
    desc.actions.push(action);
    if (desc.actions.length > 1) return;
    desc.depth = 0;
    desc.chip.startup(desc);
    if (affinity) desc.chip.setAffinity?.(desc, affinity);
  }

  /** free_irq. */
  free(desc: IrqDesc, action: IrqAction): void {
    desc.actions.splice(desc.actions.indexOf(action), 1);
    if (desc.actions.length > 0) return;
    desc.depth = 1;
    desc.chip.shutdown(desc);
  }

  /** disable_irq; nests. */
  disable(desc: IrqDesc): void {
    const { chip, unlazy } = desc;
    if (desc.depth++ > 0 || (chip.lazy && !unlazy)) return;
    if (chip.lazy) desc.heldBack = true;
    chip.mask(desc);
  }

  /** handle_irq of what is disabled: an edge is kept for later, and it is masked until it is enabled. */
  holdBack(desc: IrqDesc, on: LinuxCpu): void {
    if (!desc.level) desc.replay = true;
    desc.heldBack = true;
    desc.chip.mask(desc, on);
  }

  /** enable_irq; what was never masked needs nothing more. */
  enable(desc: IrqDesc): void {
    if (desc.depth === 0 || --desc.depth > 0) return;
    if (desc.chip.lazy && !desc.heldBack) return;
    desc.heldBack = false;
    desc.chip.unmask(desc);
  }

  *all(): Generator<IrqDesc> {
    for (const desc of this.descs) if (desc) yield desc;
  }

  /** Of those in use; a number that nobody has requested has no state. */
  save(): Plain {
    return this.descs.flatMap((d) =>
      d && (d.ports.length > 0 || d.actions.length > 0) ? [[d.irq, d.save()]] : [],
    );
  }

  restore(state: Plain): void {
    for (const [irq, saved] of state as unknown as [number, Plain][]) this.descs[irq]!.restore(saved);
  }
}
