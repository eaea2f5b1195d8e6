/** KVM as a module of the host's Linux: its machines and their virtual CPUs, and what they share. */
import type { Books } from '../../core/books.ts';
import type { Clock, Ns } from '../../core/clock.ts';
import type { Trace, Tracepoint } from '../../core/trace.ts';
import type { Processor, ProcessorWiring } from '../../hw/x86/processor.ts';
import { EXIT_REASONS, exitName } from '../../hw/x86/vmcs-fields.ts';
import { ExitTable } from '../exits.ts';
import type { HypervisorShop } from '../shop.ts';
import type { HaltPollOptions } from './halt-poll.ts';
import type { HostKernel } from './host.ts';
import { PostedInterrupts } from './posted.ts';
import { KvmStats } from './stats.ts';
import type { KvmVcpu } from './vcpu.ts';
import { VcpuRun } from './vcpu-run.ts';

export interface KvmOptions {
  readonly version: '2.6.36' | '6.1';
  /** VM-exit control "acknowledge interrupt on exit" */
  readonly ackOnExit: boolean;
  /** APIC-register virtualization and virtual-interrupt delivery */
  readonly apicv: boolean;
  /** posted interrupts on top of it */
  readonly posted: boolean;
  /** guests' timers by the VMX-preemption timer */
  readonly preemptionTimer: boolean;
  readonly ept: boolean;
  /** SVI follows what is in service as APICv is activated at run time */
  readonly sviUpdate: boolean;
  readonly haltPoll: HaltPollOptions;
  /** at an EOI the IOAPIC looks at its wires again */
  readonly resample: boolean;
}

/** Events of KVM, by their names in tracefs. */
function points(trace: Trace) {
  return {
    setIrq: trace.point('kvm_set_irq', 'vm', 'gsi', 'level', 'source'),
    msi: trace.point('kvm_msi_set_irq', 'vm', 'address', 'data'),
    masked: trace.point('msix_notify', 'vm', 'vector', 'pending'),
    ioapicInput: trace.point('ioapic_set_irq', 'vm', 'pin', 'low', 'high'),
    ioapicSetIrq: trace.point('kvm_ioapic_set_irq', 'vm', 'pin', 'entry', 'coalesced'),
    picInput: trace.point('pic_set_irq1', 'vm', 'pin', 'masked', 'level'),
    picSetIrq: trace.point('kvm_pic_set_irq', 'vm', 'pin', 'masks', 'coalesced'),
    delayedEoi: trace.point('kvm_ioapic_delayed_eoi_inj', 'vm', 'pin', 'entry'),
    inhibit: trace.point('kvm_apicv_inhibit_changed', 'vm', 'reason', 'set', 'inhibits'),
    ackIrq: trace.point('kvm_ack_irq', 'vm', 'irqchip', 'pin'),
    ioeventfd: trace.point('ioeventfd_write', 'vcpu', 'address'),
    apicIpi: trace.point('kvm_apic_ipi', 'vcpu', 'icr', 'destination'),
    accept: trace.point('kvm_apic_accept_irq', 'vcpu', 'vector', 'mode', 'level'),
    acceptApicv: trace.point('kvm_apicv_accept_irq', 'vcpu', 'vector', 'mode', 'level'),
    selfIpi: trace.point('self_ipi_virtualization', 'vcpu', 'vector'),
    pio: trace.point('kvm_pio', 'vcpu', 'port', 'how', 'value'),
    mmio: trace.point('kvm_mmio', 'vcpu', 'gpa', 'how', 'value'),
    fastMmio: trace.point('kvm_fast_mmio', 'vcpu', 'gpa'),
    apic: trace.point('kvm_apic', 'vcpu', 'write', 'register', 'value'),
    msr: trace.point('kvm_msr', 'vcpu', 'how', 'msr', 'value'),
    fpu: trace.point('kvm_fpu', 'vcpu', 'load'),
    userspaceExit: trace.point('kvm_userspace_exit', 'vcpu', 'reason'),
    wakeUp: trace.point('kvm_vcpu_wake_up', 'vcpu'),
    halted: trace.point('kvm_vcpu_wakeup', 'vcpu', 'ns', 'waited', 'valid'),
    haltPoll: trace.point('kvm_halt_poll_ns', 'vcpu', 'grow', 'new', 'old'),
    kick: trace.point('kvm_vcpu_kick', 'vcpu', 'cpu'),
    load: trace.point('vcpu_load', 'vcpu', 'cpu'),
    entry: trace.point('kvm_entry', 'vcpu'),
    exit: trace.point('kvm_exit', 'vcpu', 'reason', 'info', 'qualification'),
    hostGate: trace.point('handle_external_interrupt', 'vcpu', 'vector', 'acked'),
    injectVirq: trace.point('kvm_inj_virq', 'vcpu', 'vector', 'again'),
    injectNmi: trace.point('kvm_inj_nmi', 'vcpu'),
    virtualDelivery: trace.point('virtual_interrupt_delivery', 'vcpu', 'vector'),
    posted: trace.point('posted_interrupt', 'vcpu', 'vector', 'notified'),
    processPosted: trace.point('posted_interrupt_processing', 'vcpu', 'vector'),
    refreshApicv: trace.point('vmx_refresh_apicv_exec_ctrl', 'vcpu', 'active', 'svi'),
    ioapicEoi: trace.point('kvm_ioapic_update_eoi', 'vm', 'vector'),
    eoi: trace.point('kvm_eoi', 'vcpu', 'vector', 'pv'),
    pvEoi: trace.point('kvm_pv_eoi', 'vcpu', 'vector'),
  };
}

