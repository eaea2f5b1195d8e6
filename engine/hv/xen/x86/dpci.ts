/**
 * Devices passed through to an HVM guest (struct hvm_irq_dpci and hvm_pirq_dpci; xen/drivers/passthrough/x86/hvm.c, on 3.4
 * drivers/passthrough/io.c). do_IRQ only notes that there is something (hvm_do_IRQ_dpci). hvm_dirq_assist makes a virtual
 * interrupt of it, on 4.17 in a softirq of its own on the CPU that was interrupted, on 3.4 when virtual CPU 0 is entered
 * next. The guest's EOI comes back at its interrupt controllers and ends the physical interrupt.
 *
 * On 3.4 a guest that does not answer an INTx within 8 ms is not waited for (pt_irq_time_out); 4.17 leaves that to the
 * eoi_timer of do_IRQ_guest. Counts are of 32 bits and wrap: on 4.17 an INTx that came again because that timer ended it
 * counts twice, and its line waits for the timer from then on.
 *
 * Not modelled: taking a device away again; messages translated to INTx; posted interrupts.
 */
import { EBUSY, ENOSPC } from '../../../abi/xen.ts';
import type { SlotId } from '../../../core/books.ts';
import { ms, type Ns } from '../../../core/clock.ts';
import type { Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { XenTimer } from '../timer.ts';
import type { HvmDomain } from './hvm-domain.ts';
import { pciGsi, pciLink } from './hvm-wires.ts';
import type { Xen } from './xen.ts';

/** PT_IRQ_TIME_OUT */
const TIME_OUT: Ns = ms(8);
const ISA_IRQS = 16;
/** pirqs of a domain's GSIs begin behind the ISA interrupts (get_free_pirq) */
const FIRST_PIRQ = 16;

/** An interrupt pin of a device in the guest (struct dev_intx_gsi_link). */
export interface Intx {
  readonly device: number;
  readonly intx: number;
}

/** A message as the guest's driver has written it to the device (struct hvm_gmsi_info). */
export interface GuestMsi {
  readonly vector: number;
  readonly destination: number;
  readonly logical: boolean;
  readonly mode: number;
  readonly level: boolean;
}

/** struct hvm_pirq_dpci */
interface PirqDpci {
  readonly pirq: number;
  /** the raise that hvm_dirq_assist is to take on */
  readonly slot: SlotId;
  /** HVM_IRQ_DPCI_GUEST_MSI; undefined: HVM_IRQ_DPCI_GUEST_PCI */
  gmsi: GuestMsi | undefined;
  /** digl_list */
  readonly pins: Intx[];
  /** there is something for hvm_dirq_assist */
  masked: boolean;
  /** pins asserted whose EOI has not come */
  pending: number;
  /** the raise that was taken on last */
  journey: number;
  /** 3.4, INTx: hvm_timer */
  timer: XenTimer | undefined;
}

type Saved = Omit<PirqDpci, 'gmsi' | 'timer' | 'pins'> & { gmsi: GuestMsi | null; pins: Intx[] };

/** The pirqs of one domain. */
export class Dpci {
  /** by number */
  private entries: PirqDpci[] = [];
  /** 3.4, by vector of the guest: its pirq (msi_gvec_pirq) */
  private gvecPirq: number[] = new Array(256).fill(0);

  constructor(
    private readonly xen: Xen,
    private readonly d: HvmDomain,
  ) {}

  private get old(): boolean {
    return this.xen.profile === '3.4';
  }

  private get id(): number {
    return this.d.domain.id;
  }

  // mapping, for the device model (PHYSDEVOP_map_pirq)

  /** A GSI's pirq, if it has one; else the lowest that is free. An error is negative. */
  mapGsi(gsi: number): number {
    const known = this.xen.irqs.descs[gsi]?.pirqs.find((p) => p.domain === this.id);
    if (known) return known.pirq;
    let pirq = FIRST_PIRQ;
    while (!this.d.isFree(pirq)) pirq++;
    const r = this.xen.irqs.table.mapGsi(gsi, true, this.id, pirq);
    return r < 0 ? r : pirq;
  }

  /** A message takes the highest that is free. */
  mapMsi(): number {
    const { irqs } = this.xen;
    let pirq = this.d.domain.init.nrPirqs - 1;
    while (pirq >= irqs.gsis && !this.d.isFree(pirq)) pirq--;
    if (pirq < irqs.gsis) return -ENOSPC;
    const r = irqs.table.mapMsi(true, this.id, pirq);
    if (r < 0) return r;
    irqs.guestMask(this.id, pirq, true);
    return pirq;
  }

  // binding (XEN_DOMCTL_bind_pt_irq)

  /** pt_irq_create_bind of a message, and of one that has changed. 0, or an error. */
  bindMsi(pirq: number, gmsi: GuestMsi): number {
    const known = this.find(pirq);
    if (known && !known.gmsi) return -EBUSY;
    const entry = known ?? this.add(pirq, gmsi);
    if (!known) {
      const r = this.bindPhysical(entry, false);
      if (r < 0) return r;
    } else if (this.old) this.gvecPirq[known.gmsi!.vector] = 0;
    else this.guestEoi(entry);
    entry.gmsi = gmsi;
    this.gvecPirq[gmsi.vector] = pirq;
    if (!this.old) this.aim(entry);
    return 0;
  }

  /** pt_irq_create_bind of a machine GSI to a pin of a device in the guest. 0, or an error. */
  bindPci(pirq: number, pin: Intx): number {
    const known = this.find(pirq);
    if (known) {
      known.pins.push(pin);
      return 0;
    }
    const entry = this.add(pirq, undefined);
    entry.pins.push(pin);
    if (this.old) entry.timer = this.xen.timers.timer(() => this.timedOut(entry));
    return this.bindPhysical(entry, true);
  }

  private add(pirq: number, gmsi: GuestMsi | undefined, slot = this.xen.books.addSlots(1)): PirqDpci {
    const entry = { pirq, slot, gmsi, pins: [], masked: false, pending: 0, journey: 0, timer: undefined };
    this.entries.push(entry);
    this.entries.sort((a, b) => a.pirq - b.pirq);
    return entry;
  }

  private bindPhysical(entry: PirqDpci, share: boolean): number {
    const r = this.xen.irqs.guests.bind(this.id, entry.pirq, this.d.vcpus[0]!.cpu.cpu, share);
    if (r < 0) this.entries = this.entries.filter((e) => e !== entry);
    return r;
  }

  /** The mask bit of a message as the guest sees it (guest_mask_msi_irq). */
  maskMsi(pirq: number, masked: boolean): void {
    this.xen.irqs.guestMask(this.id, pirq, masked);
  }

  /** The pirq of the machine's GSI behind a GSI of the guest; undefined: no passed-through device is there. */
  pirqOfGsi(gsi: number): number | undefined {
    return this.entries.findLast((e) => e.pins.some((p) => pciGsi(p.device, p.intx) === gsi))?.pirq;
  }

  private find(pirq: number): PirqDpci | undefined {
    return this.entries.find((e) => e.pirq === pirq);
  }

  // where messages are aimed

  /** hvm_migrate_pirq: to the processor of the one virtual CPU that the message is for. */
  private aim(entry: PirqDpci): void {
    const vcpu = this.onlyVcpu(entry.gmsi!);
    if (vcpu >= 0) this.xen.irqs.setAffinity(this.id, entry.pirq, this.d.vcpus[vcpu]!.cpu.cpu);
  }

  /** hvm_girq_dest_2_vcpu_id; -1: several, or none */
  private onlyVcpu({ destination, logical }: GuestMsi): number {
    const { bus } = this.d.chips;
    if (this.d.vcpus.length === 1) return 0;
    const meant = bus.apics.flatMap((apic, vcpu) => (bus.isMeant(apic, destination, logical) ? [vcpu] : []));
    return meant.length === 1 ? meant[0]! : -1;
  }

  /** hvm_migrate_pirqs: a virtual CPU has moved. */
  migrate(vcpu: number): void {
    if (this.old) return;
    for (const entry of this.entries) {
      if (entry.gmsi && this.onlyVcpu(entry.gmsi) === vcpu) this.aim(entry);
    }
  }

  // from the machine

  /** hvm_do_IRQ_dpci: the raise in `from` waits for hvm_dirq_assist. False: the pirq is no passed-through device's. */
  doIrq(cpu: Pcpu, pirq: number, from: SlotId): boolean {
    const entry = this.find(pirq);
    if (!entry) return false;
    this.d.emit('hvm_do_IRQ_dpci', pirq);
    this.xen.books.move(from, entry.slot);
    entry.masked = true;
    if (this.old) {
      entry.timer?.set(cpu, this.xen.now + TIME_OUT);
      this.xen.kickHvm(this.d.vcpus[0]!);
    } else this.xen.dpci.raiseFor(cpu, this.id, pirq);
    return true;
  }

  /** 3.4: a virtual CPU is about to be entered; the first one does the work. */
  assistOn(vcpu: number): void {
    if (!this.old || vcpu !== 0) return;
    for (const entry of this.entries) this.assist(entry);
  }

  /** 4.17: the softirq has come to it. */
  softirq(pirq: number): void {
    const entry = this.find(pirq);
    if (entry) this.assist(entry);
  }

  /** hvm_dirq_assist */
  private assist(entry: PirqDpci): void {
    if (!entry.masked) return;
    entry.masked = false;
    const { xen, d } = this;
    const { books } = xen;
    const { pirq, slot } = entry;
    xen.wiring.here?.charge(timing.dirqAssist);
    books.resume(slot);
    entry.journey = books.journey;
    d.emit('hvm_dirq_assist', pirq);
    const asEvent = this.isEvent(pirq);
    if (asEvent) {
      d.emit('send_guest_pirq', pirq);
      xen.sendGuestPirq(this.id, pirq, slot, false);
    }
    if (!entry.gmsi) this.assertPins(entry);
    else if (!asEvent) this.deliver(entry, entry.gmsi);
  }

  /** hvm_domain_use_pirq: does the guest take it as an event channel? */
  private isEvent(pirq: number): boolean {
    return this.xen.channels.pirqBound(this.id, pirq);
  }

  /** vmsi_deliver_pirq */
  private deliver({ pirq, slot }: PirqDpci, { vector, destination, logical, mode, level }: GuestMsi): void {
    const { d } = this;
    d.emit('vmsi_deliver_pirq', pirq, vector);
    d.handOn(slot, () => d.chips.sendMessage(vector, destination, logical, mode, level));
    this.xen.books.discard(slot, 'nobody meant');
  }

  private assertPins(entry: PirqDpci): void {
    const { pins, slot, timer } = entry;
    for (const { device, intx } of pins) {
      this.d.handOn(slot, () => this.d.irq.pciIntxAssert(device, intx));
      entry.pending = (entry.pending + 1) >>> 0;
    }
    const masked = pins.every((p) => this.d.chips.isMasked(pciGsi(p.device, p.intx)));
    this.xen.books.discard(slot, masked ? 'masked' : 'in service');
    timer?.set(this.xen.cpus[timer.cpu]!, this.xen.now + TIME_OUT);
  }

  /** pt_irq_time_out: all that share these pins of the guest are ended. */
  private timedOut(entry: PirqDpci): void {
    const { books } = this.xen;
    books.journey = entry.journey;
    this.d.emit('pt_irq_time_out', entry.pirq);
    const gsis = entry.pins.map((p) => pciGsi(p.device, p.intx));
    const late = this.entries.filter((e) => e.pins.some((p) => gsis.includes(pciGsi(p.device, p.intx))));
    for (const { device, intx } of entry.pins) this.d.irq.pciIntxDeassert(device, intx);
    for (const e of late) {
      e.masked = false;
      e.pending = 0;
      books.discard(e.slot, 'timed out');
    }
    for (const e of late) this.guestEoi(e);
  }

  // EOI of the guest

  /** hvm_dpci_eoi: an input of the guest's interrupt controllers was acknowledged. */
  eoi(gsi: number): void {
    if (gsi < ISA_IRQS) {
      this.isaEoi(gsi);
      return;
    }
    for (const entry of this.entries) {
      for (const pin of entry.pins) if (pciGsi(pin.device, pin.intx) === gsi) this.pinEoi(entry, pin, gsi);
    }
  }

  /** __hvm_dpci_eoi */
  private pinEoi(entry: PirqDpci, { device, intx }: Intx, gsi: number): void {
    const { xen, d, old } = this;
    xen.wiring.here?.charge(timing.dpciEoi);
    d.emit('hvm_dpci_eoi', gsi);
    if (old || !this.isEvent(entry.pirq)) d.irq.pciIntxDeassert(device, intx);
    entry.pending = (entry.pending - 1) >>> 0;
    if (entry.pending > 0 || (old && d.chips.isMasked(gsi))) return;
    entry.timer?.stop();
    this.guestEoi(entry);
  }

  /** hvm_dpci_isairq_eoi: of the links that lead there. */
  private isaEoi(isaIrq: number): void {
    const { d } = this;
    for (const entry of this.entries) {
      for (const { device, intx } of entry.pins) {
        if (d.irq.linkRoute[pciLink(device, intx)] !== isaIrq) continue;
        d.emit('hvm_dpci_eoi', isaIrq);
        d.irq.pciIntxDeassert(device, intx);
        entry.pending = (entry.pending - 1) >>> 0;
        if (entry.pending > 0) continue;
        entry.timer?.stop();
        this.guestEoi(entry);
      }
    }
  }

  /** hvm_dpci_msi_eoi: a virtual CPU has ended a vector. 3.4 knows one message of each vector. */
  msiEoi(vcpu: number, vector: number): void {
    const entry = this.entries.find((e) => this.endsHere(e, vcpu, vector));
    if (!entry) return;
    this.xen.wiring.here?.charge(timing.dpciEoi);
    this.d.emit('hvm_dpci_msi_eoi', entry.pirq, vector);
    if (this.old) this.xen.irqs.guests.clearInProgress(this.id, entry.pirq);
    this.guestEoi(entry);
  }

  private endsHere({ gmsi, pirq }: PirqDpci, vcpu: number, vector: number): boolean {
    if (gmsi?.vector !== vector) return false;
    const { bus } = this.d.chips;
    if (this.old) return this.gvecPirq[vector] === pirq;
    return bus.isMeant(bus.apics[vcpu]!, gmsi.destination, gmsi.logical);
  }

  /** pirq_guest_eoi. What that makes of a line still high is a raise by itself. */
  private guestEoi({ pirq }: PirqDpci): void {
    const { books, irqs } = this.xen;
    const { source, journey } = books;
    irqs.guests.guestEoi(this.id, pirq);
    books.source = source;
    books.journey = journey;
  }

  // to look at

  /** What waits for hvm_dirq_assist, and the slots of the books for it. */
  waiting(): readonly { readonly pirq: number; readonly masked: boolean; readonly slot: SlotId }[] {
    return this.entries;
  }

  save(): Plain {
    const entries = this.entries.map(({ timer: _, gmsi, pins, ...rest }) => ({
      ...rest,
      gmsi: gmsi ? { ...gmsi } : null,
      pins: pins.map((p) => ({ ...p })),
    }));
    return { entries, gvecPirq: [...this.gvecPirq] };
  }

  restore(state: Plain): void {
    const s = state as unknown as { entries: Saved[]; gvecPirq: number[] };
    this.entries = this.entries.filter((e) => s.entries.some((saved) => saved.pirq === e.pirq));
    for (const { gmsi, pins, pirq, slot, ...rest } of s.entries) {
      const entry = this.find(pirq) ?? this.add(pirq, undefined, slot);
      Object.assign(entry, rest, { gmsi: gmsi ?? undefined });
      entry.pins.splice(0, Infinity, ...pins);
    }
    this.gvecPirq = [...s.gvecPirq];
  }
}
