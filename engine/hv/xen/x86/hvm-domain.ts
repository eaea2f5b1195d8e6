/**
 * An HVM guest as Xen keeps it (struct hvm_domain): its interrupt hardware, the registers that Xen emulates itself, the
 * device model for the rest, and GSIs that the guest takes as event channels (XENFEAT_hvm_pirqs).
 */
import type { SlotId, SourceId } from '../../../core/books.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Tracepoint } from '../../../core/trace.ts';
import { IoBus } from '../../../hw/x86/io-bus.ts';
import { TSC_KHZ } from '../../../hw/x86/physical-lapic.ts';
import type { Domain } from '../domain.ts';
import type { Tasklet } from '../tasklet.ts';
import { Dpci } from './dpci.ts';
import { HvmChips } from './hvm-chips.ts';
import { HVM_HOPS, type HvmHop } from './hvm-hops.ts';
import { HvmIrq } from './hvm-irq.ts';
import { HVM_OPTIONS } from './hvm-options.ts';
import type { HvmVcpu } from './hvm-vcpu.ts';
import { HvmVcpuApic } from './hvm-vcpu-apic.ts';
import type { IoreqServer } from './ioreq.ts';
import { Vpt, type VptHost } from './vpt.ts';
import type { Xen } from './xen.ts';

const IOAPIC = 0xfec0_0000;
/** pirqs of GSIs that are emulated begin behind the ISA interrupts (get_free_pirq) */
const FIRST_PIRQ = 16;

export class HvmDomain implements Part {
  readonly id: string;
  readonly chips: HvmChips;
  readonly irq: HvmIrq;
  readonly vpt: Vpt;
  /** devices of the machine that are the guest's */
  readonly dpci: Dpci;
  /** what Xen emulates */
  readonly own = new IoBus();
  /** what the device model does */
  readonly model = new IoBus();
  /** undefined: it has none (PVH) */
  ioreq: IoreqServer | undefined;
  readonly vcpus: readonly HvmVcpu[];
  /** by pirq: its GSI (domain_pirq_to_emuirq); -1: none */
  private emuirq: number[] = [];
  /** by GSI: its pirq; -1: none */
  private pirqOf: number[] = [];
  /** a tick is being raised */
  private ticking = false;
  /** a raise that goes on to the vector that is requested next; -1: none */
  private handing: SlotId = -1;
  /** by virtual CPU */
  private readonly assertTasklets: readonly Tasklet[];
  private readonly initSipiTasklets: readonly Tasklet[];
  private readonly timerSource: SourceId;
  private readonly points: ReadonlyMap<HvmHop, Tracepoint>;

  constructor(
    private readonly xen: Xen,
    readonly domain: Domain,
  ) {
    const { id, shared } = domain;
    const name = `dom${id}`;
    this.id = `${name}.hvm`;
    this.timerSource = xen.books.sourceOf(`${name} timer`);
    this.vcpus = domain.vcpus as readonly HvmVcpu[];
    this.dpci = new Dpci(xen, this);
    const names = Object.entries(HVM_HOPS) as [HvmHop, readonly string[]][];
    this.points = new Map(names.map(([hop, args]) => [hop, xen.trace.point(hop, 'dom', ...args)]));
    this.chips = new HvmChips(
      name,
      {
        kick: (vcpu) => xen.kickHvm(this.vcpus[vcpu]!),
        nmi: (vcpu) => this.nmiSent(vcpu),
        acked: (gsi) => this.dpci.eoi(gsi),
        ended: (vcpu, vector) => this.dpci.msiEoi(vcpu, vector),
        hop: (hop, a, b) => this.hop(hop, a, b),
      },
      HVM_OPTIONS[xen.profile],
    );
    this.irq = new HvmIrq(name, this.chips);
    this.irq.pirqs = {
      bound: (gsi) => {
        const pirq = this.pirqOf[gsi] ?? -1;
        return pirq >= 0 && xen.channels.pirqBound(id, pirq);
      },
      send: (gsi) => xen.channels.guestPirq(id, this.pirqOf[gsi]!),
    };
    this.assertTasklets = this.vcpus.map(({ vcpu }) =>
      xen.tasklets.add(`${name}.${vcpu} hvm_assert_evtchn_irq`, true, () => this.irq.assertEvtchnIrq(vcpu)),
    );
    this.initSipiTasklets = this.vcpus.map((v) =>
      xen.tasklets.add(`${v.name} vlapic_init_sipi_action`, false, () => this.initSipi(v)),
    );
    this.irq.defer = (vcpu) => this.defers(vcpu);
    this.vpt = new Vpt({ name, irq: this.irq, chips: this.chips, host: this.timers() });
    for (const v of this.vcpus) {
      v.hvm = this;
      new HvmVcpuApic({
        name,
        vcpu: v.vcpu,
        chips: this.chips,
        vpt: this.vpt,
        clock: xen.clock,
        tscKhz: TSC_KHZ,
        output: {
          upcallPending: () => shared.vcpus[v.vcpu]!.upcallPending !== 0,
          tasklet: () => this.putOff(v),
          started: (vector) => this.started(v, vector),
          reset: () => this.wasReset(v),
          woken: () => xen.sched.unpause(v),
          accepted: (vector, fresh) => this.accepted(v, vector, fresh),
        },
      });
    }
    this.own.addMemory(IOAPIC, 4096, this.chips.ioapic.registers);
    for (const port of [0x20, 0xa0, 0x4d0]) this.own.addPorts(port, 2, this.chips.pic.ports(port));
  }

