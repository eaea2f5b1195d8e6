/**
 * Physical interrupts that domains are bound to (xen/arch/x86/irq.c, "handling of guest-bound physical IRQs"): binding,
 * __do_IRQ_guest, and the way back, from a guest's EOI to that of the local APIC.
 *
 * Several domains may share a line. Each is told, and each has its own flag that says that it has not answered yet
 * (`masked`); `in_flight` counts them, and the line is ended when it reaches 0. What is left to do then is the line's
 * ack type: nothing (edge lines and messages that can be masked, which got their EOI at once), unmask the pin, or EOI
 * at the local APIC of each CPU that took it, which ends its interrupts in order: one below others on that CPU's stack
 * waits, ready, until those are done.
 *
 * On 4.17 a guest that does not answer within 1 ms is not waited for any longer (eoi_timer).
 *
 * Not modelled: Xen's spinning while another CPU takes its call; a line is free as soon as its last domain is unbound.
 */

import { EBUSY, EINVAL } from '../../../abi/xen.ts';
import type { Books, SlotId, SourceId } from '../../../core/books.ts';
import { type Clock, ms, type Ns } from '../../../core/clock.ts';
import type { Plain } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import type { LocalApic } from '../../../hw/x86/lapic.ts';
import { timing } from '../../../timing.ts';
import type { PcpuWiring } from '../../hypervisor.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { XenProfile } from '../softirq.ts';
import type { XenTimer, XenTimers } from '../timer.ts';
import type { IrqControllers } from './irq-controllers.ts';
import { ACK_TYPES, type GuestAction, type IrqDesc, type IrqDescs, type Pirq, pirqOf } from './irq-desc.ts';
import type { IrqLines } from './irq-lines.ts';
import { IRQ_DISABLED, IRQ_GUEST, IRQ_INPROGRESS } from './irq-status.ts';
import { PendingEoiStack } from './pending-eoi.ts';
import { GuestEoiBrake, type StormHost } from './storm.ts';

/** From the guest's part of do_IRQ to the event, for each guest. */
export const guestPart = (): Ns => timing.doIrqGuest + timing.evtchnSetPending;

/** IRQ_MAX_GUESTS of 3.4 */
const IRQ_MAX_GUESTS = 7;
/** MILLISECS(1) of do_IRQ_guest */
const EOI_TIMEOUT: Ns = ms(1);

export interface GuestIrqHost {
  readonly books: Books;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly wiring: PcpuWiring;
  /** by CPU */
  readonly lapics: readonly LocalApic[];
  readonly profile: XenProfile;
  readonly timers: XenTimers;
  /**
   * send_guest_pirq: the raise waiting in `slot` goes on to the domain's event channel.
   * @param paid the time that takes is over already
   * @returns it was pending already
   */
  sendGuestPirq(domain: number, pirq: number, slot: SlotId, paid: boolean): boolean;
  /**
   * hvm_do_IRQ_dpci: the pirq is that of a device passed through to a domain with a virtual interrupt controller, to
   * which the raise waiting in `slot` goes. False: it is not, the event channel gets it.
   */
  hvmDoIrqDpci(domain: number, pirq: number, slot: SlotId): boolean;
  /** on_selected_cpus: has `setEoiReady` called on that CPU */
  callFunction(cpu: Pcpu): void;
}

export class GuestIrqs {
  /** per CPU */
  readonly pendingEoi: readonly PendingEoiStack[];
  /** per CPU: interrupts whose EOI another CPU has asked it for */
  private readonly eoiCalls: number[][];
  /** 4.17, by interrupt: eoi_timer */
  private readonly eoiTimers: readonly XenTimer[];
  /** 3.4 */
  readonly brake: GuestEoiBrake | null;
  /** 4.17: EOIs that eoi_timer has forced */
  forced = 0;
  /** per CPU: what is being handed to one of several guests */
  private readonly shared: SlotId[];
  private readonly tpDoIrqGuest: Tracepoint;
  private readonly tpGuest: Tracepoint;
  private readonly tpGuestEoi: Tracepoint;
  private readonly tpEoi: Tracepoint;
  private readonly tpForced: Tracepoint;
  private readonly tpBrake: Tracepoint;

