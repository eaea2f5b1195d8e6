/**
 * The machine at one moment, as plain data: what the monitor draws, `--json` prints and tests compare.
 * Taking one has no effect on the machine.
 */
import type { Account } from '../core/books.ts';
import type { LatencyTotals } from '../core/latency.ts';
import type { RunstateTimes } from '../core/runstate.ts';
import type { Interrupts, IrqRow, Softirqs, Stat } from '../proc/types.ts';
import type { ArmSnapshot, GicSnapshot } from './inspect-arm.ts';
import type { SourceSnapshot } from './sources.ts';

export type * from './inspect-arm.ts';
export type { SourceSnapshot } from './sources.ts';

export interface Snapshot {
  readonly scenario: string;
  readonly title: string;
  /** e.g. `Xen 4.17 x86_64` */
  readonly system: string;
  /** what has ended the hypervisor, so that nothing runs any more; absent while it runs */
  readonly ended?: string;
  readonly seed: number;
  /** virtual nanoseconds since boot */
  readonly time: number;
  /** events simulated so far */
  readonly events: number;
  readonly cpus: readonly CpuSnapshot[];
  readonly domains: readonly DomainSnapshot[];
  /** the hypervisor, where it is Xen */
  readonly xen?: XenSnapshot;
  readonly devices: readonly DeviceSnapshot[];
  /** workloads that run by themselves */
  readonly sources: readonly SourceSnapshot[];
  /** the interrupt fired last by the user, hop by hop; null before the first */
  readonly lastFired: JourneySnapshot | null;
  readonly books: readonly Account[];
  /** sums over the run */
  readonly totals: RunTotals;
}

/** Sums over the run. */
export interface RunTotals {
  /** handlers run */
  readonly interrupts: number;
  /** upcalls into guests that know Xen; 0 without such */
  readonly upcalls: number;
  /** VM exits; absent where there are no such guests */
  readonly exits?: number;
}

/** A physical CPU. */
export interface CpuSnapshot {
  readonly cpu: number;
  /** who runs: e.g. `dom1.0`; null when idle */
  readonly running: string | null;
  readonly mode: 'guest' | 'xen' | 'host' | 'idle';
  /** nanoseconds since boot spent in guests, in the hypervisor and idle; they add up to the time */
  readonly guestNs: number;
  readonly xenNs: number;
  readonly idleNs: number;
  /** how the processor runs: `root` and `non-root` with VMX, `EL2` and `EL1`, `ring 0` and `ring 3` under PV guests */
  readonly level?: string;
  /** what the host's kernel runs there: `CPU 0/KVM`; absent where there is none */
  readonly task?: string | null;
  /** who waits for this CPU, first come first */
  readonly queue?: readonly string[];
  /** context switches since boot, to the idle loop as well; exits of guests */
  readonly switches?: number;
  readonly exits?: number;
}

export interface DomainSnapshot {
  readonly id: number;
  /** as the toolstack names it: `Domain-0` is `dom0` here */
  readonly name: string;
  /** e.g. `PV dom0, Linux 6.1` */
  readonly kind: string;
  readonly vcpus: readonly VcpuSnapshot[];
  readonly interrupts: Interrupts;
  /** beside each row of `interrupts.rows`, by the same index */
  readonly irqStates: readonly IrqState[];
  readonly softirqs: Softirqs;
  /** /proc/stat; where it is missing, `statOf` puts it together from the rest */
  readonly stat?: Stat;
  /** what its kernel complained of */
  readonly messages?: readonly string[];
  /** from raises to handlers, by interrupt; absent where nobody measures */
  readonly latency?: readonly LatencySnapshot[];
  /** event channels in use, by port; empty where the domain has none */
  readonly channels: readonly ChannelSnapshot[];
  /** ports that are closed while their event words are still in a queue: Xen does not give them out; absent: none */
  readonly closedBusy?: readonly number[];
  /** VM exits; absent where nothing of the kind happens */
  readonly exits?: ExitsSnapshot;
  /** what the host's KVM tells of it in debugfs; absent of all but machines of KVM */
  readonly kvm?: KvmVmSnapshot;
  /** what Xen's tools show of it; absent of all but domains of Xen */
  readonly xl?: XlSnapshot;
  /** its x86 interrupt controllers; absent where it has none */
  readonly x86?: X86Snapshot;
  /** its virtual GIC; absent where it has none */
  readonly arm?: ArmSnapshot;
}