  /** The guest's timers are Xen's, each on the processor where its virtual CPU runs. */
  private timers(): VptHost {
    const { xen, vcpus } = this;
    return {
      now: () => xen.clock.now,
      timer: (_, expired) => {
        const timer = xen.timers.timer(expired);
        return {
          at: (when, vcpu) => timer.set(vcpus[vcpu]!.cpu, when),
          cancel: () => timer.stop(),
          migrate: (vcpu) => {
            if (timer.expires !== undefined) timer.set(vcpus[vcpu]!.cpu, timer.expires);
          },
        };
      },
    };
  }

  // tasklets

  /** In an interrupt, or with interrupts off, the delivery of events waits (assert_evtchn_irq_tasklet): not on 3.4. */
  private defers(vcpu: number): boolean {
    const { xen } = this;
    const { here } = xen.wiring;
    if (!here || xen.profile === '3.4' || !(xen.channels.interruptsOff || xen.inIrq(here))) return false;
    this.emit('assert_evtchn_irq_tasklet', vcpu);
    xen.tasklets.scheduleOn(here, this.assertTasklets[vcpu]!);
    return true;
  }

  /** INIT or SIPI. Its sender waits for it; on 3.4 it is the reset of whom an INIT has taken down. */
  private putOff(v: HvmVcpu): void {
    const { xen, chips } = this;
    const { here } = xen.wiring;
    if (!here) {
      chips.vcpus[v.vcpu]!.runInitSipi();
      return;
    }
    if (chips.options.initSipi === 'later') xen.sched.pause(v);
    xen.tasklets.scheduleOn(here, this.initSipiTasklets[v.vcpu]!);
  }

  private initSipi(v: HvmVcpu): void {
    this.chips.vcpus[v.vcpu]!.runInitSipi();
    if (this.chips.options.initSipi === 'later') this.xen.sched.unpause(v);
  }

  /** A SIPI, or the INIT before it (vector -1). When all virtual CPUs are down the guest is over. */
  private started(v: HvmVcpu, vector: number): void {
    const { xen, chips } = this;
    if (vector < 0) {
      xen.sched.pause(v);
      if (chips.vcpus.every((other) => other.down))
        xen.control.shutDown(v.domain, 'all virtual CPUs are down');
    } else if (v.state !== 'offline') xen.sched.unpause(v);
    // while kernels are booted nobody runs yet
    else if (xen.wiring.here) xen.sched.start(v);
  }

  /** vcpu_reset: what waited for it is lost. */
  private wasReset(v: HvmVcpu): void {
    const { books, vmce } = this.xen;
    v.vmcs.entryInfo = 0;
    v.unfinished = false;
    for (let vector = 0; vector < 256; vector++) books.discard(v.slot(vector), 'INIT');
    books.discard(v.again, 'INIT');
    vmce.reset(v);
  }

  /** An NMI has a way of its own, in nobody's account. */
  private nmiSent(vcpu: number): void {
    const { xen } = this;
    const { books } = xen;
    const { journey } = books;
    const v = this.vcpus[vcpu]!;
    v.nmi = books.beside();
    books.journey = v.nmi;
    this.emit('nmi_pending', vcpu);
    xen.kickHvm(v);
    books.journey = journey;
  }

