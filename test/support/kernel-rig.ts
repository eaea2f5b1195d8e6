/**
 * A Linux kernel on virtual CPUs that are always scheduled: they execute what it asks for, take its hypercalls at
 * a price, and sleep when it blocks. Event channels are Xen's own.
 */
import { Books } from '../../engine/core/books.ts';
import type { Parts } from '../../engine/core/state.ts';
import { Trace } from '../../engine/core/trace.ts';
import type { LinuxCpu } from '../../engine/guest/linux/entry.ts';
import type { IrqDesc, Work } from '../../engine/guest/linux/irq-core.ts';
import { KERNELS, type KernelProfile } from '../../engine/guest/linux/profiles.ts';
import { XenKernel } from '../../engine/guest/linux/xen-kernel.ts';
import { EventChannels, xen } from '../../engine/index.ts';

const PEER = 0;
const GUEST = 1;

class Cpu {
  now = 0;
  /** time left of the present stretch */
  left = 0;
  asleep = false;
  /** the port it polls for; 0: none */
  polling = 0;
  timer: number | undefined;
  readonly processor = 0;

  constructor(readonly vcpu: number) {}

  run(ns: number): void {
    this.left = ns;
  }

  block(): void {
    this.left = 0;
    this.asleep = true;
  }

  poll(port: number): void {
    this.left = 0;
    this.asleep = true;
    this.polling = port;
  }

  machineCheckReturn(): void {
    this.left = 0;
  }

  nmiReturn(): void {}
  upcallReturn(): void {}
}

export class KernelRig {
  readonly kernel: XenKernel;
  readonly evtchn: EventChannels;
  readonly cpus: Cpu[];
  readonly log: string[] = [];
  /** price of a hypercall */
  hypercall = 500;
  /** what each CPU's timer was set to, in order; undefined: stopped */
  readonly timers: (number | undefined)[][];
  upcalls = 0;
  private clock = 0;
  private readonly shared: xen.SharedInfo;
  private readonly sender = new Map<number, number>();

  constructor(profile: KernelProfile = KERNELS['linux-6.1'], vcpus = 1) {
    const books = new Books();
    const slots = books.addSlots(4096);
    this.evtchn = new EventChannels(
      {
        kick: (dom, vcpu) => this.wake(dom, vcpu),
        wake: (dom, vcpu) => this.wake(dom, vcpu),
        xenConsumer: () => {},
        pirqBind: () => 0,
        pirqUnbind: () => {},
        pirqAffinity: () => {},
        pended: (dom, port) => {
          if (dom === GUEST) books.pend(slots + port, books.destinationOf(`port ${port}`));
        },
        discarded: () => {},
      },
      { profile: profile.numbering === 'sparse' ? '4.17' : '3.4' },
    );
    books.begin(books.sourceOf('test'));
    this.shared = new xen.SharedInfo(GUEST, vcpus);
    const memory = new xen.GuestMemory(GUEST, 512);
    const common = { maxPort: 4095, nrPirqs: 16 };
    this.evtchn.addDomain({
      ...common,
      id: PEER,
      vcpus: 1,
      privileged: true,
      shared: new xen.SharedInfo(PEER, 1),
      memory: new xen.GuestMemory(PEER, 8),
    });
    this.evtchn.addDomain({ ...common, id: GUEST, vcpus, privileged: false, shared: this.shared, memory });
    this.cpus = Array.from({ length: vcpus }, (_, i) => new Cpu(i));
    this.timers = this.cpus.map(() => []);
    const parts = { add: (part: unknown) => part } as unknown as Parts;
    this.kernel = new XenKernel({
      id: 'dom1',
      domain: GUEST,
      initialDomain: false,
      profile,
      vcpus: this.cpus,
      hypercalls: this.cpus.map((c) => this.calls(c)),
      shared: this.shared,
      memory,
      books,
      trace: new Trace(),
      parts,
      dynamicBase: 16,
      nrIrqs: 512,
      slot: (port) => slots + port,
      destination: (port) => books.destinationOf(`port ${port}`),
    });
    this.bindPercpu();
    for (const c of this.cpus) c.asleep = false;
  }

  private bindPercpu(): void {
    const { events, irqs, time, calls } = this.kernel;
    const nothing: Work = { cost: () => 100, run: () => {} };
    for (const { cpu } of this.kernel.cpus) {
      const add = (desc: IrqDesc, name: string, work: Work) => irqs.request(desc, { name, work });
      add(events.bindVirq(xen.VIRQ_TIMER, cpu, true), `timer${cpu}`, time.interrupt);
      add(events.bindIpi('resched', cpu), `resched${cpu}`, { ...nothing, run: (on) => time.look(on) });
      for (const kind of ['callfunc', 'callfuncsingle', 'call1func']) {
        if (!([...this.kernel.profile.bootCpu] as string[]).includes(kind)) continue;
        add(events.bindIpi(kind, cpu), `${kind}${cpu}`, calls.interrupt);
      }
    }
  }

  private wake(dom: number, vcpu: number): void {
    const cpu = this.cpus?.[vcpu];
    if (dom !== GUEST || !cpu?.asleep) return;
    cpu.asleep = false;
    cpu.now = Math.max(cpu.now, this.clock);
  }