  /**
   * @param irqs interrupt numbers there are
   * @param maxGuests domains that may share a line (4.17: irq-max-guests)
   */
  constructor(
    private readonly host: GuestIrqHost,
    private readonly table: IrqDescs,
    private readonly lines: IrqLines,
    private readonly controllers: IrqControllers,
    storm: StormHost,
    irqs: number,
    private readonly maxGuests: number,
  ) {
    const { books, trace, wiring, profile, timers } = host;
    this.pendingEoi = wiring.cpus.map(() => new PendingEoiStack());
    this.eoiCalls = wiring.cpus.map(() => []);
    this.shared = wiring.cpus.map(() => books.addSlots(1));
    const each = Array.from({ length: irqs }, (_, irq) => irq);
    this.brake = profile === '3.4' ? new GuestEoiBrake(storm, irqs) : null;
    this.eoiTimers = this.brake ? [] : each.map((irq) => timers.timer((on) => this.eoiTimer(on, irq)));
    this.tpDoIrqGuest = trace.point('do_IRQ_guest', 'irq', 'guests', 'ack');
    this.tpGuest = trace.point('send_guest_pirq', 'dom', 'pirq');
    this.tpGuestEoi = trace.point('pirq_guest_eoi', 'dom', 'pirq');
    this.tpEoi = trace.point('flush_ready_eoi', 'irq', 'vector');
    this.tpForced = trace.point('irq_guest_eoi_timer', 'irq', 'guests');
    this.tpBrake = trace.point('irq_guest_eoi_pending', 'irq', 'vector');
  }

  // binding

  /**
   * pirq_guest_bind: the first domain's line is aimed at the CPU of its virtual CPU 0 and let through.
   * @returns 0, -EINVAL for a pirq that is not mapped, -EBUSY for a line of Xen's or of others that cannot be shared
   */
  bind(domain: number, pirq: number, cpu: number, willShare: boolean): number {
    const desc = this.table.of(domain, pirq);
    if (!desc) return -EINVAL;
    const guest = pirqOf(desc, domain)!;
    const { action } = desc;
    if (!action) this.startup(desc, guest, cpu, willShare);
    else if (!willShare || !action.shareable || action.guests.length >= this.most) return -EBUSY;
    else action.guests.push(guest);
    guest.needsEoi = desc.action!.ackType !== 'NONE';
    return 0;
  }

  private get most(): number {
    return this.host.profile === '3.4' ? IRQ_MAX_GUESTS : this.maxGuests;
  }

  private startup(desc: IrqDesc, guest: Pirq, cpu: number, shareable: boolean): void {
    const ackType = this.controllers.ackType(desc);
    desc.action = { guests: [guest], inFlight: 0, shareable, ackType, eoiCpus: [], journey: 0 };
    desc.status |= IRQ_GUEST;
    // 3.4 lets the line through first, and it may find CPU 0 once more
    const late = this.host.profile === '3.4';
    if (!late) this.table.aim(desc, cpu);
    desc.status &= ~IRQ_DISABLED;
    this.controllers.startup(desc);
    if (late) this.table.aim(desc, cpu);
  }

  /** pirq_guest_unbind: what waits for this guest's EOI waits no longer; the last one's line is shut down. */
  unbind(domain: number, pirq: number): void {
    const desc = this.table.of(domain, pirq)!;
    const { action } = desc;
    if (!action) return;
    const guest = pirqOf(desc, domain)!;
    const at = action.guests.indexOf(guest);
    if (at < 0) return;
    action.guests.splice(at, 1);
    if (action.ackType === 'NONE') this.brake?.end(desc);
    else if (guest.masked) {
      guest.masked = false;
      if (--action.inFlight === 0) this.released(desc, action);
    }
    if (action.guests.length === 0) this.shutdown(desc, action);
  }

  private released(desc: IrqDesc, { ackType, guests, eoiCpus }: GuestAction): void {
    if (ackType === 'UNMASK') this.controllers.unmaskUnlessDisabled(desc);
    else if (guests.length > 0) this.onCpus(eoiCpus, desc.irq);
  }

