/**
 * Linux's side of event channels on the real Xen side: a guest (domain 1) with its interrupts, a peer (domain 0)
 * that sends, and an upcall that runs the handlers one after the other. No time passes but what a test says.
 */
import { Books, type SlotId } from '../../engine/core/books.ts';
import type { LinuxCpu } from '../../engine/guest/linux/entry.ts';
import { Events2l } from '../../engine/guest/linux/events-2l.ts';
import type { ScanKind } from '../../engine/guest/linux/events-2l-scan.ts';
import type { EventAbi } from '../../engine/guest/linux/events-abi.ts';
import { EventsFifo } from '../../engine/guest/linux/events-fifo.ts';
import { EventIrqs } from '../../engine/guest/linux/evtchn.ts';
import { type IrqDesc, IrqTable } from '../../engine/guest/linux/irq-core.ts';
import type { EventsHost, IrqInfo } from '../../engine/guest/linux/irq-info.ts';
import { KERNELS, type KernelProfile, twoLevel } from '../../engine/guest/linux/profiles.ts';
import { EventChannels, xen } from '../../engine/index.ts';

export interface Kernel {
  readonly name: string;
  readonly profile: KernelProfile;
  readonly xen: '3.4' | '4.17';
  readonly scan?: ScanKind;
}

/** Every way a guest looks at its events. */
export const KINDS: readonly Kernel[] = [
  { name: 'Linux 6.1, FIFO', profile: KERNELS['linux-6.1'], xen: '4.17' },
  { name: 'Linux 6.1, 2-level', profile: twoLevel(KERNELS['linux-6.1']), xen: '4.17', scan: 'pvops' },
  { name: '2.6.3x-xen, 2-level', profile: KERNELS['linux-2.6.3x-xen'], xen: '3.4', scan: 'forward-port' },
  { name: '2.6.18-xen, 2-level', profile: KERNELS['linux-2.6.18-xen'], xen: '3.4', scan: '2.6.18' },
];

export const PEER = 0;
export const GUEST = 1;

export class GuestRig {
  readonly evtchn: EventChannels;
  readonly irqs: IrqTable;
  readonly events: EventIrqs;
  readonly abi: EventAbi;
  readonly books = new Books();
  /** what the handlers saw, in order */
  handled: { port: number; cpu: number }[] = [];
  /** what a port's handler does besides */
  readonly onEvent = new Map<number, (cpu: number) => void>();
  /** late EOIs that a CPU asked to be told of, in jiffies from when it asked */
  delays: { cpu: number; jiffies: number }[] = [];
  now = 1_000;
  private readonly shared: xen.SharedInfo;
  private readonly slots: SlotId;

  constructor(
    kernel: Kernel,
    readonly vcpus = 2,
  ) {
    this.slots = this.books.addSlots(4096);
    this.evtchn = new EventChannels(
      {
        kick: () => {},
        wake: () => {},
        xenConsumer: () => {},
        pirqBind: () => 0,
        pirqUnbind: () => {},
        pirqAffinity: () => {},
        pended: (dom, port) => {
          if (dom === GUEST) this.books.pend(this.slots + port, this.books.destinationOf(`port ${port}`));
        },
        discarded: () => {},
      },
      { profile: kernel.xen },
    );
    this.books.begin(this.books.sourceOf('test'));
    this.shared = new xen.SharedInfo(GUEST, vcpus);
    const memory = new xen.GuestMemory(GUEST, 512);
    for (const [id, shared] of [
      [PEER, new xen.SharedInfo(PEER, 1)],
      [GUEST, this.shared],
    ] as const) {
      this.evtchn.addDomain({
        id,
        vcpus: id === PEER ? 1 : vcpus,
        maxPort: 4095,
        nrPirqs: 16,
        privileged: id === PEER,
        shared,
        memory: id === GUEST ? memory : new xen.GuestMemory(id, 8),
      });
    }
    const calls = () => this.calls();
    this.irqs = new IrqTable(512, vcpus);
    if (kernel.profile.abi === 'fifo') {
      const fifo = new EventsFifo('guest', memory, vcpus, calls);
      fifo.init();
      this.abi = fifo;
    } else {
      const options = {
        timerFirst: kernel.profile.timerFirst,
        ...(kernel.scan ? { scan: kernel.scan } : {}),
      };
      this.abi = new Events2l('guest', this.shared, calls, options, (cpu) => this.events.timerPort(cpu));
    }
    this.events = new EventIrqs(this.host(kernel.profile), this.abi);
    if (kernel.profile.numbering === 'bindcount') this.events.initIrqs(false);
  }

  private host(profile: KernelProfile): EventsHost {
    const vcpu = (cpu: number) => this.shared.vcpus[cpu]!;
    return {
      id: 'guest',
      profile,
      irqs: this.irqs,
      books: this.books,
      cpuCount: this.vcpus,
      dynamicBase: profile.dynamicBase ?? 16,
      slot: (port) => this.slots + port,
      destination: (port) => this.books.destinationOf(`port ${port}`),
      hypercalls: () => this.calls(),
      jiffies: () => this.now,
      upcallPending: (cpu) => vcpu(cpu).upcallPending !== 0,
      setUpcall: (cpu, pending, mask) => {
        if (pending !== undefined) vcpu(cpu).upcallPending = Number(pending);
        if (mask !== undefined) vcpu(cpu).upcallMask = Number(mask);
      },
      delayEoi: (cpu, jiffies) => this.delays.push({ cpu, jiffies }),
    };
  }

