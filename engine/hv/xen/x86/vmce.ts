/**
 * Machine checks for guests: what a virtual CPU sees in place of the machine's banks, and the #MC that makes it look
 * (struct vmce, inject_vmce and fill_vmsr_data of xen/arch/x86/cpu/mcheck/vmce.c; on 3.4 mce_intel.c and do_iret).
 *
 * 4.17 tells all virtual CPUs of the guest whose page it is, HVM or dom0. 3.4 tells dom0's first one and nobody else, on
 * the CPU that deals with the error, and once more at its IRET if another error has come since.
 */
import { MCG_STATUS, MCG_STATUS_MCIP, MCG_STATUS_RIPV, mcaBank, SRAO_SCRUB } from '../../../abi/mca.ts';
import type { Books, SlotId, SourceId } from '../../../core/books.ts';
import type { Part, Plain } from '../../../core/state.ts';
import type { Trace, Tracepoint } from '../../../core/trace.ts';
import type { Pcpu } from '../../pcpu.ts';
import type { Vcpu } from '../../vcpu.ts';
import type { Domain } from '../domain.ts';
import type { DomainControl } from '../domain-control.ts';
import type { Kicks } from '../kicks.ts';
import type { Schedule } from '../schedule.ts';
import type { XenProfile } from '../softirq.ts';
import { HvmVcpu } from './hvm-vcpu.ts';

/** Bank 0 is a special one on old processors, so that a guest finds its errors in bank 1. */
const GUEST_BANK = 1;

export interface VmceHost {
  readonly profile: XenProfile;
  readonly books: Books;
  readonly trace: Trace;
  readonly stamp: number;
  readonly vcpus: readonly Vcpu[];
  readonly sched: Schedule;
  readonly control: DomainControl;
  domain(id: number): Domain;
  readonly kicks: Kicks;
}

/** A page that is nobody's. */
export const FREE_PAGE = -1;

export class VirtualMachineChecks implements Part {
  readonly id = 'xen.vmce';
  private readonly slots: SlotId;
  private readonly source: SourceId;
  /** by virtual CPU: MCG_STATUS, and the low half of its bank's MCi_STATUS */
  private readonly global: number[];
  private readonly status: number[];
  /** by virtual CPU, of paravirtual ones: mce_pending, and its handler runs (async_exception_mask) */
  private readonly pending: boolean[];
  private readonly handling: boolean[];
  /** 3.4: errors that dom0 has still to be told of (nr_injection) */
  private injections = 0;
  private readonly tp: Tracepoint;

  constructor(private readonly host: VmceHost) {
    const { books, vcpus, trace } = host;
    this.slots = books.addSlots(vcpus.length);
    this.source = books.sourceOf('xen');
    this.global = vcpus.map(() => 0);
    this.status = vcpus.map(() => 0);
    this.pending = vcpus.map(() => false);
    this.handling = vcpus.map(() => false);
    this.tp = trace.point('inject_vmce', 'dom', 'vcpu');
  }

  // Xen tells a guest

  /**
   * The page of the error in hand is taken away. Its owner is told, or ended if it cannot live with that: a guest whose
   * memory is not mapped by nested paging, or that has not dealt with the error before (mc_memerr_dhandler).
   */
  pageLost(id: number): void {
    if (this.host.profile === '3.4') {
      // whatever the page, the error is dom0's
      this.injections++;
      return;
    }
    if (id === FREE_PAGE) return;
    const domain = this.host.domain(id);
    if (this.unmapped(domain) && this.fill(domain) && this.inject(domain)) return;
    // that of dom0 would be the machine's
    if (id !== 0) this.host.control.shutDown(id, 'crashed by a machine check');
  }

  /** unmmap_broken_page */
  private unmapped({ id, vcpus }: Domain): boolean {
    const v = vcpus[0];
    return id === 0 || (v instanceof HvmVcpu && v.options.hap);
  }

  /** fill_vmsr_data: the first virtual CPU finds the error, all others that there is one. */
  private fill({ vcpus }: Domain): boolean {
    let filled = true;
    for (const { vcpu, index } of vcpus) {
      if (this.global[index]! & MCG_STATUS_MCIP) {
        filled = false;
        continue;
      }
      this.global[index] = MCG_STATUS_MCIP | MCG_STATUS_RIPV;
      this.status[index] = vcpu === 0 ? SRAO_SCRUB : 0;
    }
    return filled;
  }

  /** inject_vmce, broadcast. */
  private inject({ vcpus }: Domain): boolean {
    for (const v of vcpus) {
      if (v instanceof HvmVcpu && !v.hvm.chips.vcpus[v.vcpu]!.initialised) continue;
      if (!this.pend(v)) return false;
    }
    return true;
  }