  private shutdown(desc: IrqDesc, action: GuestAction): void {
    this.controllers.disable(desc);
    desc.status |= IRQ_DISABLED;
    for (const cpu of action.eoiCpus) this.pendingEoi[cpu]!.setReady(desc.irq);
    this.onCpus(action.eoiCpus, desc.irq);
    this.eoiTimers[desc.irq]?.stop();
    desc.action = null;
    desc.status &= ~(IRQ_GUEST | IRQ_INPROGRESS);
    this.controllers.shutdown(desc);
    this.lines.dropHeld(desc, 'unbound');
  }

  // do_IRQ_guest

  /**
   * The raise in `slot` goes to every guest. To the only one it goes on as it is. Of a shared line it has reached its
   * destination; what each guest gets is a raise of its own, whose source is the line, in the same journey.
   */
  doIrqGuest(cpu: Pcpu, desc: IrqDesc, vector: number, slot: SlotId): void {
    const action = desc.action!;
    const { ackType, guests } = action;
    const { books, trace, clock } = this.host;
    const ack = ACK_TYPES.indexOf(ackType);
    action.journey = books.journey;
    trace.emit(
      this.tpDoIrqGuest,
      clock.now - guestPart(),
      books.journey,
      cpu.cpu,
      desc.irq,
      guests.length,
      ack,
    );
    if (ackType !== 'NONE') this.eoiTimers[desc.irq]?.stop();
    if (ackType === 'EOI') {
      this.pendingEoi[cpu.cpu]!.push(desc.irq, vector, books.journey);
      action.eoiCpus.push(cpu.cpu);
    }
    const several = guests.length > 1;
    if (several) books.deliver(slot);
    let alreadyPending = 0;
    guests.forEach((guest, n) => {
      if (ackType !== 'NONE' && !guest.masked) {
        guest.masked = true;
        action.inFlight++;
      }
      // the way to the first is paid when do_IRQ begins
      if (n > 0) cpu.charge(timing.doIrqGuest);
      const from = several ? this.raiseFor(cpu, desc, guest) : slot;
      if (this.tell(cpu, desc, guest, from, n === 0)) alreadyPending++;
    });
    if (ackType !== 'NONE') this.eoiTimers[desc.irq]?.set(cpu, this.host.clock.now + EOI_TIMEOUT);
    else if (this.brake && alreadyPending === guests.length) {
      this.brake.brake(cpu, desc);
      this.host.trace.emit(this.tpBrake, cpu.time, this.host.books.journey, cpu.cpu, desc.irq, vector);
    }
  }

  private raiseFor(cpu: Pcpu, desc: IrqDesc, guest: Pirq): SlotId {
    const { books } = this.host;
    const slot = this.shared[cpu.cpu]!;
    books.source = this.lineSource(desc.irq);
    books.pend(slot, guest.destination);
    return slot;
  }

  private lineSource(irq: number): SourceId {
    return this.host.books.sourceOf(`irq ${irq}`);
  }

  /** True: the guest has it pending already. */
  private tell(cpu: Pcpu, desc: IrqDesc, { domain, pirq }: Pirq, slot: SlotId, first: boolean): boolean {
    const { host } = this;
    if (host.hvmDoIrqDpci(domain, pirq, slot)) {
      if (host.profile !== '3.4' || desc.action!.ackType !== 'NONE') return false;
      const pending = (desc.status & IRQ_INPROGRESS) !== 0;
      desc.status |= IRQ_INPROGRESS;
      return pending;
    }
    const at = first ? host.clock.now - timing.evtchnSetPending : host.clock.now;
    host.trace.emit(this.tpGuest, at, host.books.journey, cpu.cpu, domain, pirq);
    return host.sendGuestPirq(domain, pirq, slot, first);
  }

  /** 3.4: the guest of a passed-through device has ended its message (__msi_pirq_eoi). */
  clearInProgress(domain: number, pirq: number): void {
    const desc = this.table.of(domain, pirq);
    if (desc) desc.status &= ~IRQ_INPROGRESS;
  }

  // EOI