export class Kvm {
  readonly clock: Clock;
  readonly trace: Trace;
  readonly books: Books;
  readonly points: ReturnType<typeof points>;
  readonly run = new VcpuRun(this);
  readonly posted = new PostedInterrupts(this);
  readonly vcpus: KvmVcpu[] = [];
  stats!: KvmStats;
  exits!: ExitTable;
  /** user space carries on what this raise began: its lines and messages are of one journey; 0: it begins anew */
  carried = 0;
  /** the kernel that KVM is part of; set before anything runs */
  host!: HostKernel;

  constructor(
    shop: HypervisorShop,
    readonly options: KvmOptions,
    readonly wiring: ProcessorWiring,
  ) {
    this.clock = shop.clock;
    this.trace = shop.trace;
    this.books = shop.books;
    this.books.now = () => this.now;
    this.points = points(shop.trace);
  }

  /** All virtual CPUs are there: their counters are made. */
  ready(shop: HypervisorShop): void {
    this.stats = shop.parts.add(new KvmStats(this.options.version, this.vcpus.length));
    this.exits = shop.parts.add(
      new ExitTable(
        'kvm.exits',
        this.vcpus.map((v) => v.vm.index),
        EXIT_REASONS,
        exitName,
      ),
    );
  }

  get processors(): readonly Processor[] {
    return this.wiring.cpus;
  }

  /** The processor whose decision is being made. Interrupts of devices find the first one. */
  get here(): Processor {
    return this.wiring.here ?? this.wiring.cpus[0]!;
  }

  /** A record of the code that runs here, in the name of the raise that it runs for. */
  emit(point: Tracepoint, a = 0, b = 0, c = 0, d = 0): void {
    this.trace.emit(point, this.now, this.books.journey, this.hereCpu, a, b, c, d);
  }

  /** The same, for who follows the trace. */
  tell(point: Tracepoint, a = 0, b = 0, c = 0, d = 0): void {
    if (this.trace.detailed) this.emit(point, a, b, c, d);
  }

  get hereCpu(): number {
    return this.wiring.here ? this.wiring.here.processor : -1;
  }

  get now(): Ns {
    return this.wiring.here ? this.wiring.here.now : this.clock.now;
  }
}
