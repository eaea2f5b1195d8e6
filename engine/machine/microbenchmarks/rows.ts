/**
 * Between which two records of a run's trace each microbenchmark is measured. From where its program begins, the records are
 * looked for in order: `via`, where there is one, then `from`, then `to`.
 */
import { RESCHEDULE_VECTOR } from '../../guest/linux/native.ts';
import { Ec } from '../../hw/arm/exceptions.ts';
import { Exit } from '../../hw/x86/vmcs-fields.ts';
import type { MicrobenchmarkName } from '../../scenario/microbenchmarks.ts';
import { BEGIN, END } from './program.ts';

/** A record by the name of its tracepoint and some of its arguments. */
export interface Match {
  readonly point: string;
  readonly args?: Readonly<Record<string, number>>;
  /** of a handler: who has requested it */
  readonly action?: string;
}

export interface Between {
  readonly via?: Match;
  readonly from: Match;
  readonly to: Match;
}

export type Rows = Readonly<Record<MicrobenchmarkName, Between>>;

const begin: Match = { point: BEGIN };
const end: Match = { point: END };

/** Virtual CPUs of the scenarios paper-*.yaml, by their numbers among all of the host: those of dom0 are the first four. */
const KVM = { bench: 0, idle: 2, yields: 3, takes: 4 };
const XEN = { bench: 4, idle: 6, yields: 7, takes: 8 };

/** The kernel of domain 1 has found an IPI of its local APIC's. */
const rescheduled: Match = { point: 'generic_handle_irq', args: { dom: 1, irq: -RESCHEDULE_VECTOR } };

const kvmExit = (vcpu: number, reason: number): Match => ({ point: 'kvm_exit', args: { vcpu, reason } });
const kvmEntry = (vcpu: number): Match => ({ point: 'kvm_entry', args: { vcpu } });
/** A handler of a domain's, on one of its CPUs. */
const handler = (dom: number, vcpu: number, action: string): Match => ({
  point: 'irq_handler_entry',
  args: { dom, vcpu },
  action,
});

export const KVM_ROWS: Rows = {
  hypercall: { from: kvmExit(KVM.bench, Exit.VMCALL), to: kvmEntry(KVM.bench) },
  trap: { from: kvmExit(KVM.bench, Exit.EPT_MISCONFIG), to: kvmEntry(KVM.bench) },
  ipi: { from: kvmExit(KVM.bench, Exit.MSR_WRITE), to: rescheduled },
  completion: {
    via: rescheduled,
    from: kvmExit(KVM.bench, Exit.MSR_WRITE),
    to: kvmEntry(KVM.bench),
  },
  switch: { from: kvmExit(KVM.yields, Exit.HLT), to: kvmEntry(KVM.takes) },
  'io-out': {
    from: kvmExit(KVM.bench, Exit.EPT_MISCONFIG),
    to: { point: 'ioeventfd_write', args: { vcpu: KVM.bench } },
  },
  'io-in': { from: { point: 'kvm_msi_set_irq', args: { vm: 1 } }, to: handler(2, 0, 'bench') },
};

const xenExit = (vcpu: number, reason: number): Match => ({ point: 'vmexit', args: { vcpu, reason } });
const xenEntry = (vcpu: number): Match => ({ point: 'vmentry', args: { vcpu } });

export const XEN_X86_ROWS: Rows = {
  hypercall: { from: xenExit(XEN.bench, Exit.VMCALL), to: xenEntry(XEN.bench) },
  trap: { from: xenExit(XEN.bench, Exit.MSR_READ), to: xenEntry(XEN.bench) },
  ipi: { from: xenExit(XEN.bench, Exit.VMCALL), to: handler(1, 1, 'resched1') },
  completion: { via: rescheduled, from: xenExit(XEN.bench, Exit.MSR_WRITE), to: xenEntry(XEN.bench) },
  switch: { from: xenExit(XEN.yields, Exit.HLT), to: xenEntry(XEN.takes) },
  'io-out': { from: xenExit(XEN.bench, Exit.VMCALL), to: handler(0, 1, 'bench-backend') },
  'io-in': { from: begin, to: handler(2, 0, 'bench') },
};

const armExit = (vcpu: number, reason: number): Match => ({ point: 'guest_exit', args: { vcpu, reason } });
const eret = (vcpu: number): Match => ({ point: 'eret', args: { vcpu } });

export const XEN_ARM_ROWS: Rows = {
  hypercall: { from: armExit(XEN.bench, Ec.HVC64), to: eret(XEN.bench) },
  trap: { from: armExit(XEN.bench, Ec.DABT_LOW), to: eret(XEN.bench) },
  ipi: { from: armExit(XEN.bench, Ec.DABT_LOW), to: handler(1, 1, 'IPI') },
  completion: { from: begin, to: end },
  switch: { from: armExit(XEN.yields, Ec.WFX), to: eret(XEN.takes) },
  'io-out': { from: armExit(XEN.bench, Ec.HVC64), to: handler(0, 1, 'bench-backend') },
  'io-in': { from: begin, to: handler(2, 0, 'bench') },
};