  /** Sets mce_pending and kicks; false: it was set. */
  private pend(v: Vcpu): boolean {
    const { books, trace, stamp } = this.host;
    if (this.isPending(v)) return false;
    books.pend(this.slots + v.index, books.destinationOf(`${v.name} #MC`));
    trace.emit(this.tp, stamp, books.journey, v.processor, v.domain, v.vcpu);
    if (v instanceof HvmVcpu) v.hvm.chips.vcpus[v.vcpu]!.pendMce();
    else {
      this.pending[v.index] = true;
      this.host.kicks.kick(v);
    }
    return true;
  }

  private isPending(v: Vcpu): boolean {
    if (v instanceof HvmVcpu) return v.hvm.chips.vcpus[v.vcpu]!.mcePending;
    return this.pending[v.index]!;
  }

  /** 3.4: dom0's first virtual CPU is brought to this CPU and told. */
  tellDom0(here: Pcpu): void {
    const { books, sched } = this.host;
    const v = this.host.domain(0).vcpus[0]!;
    if (this.pending[v.index]) {
      books.coalesce(books.destinationOf(`${v.name} #MC`));
      return;
    }
    sched.pin(v, here);
    this.pend(v);
  }

  // the virtual CPU takes it

  /** process_mce: is a paravirtual one to be told now? */
  due({ index }: Vcpu): boolean {
    return this.pending[index]! && !this.handling[index]!;
  }

  /** Is it about to be? It does not go to sleep then. */
  waitsFor({ index }: Vcpu): boolean {
    return this.pending[index]!;
  }

  /** A frame for the handler of a paravirtual one is made; the answer is the journey. */
  bounce(v: Vcpu): number {
    this.pending[v.index] = false;
    this.handling[v.index] = true;
    return this.taken(v);
  }

  /** Its kernel's handler begins. */
  taken(v: Vcpu): number {
    return this.host.books.deliver(this.slots + v.index);
  }

  journeyOf(v: Vcpu): number {
    return this.host.books.journeyIn(this.slots + v.index);
  }

  /** HYPERVISOR_iret that ends the handler of a paravirtual one, which has cleared MCIP before. */
  returned(v: Vcpu): void {
    const { profile, sched, books } = this.host;
    this.handling[v.index] = false;
    this.global[v.index] = 0;
    this.status[v.index] = 0;
    if (profile !== '3.4') return;
    sched.unpin(v);
    this.injections = Math.max(0, this.injections - 1);
    if (this.injections === 0 || this.pending[v.index]) return;
    books.begin(this.source);
    sched.pin(v, v.cpu);
    this.pend(v);
  }

  /** It was reset by an INIT. */
  reset(v: Vcpu): void {
    this.host.books.discard(this.slots + v.index, 'INIT');
    this.global[v.index] = 0;
    this.status[v.index] = 0;
  }

  // its registers

  rdmsr({ index }: Vcpu, msr: number): number | undefined {
    if (msr === MCG_STATUS) return this.global[index]!;
    const bank = mcaBank(msr);
    if (!bank) return undefined;
    return bank.register === 'status' && bank.bank === GUEST_BANK ? this.status[index]! : 0;
  }

  /** @returns false: it is none of these registers */
  wrmsr({ index }: Vcpu, msr: number, low: number): boolean {
    if (msr === MCG_STATUS) this.global[index] = low;
    else {
      const bank = mcaBank(msr);
      if (!bank) return false;
      if (bank.register === 'status' && bank.bank === GUEST_BANK) this.status[index] = low;
    }
    return true;
  }

  /** Of a virtual CPU that runs on VMX: does the books' slot hold what it should? For tests. */
  slotOf(v: Vcpu): SlotId {
    return this.slots + v.index;
  }

  /** Does a #MC wait for it, up to its gate? */
  waits(v: Vcpu): boolean {
    return this.isPending(v) || (v instanceof HvmVcpu && v.inDelivery(18, 3));
  }

  save(): Plain {
    return {
      global: [...this.global],
      status: [...this.status],
      pending: [...this.pending],
      handling: [...this.handling],
      injections: this.injections,
    };
  }

  restore(state: Plain): void {
    const s = state as {
      global: number[];
      status: number[];
      pending: boolean[];
      handling: boolean[];
      injections: number;
    };
    this.global.splice(0, Infinity, ...s.global);
    this.status.splice(0, Infinity, ...s.status);
    this.pending.splice(0, Infinity, ...s.pending);
    this.handling.splice(0, Infinity, ...s.handling);
    this.injections = s.injections;
  }
}