  private calls(cpu: Cpu) {
    const { evtchn } = this;
    const paid =
      <A extends unknown[]>(call: (...args: A) => number) =>
      (...args: A): number => {
        cpu.now += this.hypercall;
        return call(...args);
      };
    const none = () => 0;
    return {
      allocUnbound: paid((remote: number) => evtchn.allocUnbound(GUEST, xen.DOMID_SELF, remote)),
      bindInterdomain: paid((dom: number, port: number) => evtchn.bindInterdomain(GUEST, dom, port)),
      bindVirq: paid((virq: number, vcpu: number) => evtchn.bindVirq(GUEST, virq, vcpu)),
      bindIpi: paid((vcpu: number) => evtchn.bindIpi(GUEST, vcpu)),
      bindPirq: none,
      close: paid((port: number) => evtchn.close(GUEST, port)),
      send: paid((port: number) => evtchn.send(GUEST, port)),
      bindVcpu: paid((port: number, vcpu: number) => evtchn.bindVcpu(GUEST, port, vcpu)),
      unmask: paid((port: number) => evtchn.unmask(GUEST, port)),
      initControl: paid((vcpu: number, gfn: number, at: number) => evtchn.initControl(GUEST, vcpu, gfn, at)),
      expandArray: paid((gfn: number) => evtchn.expandArray(GUEST, gfn)),
      setPriority: paid((port: number, n: number) => evtchn.setPriority(GUEST, port, n)),
      setTimer: (when: number | undefined) => {
        cpu.now += this.hypercall;
        cpu.timer = when;
        this.timers[cpu.vcpu]!.push(when);
      },
      mapPirq: none,
      unmapPirq: none,
      eoi: none,
      needsEoi: () => false,
    };
  }

  /** A channel from the peer with this handler; the answer is the guest's port. */
  channel(name: string, cost: number, run: (cpu: LinuxCpu) => void = () => {}): number {
    const desc = this.kernel.events.allocUnbound(PEER, false);
    this.sender.set(desc.port, this.evtchn.bindInterdomain(PEER, GUEST, desc.port));
    const work: Work = {
      cost: () => cost,
      run: (cpu) => {
        this.log.push(name);
        run(cpu);
      },
    };
    this.kernel.irqs.request(desc, { name, work });
    return desc.port;
  }

  send(...ports: number[]): void {
    for (const port of ports) this.evtchn.send(PEER, this.sender.get(port)!);
  }

  /** A softirq that is none of the kernel's own here. */
  softirq(nr: number, name: string, cost: number, run: (cpu: LinuxCpu) => void = () => {}): void {
    this.kernel.softirqs[nr] = {
      cost: () => cost,
      run: (cpu) => {
        this.log.push(name);
        run(cpu);
      },
    };
  }

  /** Runs every CPU up to this time; `at` is called at the times it is given for. */
  run(until: number, at: readonly (readonly [time: number, act: () => void])[] = []): void {
    const outside = [...at];
    for (let n = 0; ; n++) {
      if (n > 2_000_000) throw new Error('no end');
      const next = this.nextCpu();
      const due = outside[0]?.[0] ?? Infinity;
      if (Math.min(next.when, due) > until) break;
      this.clock = Math.min(next.when, due);
      if (due <= next.when) {
        for (const cpu of this.cpus) this.advance(cpu, due);
        outside.shift()![1]();
        continue;
      }
      this.step(next.cpu, next.when);
    }
    for (const c of this.cpus) if (c.asleep && c.now < until) c.now = until;
  }

  private nextCpu(): { cpu: Cpu; when: number } {
    let best = { cpu: this.cpus[0]!, when: Infinity };
    for (const cpu of this.cpus) {
      const end = cpu.asleep ? Infinity : this.interrupted(cpu) ? cpu.now : cpu.now + cpu.left;
      const when = Math.min(end, Math.max(cpu.now, cpu.timer ?? Infinity));
      if (when < best.when) best = { cpu, when };
    }
    return best;
  }

  private interrupted(cpu: Cpu): boolean {
    const info = this.shared.vcpus[cpu.vcpu]!;
    return info.upcallPending !== 0 && info.upcallMask === 0;
  }

  private advance(cpu: Cpu, when: number): void {
    if (when <= cpu.now) return;
    if (!cpu.asleep) cpu.left -= when - cpu.now;
    cpu.now = when;
  }

  private step(cpu: Cpu, when: number): void {
    const kernel = this.kernel.cpus[cpu.vcpu]!;
    this.advance(cpu, when);
    if (cpu.timer !== undefined && cpu.timer <= when) {
      cpu.timer = undefined;
      this.evtchn.vcpuVirq(GUEST, cpu.vcpu, xen.VIRQ_TIMER);
    } else if (this.interrupted(cpu)) {
      this.shared.vcpus[cpu.vcpu]!.upcallMask = 1;
      this.upcalls++;
      const { left } = cpu;
      kernel.upcall(left);
    } else kernel.done();
    // SCHEDOP_block lets upcalls in, and does not sleep with one pending
    const info = this.shared.vcpus[cpu.vcpu]!;
    if (cpu.asleep && cpu.polling === 0) info.upcallMask = 0;
    if (cpu.asleep && info.upcallPending !== 0 && info.upcallMask === 0) cpu.asleep = false;
    cpu.polling = 0;
  }

  softirqCount(name: string, cpu = 0): number {
    return this.kernel.softirqsFile().rows.find((r) => r.name === name)!.counts[cpu]!;
  }

  irqCount(name: string, cpu = 0): number {
    const desc = [...this.kernel.irqs.all()].find((d) => d.actions[0]?.name === name)!;
    return desc.counts[cpu]!;
  }
}