export interface VcpuSnapshot {
  readonly vcpu: number;
  readonly state: 'running' | 'runnable' | 'blocked' | 'offline';
  /** the physical CPU it runs on or ran on last */
  readonly cpu: number;
  readonly runNs: number;
  /** of it in guests; of a host's CPUs */
  readonly guestNs?: number;
  /**
   * nanoseconds since boot in each runstate, which add up to the time: `runnable` is what a guest knows as steal; absent
   * of the host's own CPUs, and where nobody knows
   */
  readonly times?: RunstateTimes;
  /** times that it was woken */
  readonly wakeUps?: number;
  readonly upcallPending: boolean;
  readonly upcallMask: boolean;
  /** upcalls taken since boot */
  readonly upcalls: number;
}

/**
 * How long interrupts of one row took from their raise to the handler: of each raise its first handler here. Raises that
 * were coalesced are counted with the first of them. Times in ns.
 */
export interface LatencySnapshot extends LatencyTotals {
  /** the row of `interrupts`: its number, or the label of one of the architecture's; of Xen vector or INTID */
  readonly row: number | string;
  /** number of the interrupt, as hops of journeys have it; of a kernel's own vector less than 0 */
  readonly irq: number;
  /** who handles it */
  readonly name: string;
}

/** What /proc/interrupts does not tell about a row. */
export interface IrqState {
  readonly row: IrqRow;
  readonly pending: boolean;
  readonly masked: boolean;
  /** being handled now */
  readonly active: boolean;
  /** event channel; null where there is none */
  readonly port: number | null;
  /** by disable_irq, so that it stays so until enable_irq; absent: it is not */
  readonly disabled?: true;
  /** CPUs that somebody has allowed for it (smp_affinity); absent: as its driver wanted it */
  readonly affinity?: readonly number[];
}

export interface ChannelSnapshot {
  readonly port: number;
  /** FIFO: 0 the most urgent, 15 the least; absent where channels have two levels */
  readonly priority?: number;
  /** raised before there was an event word for it, which Xen has kept; absent: it was not */
  readonly kept?: true;
  readonly kind: 'unbound' | 'interdomain' | 'pirq' | 'virq' | 'ipi';
  /** vCPU that is notified */
  readonly vcpu: number;
  readonly pending: boolean;
  readonly masked: boolean;
  /** e.g. `dom1:15`, `virq 0`, `pirq 12 (irq 24)` */
  readonly peer: string;
}

/** Something that can be fired. */
export interface DeviceSnapshot {
  /** the key, a digit */
  readonly key: string;
  /** as `--fire` takes it */
  readonly name: string;
  /** e.g. `i8042 keyboard` */
  readonly title: string;
  /** times fired by the user */
  readonly fired: number;
  /** events in a second that it makes by itself; 0: it does not storm */
  readonly storm: number;
  /** rows that its interrupts end in; of Xen vectors or INTIDs. Empty: none has a number */
  readonly ends: readonly { readonly domain: number; readonly irq: number }[];
  /** sources in the books that are it */
  readonly sources: readonly string[];
}

export interface JourneySnapshot {
  readonly journey: number;
  readonly device: string;
  /** virtual time of the raise */
  readonly start: number;
  readonly hops: readonly HopSnapshot[];
  /** raise to the end of its last handler in ns; null while under way */
  readonly latency: number | null;
}

/**
 * Where the processor is at a hop: `device` on wires and in chips; `ring0` in Xen under a paravirtual guest, `root` in
 * VMX root mode, `el2`; `exit` and `entry` on the way between that and the guest; `guest` in its kernel, `el1` on ARM.
 */
export type HopMode = 'device' | 'ring0' | 'root' | 'exit' | 'entry' | 'guest' | 'el2' | 'el1';

export interface HopSnapshot {
  /** ns since the raise */
  readonly at: number;
  /** physical CPU, -1 outside */
  readonly cpu: number;
  readonly mode: HopMode;
  /** the function, e.g. `do_IRQ` */
  readonly name: string;
  /** what it was called for: `vector 0x59, irq 16` */
  readonly detail: string;
  /** for a crowded line: `port 31 pending`; empty: the path alone shows it */
  readonly text: string;
  /** what happens here, in a sentence; may be empty */
  readonly about: string;
  /** called by the hop above it */
  readonly nested: boolean;
  /** ns to the next hop on the same CPU; null: there is none */
  readonly next: number | null;
  /** ns that the table of costs charges for it; null: nothing of its own */
  readonly charged: number | null;
  /** a handler ran here */
  readonly end: boolean;
  /** what waited for it in chips and event channels once its event was over; empty where nobody knows */
  readonly pending: string;
}

/** Xen as a domain of its own. Counts are since boot; lists without a word about it are by physical CPU. */
export type XenSnapshot = XenX86Snapshot | XenArmSnapshot;