  /** pirq_guest_eoi: the guest has handled it. The CPU that took it, and no other, can end it. */
  guestEoi(domain: number, pirq: number): void {
    const desc = this.table.of(domain, pirq);
    if (!desc?.action) return;
    const { action } = desc;
    if (action.ackType === 'NONE') this.brake?.end(desc);
    const guest = pirqOf(desc, domain)!;
    if (!guest.masked) return;
    guest.masked = false;
    const { trace, clock, books, wiring } = this.host;
    const { here } = wiring;
    trace.emit(this.tpGuestEoi, here?.time ?? clock.now, books.journey, here?.cpu ?? -1, domain, pirq);
    if (--action.inFlight > 0) return;
    this.eoiTimers[desc.irq]?.stop();
    this.finish(desc, action);
  }

  private finish(desc: IrqDesc, { ackType, eoiCpus }: GuestAction): void {
    if (ackType === 'UNMASK') this.controllers.unmaskUnlessDisabled(desc);
    else this.onCpus(eoiCpus, desc.irq);
  }

  /** irq_guest_eoi_timer_fn: the guests are not waited for any longer. */
  private eoiTimer(cpu: Pcpu, irq: number): void {
    const desc = this.table.descs[irq];
    if (!desc?.action || desc.action.inFlight === 0) return;
    const { action } = desc;
    this.forced++;
    this.host.trace.emit(this.tpForced, cpu.time, action.journey, cpu.cpu, irq, action.inFlight);
    for (const guest of action.guests) guest.masked = false;
    action.inFlight = 0;
    this.finish(desc, action);
  }

  /** on_selected_cpus(cpu_eoi_map, set_eoi_ready): the own one at once. */
  private onCpus(cpus: readonly number[], irq: number): void {
    const { here, cpus: all } = this.host.wiring;
    for (const cpu of [...cpus]) {
      this.eoiCalls[cpu]!.push(irq);
      if (here?.cpu === cpu) this.setEoiReady(here);
      else this.host.callFunction(all[cpu]!);
    }
  }

  /** set_eoi_ready, on the CPU that took the interrupt. One that came anew meanwhile needs its own EOI. */
  setEoiReady(cpu: Pcpu): void {
    const calls = this.eoiCalls[cpu.cpu]!;
    for (const irq of calls) {
      const action = this.table.descs[irq]?.action;
      if (!action || action.inFlight > 0 || !action.eoiCpus.includes(cpu.cpu)) continue;
      action.eoiCpus = action.eoiCpus.filter((n) => n !== cpu.cpu);
      this.pendingEoi[cpu.cpu]!.setReady(irq);
    }
    calls.length = 0;
    this.flushReadyEoi(cpu);
  }

  /** flush_ready_eoi: ends what is ready, from the top of the CPU's stack. */
  flushReadyEoi(cpu: Pcpu): void {
    const stack = this.pendingEoi[cpu.cpu]!;
    for (let entry = stack.popReady(); entry; entry = stack.popReady()) {
      this.host.trace.emit(this.tpEoi, cpu.time, entry.journey, cpu.cpu, entry.irq, entry.vector);
      const desc = this.table.descs[entry.irq];
      // its number may have been given up meanwhile, and even be another's
      if (desc && this.controllers.ackType(desc) === 'EOI') this.controllers.end(cpu, desc);
      else this.lines.eoi(cpu);
    }
  }

  save(): Plain {
    return {
      pendingEoi: this.pendingEoi.map((s) => s.save()),
      eoiCalls: this.eoiCalls.map((calls) => [...calls]),
      forced: this.forced,
      braked: this.brake?.times ?? 0,
    };
  }

  restore(state: Plain): void {
    const s = state as unknown as {
      pendingEoi: Plain[];
      eoiCalls: number[][];
      forced: number;
      braked: number;
    };
    this.forced = s.forced;
    if (this.brake) this.brake.times = s.braked;
    this.pendingEoi.forEach((stack, cpu) => {
      stack.restore(s.pendingEoi[cpu]!);
      this.eoiCalls[cpu] = [...s.eoiCalls[cpu]!];
    });
  }
}