  private hop(hop: HvmHop, a: number, b: number): void {
    // a tick begins where its timer expires; it is raised on the way into the guest
    if (hop === 'pt_timer_fn') this.vcpus[a]!.tick = this.xen.books.begin(this.timerSource);
    const { books } = this.xen;
    // the vector was requested by a raise of its own, whatever is raised now
    const journey = hop === 'vlapic_ack_pending_irq' ? this.xen.journeyOf(this.vcpus[a]!, b) : books.journey;
    // of a pirq the trace has its number
    this.emit(hop, hop === 'send_guest_pirq' ? this.pirqOf[a]! : a, b, journey);
  }

  emit(hop: HvmHop, a: number, b = 0, journey = this.xen.books.journey): void {
    const { trace, stamp, wiring } = this.xen;
    trace.emit(this.points.get(hop)!, stamp, journey, wiring.here?.cpu ?? -1, this.domain.id, a, b);
  }

  /** The present raise waits for a vector. That of event channels stands for ports, which are accounted for themselves. */
  private accepted(v: HvmVcpu, vector: number, fresh: boolean): void {
    if (this.ticking && !fresh) return;
    const { books } = this.xen;
    v.journey = books.journey;
    if (vector === this.irq.eventVector(v.vcpu)) return;
    const slot = fresh && v.inDelivery(vector) ? v.again : v.slot(vector);
    if (this.handing >= 0 && books.holds(this.handing)) books.move(this.handing, slot);
    else books.pend(slot, v.destination(vector));
  }

  /** What `act` requests is the raise in this slot; of several requests the first. */
  handOn(slot: SlotId, act: () => void): void {
    this.handing = slot;
    act();
    this.handing = -1;
  }

  /** pt_update_irq. A tick that was raised already and waits for its injection is raised again, and is the same. */
  updateTimers(vcpu: number): void {
    if (!this.vpt.hasTick(vcpu)) return;
    const { books } = this.xen;
    const v = this.vcpus[vcpu]!;
    if (v.tick === 0) books.begin(this.timerSource);
    else {
      books.source = this.timerSource;
      books.journey = v.tick;
      v.tick = 0;
    }
    this.ticking = true;
    this.vpt.updateIrq(vcpu);
    this.ticking = false;
  }

  // pirqs

  /** physdev_hvm_map_pirq: that of a passed-through device, or the lowest one that is free for a GSI that is emulated. */
  mapPirq(gsi: number): number {
    const known = this.dpci.pirqOfGsi(gsi) ?? this.pirqOf[gsi] ?? -1;
    if (known >= 0) return known;
    let pirq = FIRST_PIRQ;
    while (!this.isFree(pirq)) pirq++;
    this.emuirq[pirq] = gsi;
    this.pirqOf[gsi] = pirq;
    return pirq;
  }

  /** Is it neither an emulated GSI's nor one of the machine's? */
  isFree(pirq: number): boolean {
    return (this.emuirq[pirq] ?? -1) < 0 && this.xen.irqOf(this.domain.id, pirq) < 0;
  }

  unmapPirq(pirq: number): void {
    const gsi = this.emuirq[pirq] ?? -1;
    if (gsi < 0) return;
    this.emuirq[pirq] = -1;
    this.pirqOf[gsi] = -1;
  }

  /** PHYSDEVOP_eoi: of a device of the machine, or of an emulated level line, which is told again if it is still held. */
  pirqEoi(pirq: number): void {
    if (this.xen.irqOf(this.domain.id, pirq) > 0) this.xen.irqs.guests.guestEoi(this.domain.id, pirq);
    const gsi = this.emuirq[pirq] ?? -1;
    if (gsi < FIRST_PIRQ || this.irq.gsiCount[gsi] === 0) return;
    this.xen.beginOwn();
    this.xen.channels.guestPirq(this.domain.id, pirq);
  }

  save(): Plain {
    return {
      chips: this.chips.save(),
      irq: this.irq.save(),
      vpt: this.vpt.save(),
      dpci: this.dpci.save(),
      apics: this.chips.vcpus.map((v) => v.save()),
      emuirq: Array.from(this.emuirq, (gsi) => gsi ?? -1),
      pirqOf: Array.from(this.pirqOf, (pirq) => pirq ?? -1),
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      chips: Plain;
      irq: Plain;
      vpt: Plain;
      dpci: Plain;
      apics: Plain[];
      emuirq: number[];
      pirqOf: number[];
    };
    this.chips.restore(s.chips);
    this.irq.restore(s.irq);
    this.vpt.restore(s.vpt);
    this.dpci.restore(s.dpci);
    this.chips.vcpus.forEach((v, i) => {
      v.restore(s.apics[i]!);
    });
    this.emuirq = [...s.emuirq];
    this.pirqOf = [...s.pirqOf];
  }
}