/** What it tells of itself on any machine. */
interface XenCommon {
  /** DOMID_XEN */
  readonly id: number;
  readonly name: 'Xen';
  /** e.g. `hypervisor 4.17` */
  readonly kind: string;
  /** all there are, in the order they run */
  readonly softirqs: readonly XenSoftirqSnapshot[];
  /** event-check IPIs sent, and those saved as the CPU monitored its softirq word in MWAIT */
  readonly eventChecks: { readonly sent: number; readonly skipped: number };
  /** from raises of devices to where Xen takes them (do_IRQ), by vector or INTID */
  readonly latency?: readonly LatencySnapshot[];
}

export interface XenX86Snapshot extends XenCommon {
  /** vectors that have come, in ascending order */
  readonly vectors: readonly XenVectorSnapshot[];
  readonly nmis: readonly number[];
  /** interrupts of guests that wait for their EOI, from the bottom up */
  readonly pendingEoi: readonly (readonly PendingEoiSnapshot[])[];
  /** what holds back interrupts that come too often, or ends those that nobody does */
  readonly brakes: readonly XenBrakeSnapshot[];
  /** the physical ones; of several IOAPICs the first */
  readonly x86: X86Snapshot;
  readonly hook: HookSnapshot;
}

export interface XenArmSnapshot extends XenCommon {
  /** interrupts that have come or that somebody has, by ascending INTID */
  readonly irqs: readonly XenIrqSnapshot[];
  /** the physical one */
  readonly gic: GicSnapshot;
}

/** A row of interrupts: one INTID. */
export interface XenIrqSnapshot {
  readonly intid: number;
  /** what kind it is, and how it triggers: `SPI level`, `SGI` */
  readonly what: string;
  /** `Xen` with who it is requested for, or the domain that has it, with its number there: `dom0:36 virtio2` */
  readonly owner: string;
  readonly counts: readonly number[];
}

/** A row of interrupts: one vector. */
export interface XenVectorSnapshot {
  readonly vector: number;
  /** Xen's function, or an interrupt and its type: `irq 16 IO-APIC-level` */
  readonly what: string;
  /** `Xen` with the function that handles it, or the domains that have it, each with its pirq: `dom0:16` */
  readonly owner: string;
  readonly counts: readonly number[];
}

export interface XenSoftirqSnapshot {
  readonly name: string;
  readonly counts: readonly number[];
  readonly pending: readonly boolean[];
}

export interface XenBrakeSnapshot {
  /** `irq_ratelimit`, `irq_guest_eoi_timer`; of 3.4 `IRQ_GUEST_EOI_PENDING` */
  readonly name: string;
  /** interrupts lost, EOIs forced; of 3.4 times that it was put on */
  readonly count: number;
  /** interrupts that it holds back now */
  readonly irqs: readonly number[];
}

export interface PendingEoiSnapshot {
  readonly irq: number;
  readonly vector: number;
  /** its guest is done with it: it goes once all above it have */
  readonly ready: boolean;
}

/** The interrupt hook. */
export interface HookSnapshot {
  readonly on: boolean;
  /** records of each CPU, and the time with interrupts off that they have added, in ns */
  readonly cpus: readonly { readonly records: number; readonly added: number }[];
  /** what was recorded last, oldest first */
  readonly last: readonly HookRecordSnapshot[];
}

/** A vector that has come to Xen. */
export interface HookRecordSnapshot {
  /** virtual ns, of the CPU */
  readonly time: number;
  readonly cpu: number;
  /** the virtual CPU that it found; DOMID_IDLE and the CPU's number where that idles */
  readonly domain: number;
  readonly vcpu: number;
  /** as that version of Xen prints it: `d1v0`, `d[IDLE]v2` */
  readonly who: string;
  /** where it was seen: e.g. `do_IRQ` */
  readonly point: string;
  readonly vector: number;
  /** what the vector stands for: as in the rows, or the exception */
  readonly what: string;
  /** the raise that it stands for; 0: none */
  readonly journey: number;
}

/** VM exits of one machine since boot. */
export interface ExitsSnapshot {
  /** reasons that have occurred, by number */
  readonly rows: readonly ExitRow[];
  /** the counters of the hypervisor by their names in debugfs, e.g. `irq_injections` */
  readonly stats: readonly (readonly [name: string, value: number])[];
}

/** A domain of Xen: XEN_DOMCTL_getdomaininfo, and what dom0's backends have counted for it. */
export interface XlSnapshot {
  /** held back by a tool of dom0 */
  readonly paused: boolean;
  /** what has ended it; empty: nothing has */
  readonly end: string;
  /** packets of its network interfaces as dom0 sees them: received from the domain, and sent to it */
  readonly vifs: readonly { readonly received: number; readonly sent: number }[];
  /** requests to its disks */
  readonly vbds: readonly { readonly requests: number }[];
}

