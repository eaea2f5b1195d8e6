/**
 * The debugger of guests on VMX, a process of dom0 (tools/debugger/gdbsx; on 3.4 gdbserver-xen): it hears of a domain that
 * has paused for it by VIRQ_DEBUGGER, looks at it for a while, and lets it go on. On 4.17 Xen tells of a breakpoint only whom
 * asks (gdbsx_vcpu_event), which the process does every so often.
 */

import { VIRQ_DEBUGGER } from '../../abi/xen.ts';
import { ms, type Ns, us } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { KernelTimer } from '../../guest/linux/time.ts';
import { EvtchnUser } from '../../guest/linux/xen-drivers/evtchn-user.ts';
import { pvHypercall } from '../../timing.ts';
import { Worker } from '../worker.ts';
import type { XenHost } from './host.ts';

/** how often it asks for the status of its domains [est] */
const POLL: Ns = ms(10);
/** how long who sits there looks at registers and memory [est] */
const LOOKS: Ns = ms(3);

export class Debugger implements Part {
  readonly id = 'debugger';
  private readonly loop: Worker;
  private readonly timers: readonly KernelTimer[];
  /** domains that are being looked at */
  private readonly open: boolean[];
  private readonly askJob: number;
  private readonly resumeJob: number;

  /** @param domains those that it is attached to (XEN_DOMCTL_setdebugging) */
  constructor(
    private readonly host: XenHost,
    private readonly domains: readonly number[],
  ) {
    const { kernel } = host.dom0;
    const modern = host.scenario.xen !== '3.4';
    const name = modern ? 'gdbsx' : 'gdbserver-xen';
    const cpu = kernel.cpuCount - 1;
    const all = kernel.cpus.map((c) => c.cpu);
    this.open = domains.map(() => false);
    const user = new EvtchnUser(kernel, name, cpu, us(20));
    user.bind(kernel.events.bindUserVirq(VIRQ_DEBUGGER), all, (on) => this.ask(on));
    this.loop = new Worker(kernel, name, cpu, all, us(5), us(10), () => {});
    this.askJob = this.loop.job((on) => this.ask(on));
    this.resumeJob = this.loop.job((on, which) => this.resume(on, which));
    this.timers = domains.map((_, which) =>
      kernel.time.timer(cpu, (on) => this.loop.post(this.resumeJob, which, 0, on)),
    );
    if (modern) this.poll(kernel.time, cpu);
    host.shop.parts.add(this);
  }

  private poll(time: XenHost['dom0']['kernel']['time'], cpu: number): void {
    const timer = time.timer(cpu, (on) => {
      this.loop.post(this.askJob, 0, 0, on);
      time.set(timer, on.now + POLL, on);
    });
    timer.expires = POLL;
  }

  /** XEN_DOMCTL_gdbsx_domstatus of each: one that has paused is looked at. */
  private ask(on: LinuxCpu): void {
    this.domains.forEach((domain, which) => {
      this.hypercall(on);
      if (this.open[which] || !this.host.xen.control.takeDebugEvent(domain)) return;
      this.open[which] = true;
      this.host.dom0.kernel.time.set(this.timers[which]!, on.now + LOOKS, on);
    });
  }

  /** XEN_DOMCTL_unpausedomain */
  private resume(on: LinuxCpu, which: number): void {
    this.hypercall(on);
    this.open[which] = false;
    this.host.xen.control.unpause(this.domains[which]!);
  }

  private hypercall({ vcpu }: LinuxCpu): void {
    this.host.xen.cpus[vcpu.processor]!.charge(pvHypercall());
  }

  save(): Plain {
    return [...this.open];
  }

  restore(state: Plain): void {
    (state as boolean[]).forEach((open, which) => {
      this.open[which] = open;
    });
  }
}