  private calls() {
    const { evtchn } = this;
    const none = () => 0;
    return {
      allocUnbound: (remote: number) => evtchn.allocUnbound(GUEST, xen.DOMID_SELF, remote),
      bindInterdomain: (remote: number, port: number) => evtchn.bindInterdomain(GUEST, remote, port),
      bindVirq: (virq: number, vcpu: number) => evtchn.bindVirq(GUEST, virq, vcpu),
      bindIpi: (vcpu: number) => evtchn.bindIpi(GUEST, vcpu),
      bindPirq: (pirq: number) => evtchn.bindPirq(GUEST, pirq),
      close: (port: number) => evtchn.close(GUEST, port),
      send: (port: number) => evtchn.send(GUEST, port),
      bindVcpu: (port: number, vcpu: number) => evtchn.bindVcpu(GUEST, port, vcpu),
      unmask: (port: number) => evtchn.unmask(GUEST, port),
      initControl: (vcpu: number, gfn: number, at: number) => evtchn.initControl(GUEST, vcpu, gfn, at),
      expandArray: (gfn: number) => evtchn.expandArray(GUEST, gfn),
      setPriority: (port: number, priority: number) => evtchn.setPriority(GUEST, port, priority),
      setTimer: () => {},
      mapPirq: none,
      unmapPirq: none,
      eoi: none,
      needsEoi: () => false,
    };
  }

  private readonly sender = new Map<number, number>();

  /** A channel from the peer, with a handler in the guest; the answer is the guest's port. */
  channel(late = false): number {
    const desc = this.events.allocUnbound(PEER, late);
    this.sender.set(desc.port, this.evtchn.bindInterdomain(PEER, GUEST, desc.port));
    this.request(desc);
    return desc.port;
  }

  channels(n: number, late = false): number[] {
    return Array.from({ length: n }, () => this.channel(late));
  }

  /** Ports that nobody uses, so that the next ones lie in a later word of the bitmap. */
  fillUpTo(port: number): void {
    while (this.evtchn.allocUnbound(GUEST, xen.DOMID_SELF, PEER) < port - 1);
  }

  timer(cpu: number): number {
    return this.request(this.events.bindVirq(xen.VIRQ_TIMER, cpu, true));
  }

  ipi(cpu: number): number {
    return this.request(this.events.bindIpi('resched', cpu));
  }

  private request(desc: IrqDesc): number {
    this.irqs.request(desc, { name: `irq${desc.irq}`, work: { cost: () => 0, run: () => {} } });
    return desc.port;
  }

  info(port: number): IrqInfo {
    return this.events.infos[port]!;
  }

  /** The peer sends; more than once where a port is given more than once. */
  send(...ports: number[]): void {
    for (const port of ports) this.evtchn.send(PEER, this.sender.get(port)!);
  }

  /** The peer or Xen raises the port, whatever it is. */
  raise(port: number): void {
    const { kind, cpu } = this.info(port);
    if (kind === 'virq') this.evtchn.vcpuVirq(GUEST, cpu, xen.VIRQ_TIMER);
    else if (kind === 'ipi') this.evtchn.send(GUEST, port);
    else this.send(port);
  }

  mask(port: number): void {
    this.irqs.disable(this.info(port).desc);
  }

  unmask(port: number): void {
    this.irqs.enable(this.info(port).desc);
  }

  /** EVTCHNOP_bind_vcpu as the kernel does it, on whatever kernel. */
  rebind(port: number, cpu: number): void {
    const info = this.info(port);
    this.events.mask(info, 2);
    this.evtchn.bindVcpu(GUEST, port, cpu);
    this.abi.bindToCpu(port, cpu);
    info.cpu = cpu;
    this.events.unmask(info, 2, 0);
  }

  /** Is an upcall due on this vCPU? */
  due(cpu: number): boolean {
    const v = this.shared.vcpus[cpu]!;
    return v.upcallPending !== 0 && v.upcallMask === 0;
  }

  /** Upcalls on a vCPU while any is due; the answer is the ports it handled. */
  upcall(cpu = 0): number[] {
    const before = this.handled.length;
    for (let n = 0; this.due(cpu); n++) {
      if (n > 50) throw new Error('the upcalls do not end');
      this.oneUpcall(cpu);
    }
    return this.handled.slice(before).map((h) => h.port);
  }

  private oneUpcall(cpu: number): void {
    const on = { cpu } as LinuxCpu;
    const v = this.shared.vcpus[cpu]!;
    v.upcallMask = 1;
    this.events.beginUpcall(on);
    for (let desc = this.events.next(on); desc; desc = this.events.next(on)) {
      if (this.handled.length > 10_000) throw new Error('the upcall does not end');
      desc.chip.ack(desc, on);
      desc.counts[cpu]!++;
      const { port } = desc;
      this.handled.push({ port, cpu });
      this.onEvent.get(port)?.(cpu);
      desc.chip.end(desc, on);
    }
    this.events.unmaskUpcalls(on);
  }

  /** Upcalls on all vCPUs until none is due anywhere. */
  settle(): number[] {
    const before = this.handled.length;
    for (let again = true; again; ) {
      again = false;
      for (let cpu = 0; cpu < this.vcpus; cpu++) again = this.upcall(cpu).length > 0 || again;
    }
    return this.handled.slice(before).map((h) => h.port);
  }

  /** Xen or the guest sees the port pending. */
  pending(port: number): boolean {
    return this.evtchn.portIsPending(GUEST, port);
  }
}