/** A machine of KVM as a process of its host. */
export interface KvmVmSnapshot {
  /** of QEMU */
  readonly pid: number;
  /** its folder in debugfs, `PID-FD`; null: this kernel makes none */
  readonly folder: string | null;
  /** the counters of debugfs that are not those of its virtual CPUs, `exits.stats` */
  readonly files: readonly (readonly [name: string, value: number])[];
  /** a folder of its own for each virtual CPU */
  readonly vcpus: readonly (readonly (readonly [name: string, value: number])[])[];
}

export interface ExitRow {
  /** basic exit reason (SDM volume 3, appendix C) */
  readonly reason: number;
  /** e.g. `EXTERNAL_INTERRUPT` */
  readonly name: string;
  /** per virtual CPU */
  readonly counts: readonly number[];
  /** from the exit to the next entry, in ns: the sum, and what 99 of 100 stay below */
  readonly totalNs: number;
  readonly p99Ns: number;
}

/** The interrupt controllers of one x86 machine. */
export interface X86Snapshot {
  readonly lapics: readonly LapicSnapshot[];
  readonly ioapic: IoApicSnapshot | null;
  /** master and slave */
  readonly pic: readonly [PicSnapshot, PicSnapshot] | null;
  /** who a vector is for, by CPU and vector: e.g. `virtio0-input.0`; vectors without a handler are missing */
  readonly vectors: readonly { readonly [vector: number]: string }[];
  /** how often devices have raised each interrupt line (GSI); absent where nobody counts */
  readonly rises?: readonly number[];
}

/** A local APIC and what its processor is about to take. Sets of 256 vectors are eight words, lowest first. */
export interface LapicSnapshot {
  readonly cpu: number;
  readonly apicId: number;
  readonly x2apic: boolean;
  readonly irr: readonly number[];
  readonly isr: readonly number[];
  readonly tmr: readonly number[];
  readonly tpr: number;
  readonly ppr: number;
  /**
   * the other registers as Linux calls them: ID, LDR, DFR, SVR, ESR, ICR, ICR2, LVTT, LVTTHMR, LVTPC, LVT0, LVT1,
   * LVTERR, TMICT, TMCCT, TDCR; ICR2 is the upper half of ICR
   */
  readonly registers: readonly (readonly [name: string, value: number])[];
  /** RFLAGS.IF of the kernel that runs on it */
  readonly interruptFlag: boolean;
  /** posted-interrupt descriptor; null where there is none */
  readonly posted: {
    readonly pir: readonly number[];
    readonly on: boolean;
    readonly sn: boolean;
    readonly nv: number;
  } | null;
  /**
   * the bit of PV EOI, from VM entry to the next exit: 1, the guest may clear it; 0, it has, and ISR does not show that yet;
   * absent where KVM has not set it
   */
  readonly pvEoi?: 0 | 1;
  /** null on a physical processor */
  readonly vmcs: VmcsSnapshot | null;
}

export interface VmcsSnapshot {
  /** e.g. `running on CPU1, guest mode` */
  readonly place: string;
  /** VM-entry interruption-information, as last written */
  readonly entryInfo: number;
  /** an interrupt window is asked for; an NMI window */
  readonly interruptWindow: boolean;
  readonly nmiWindow: boolean;
  /** where the processor has APICv for it: is it active, or inhibited in its machine? And what it keeps of IRR and ISR */
  readonly apicv?: {
    readonly active: boolean;
    readonly rvi: number;
    readonly svi: number;
    /** fields that are not what they are to be: the highest vector of IRR (in guest mode) and of ISR */
    readonly stale: readonly ('RVI' | 'SVI')[];
  };
  /** every field of interest by its name in the SDM, e.g. `VM-exit interruption-information` */
  readonly fields: readonly (readonly [name: string, value: number])[];
}

export interface IoApicSnapshot {
  readonly id: number;
  readonly select: number;
  /** inputs that wait, a bit for each pin, as KVM_GET_IRQCHIP tells; where it is absent, the lines that are up */
  readonly irr?: number;
  readonly pins: readonly IoApicPinSnapshot[];
}

export interface IoApicPinSnapshot {
  readonly pin: number;
  /** the redirection entry, bits 31-0 and 63-32 */
  readonly low: number;
  readonly high: number;
  /** the wire */
  readonly line: boolean;
}

/** One 8259A; its eight inputs from bit 0 on. */
export interface PicSnapshot {
  readonly irr: number;
  readonly imr: number;
  readonly isr: number;
  readonly elcr: number;
  readonly base: number;
  readonly priorityAdd: number;
  readonly readIsr: boolean;
  readonly poll: boolean;
  readonly initState: number;
  readonly autoEoi: boolean;
  readonly rotateOnAutoEoi: boolean;
  readonly specialFullyNested: boolean;
  readonly specialMask: boolean;
}
