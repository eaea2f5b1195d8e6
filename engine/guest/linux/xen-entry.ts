/**
 * How events reach a kernel that knows Xen: the upcall and its loop (xen_evtchn_do_upcall), nested upcalls, and
 * threads that sleep in Xen until a port is pending.
 */
import type { Ns } from '../../core/clock.ts';
import type { Plain } from '../../core/state.ts';
import type { GuestEntry, VirtualCpu } from '../../hw/x86/cpu.ts';
import { timing } from '../../timing.ts';
import { LinuxCpu } from './entry.ts';
import { EXIT, UPCALL } from './frames.ts';
import type { IrqDesc } from './irq-core.ts';
import type { XenKernel } from './xen-kernel.ts';

export class XenCpu extends LinuxCpu implements GuestEntry {
  /** an upcall came while another one was under way */
  private nested = false;

  constructor(
    readonly xen: XenKernel,
    cpu: number,
    readonly virtual: VirtualCpu,
  ) {
    super(xen, cpu, virtual);
  }

  /** xen_hypervisor_callback: what ran is kept, the events are looked at. */
  upcall(remaining: Ns): void {
    const { idleTick } = this;
    this.top.left = remaining;
    if (this.has(UPCALL)) this.nestedUpcall();
    else {
      this.push(UPCALL, 0);
      this.xen.events.beginUpcall(this);
    }
    this.vcpu.run(timing.upcallEntry + idleTick);
  }

  /** In softirqs that run within an upcall: it bails out at once, the outer one goes round again. */
  private nestedUpcall(): void {
    this.xen.setUpcall(this.cpu, false, undefined);
    this.nested = true;
    this.push(EXIT, 0);
  }

  /** xenpv_exc_machine_check; its banks are read through Xen, by instructions that fault. */
  machineCheck(remaining: Ns, upcalls: boolean): void {
    this.beginMachineCheck(remaining, upcalls);
  }

  /** xen_asm_exc_xennmi. What it interrupts goes on behind it. */
  nmi(remaining: Ns): void {
    this.kernel.countArch('NMI', this.cpu);
    this.virtual.nmiReturn();
    this.vcpu.run(remaining + timing.shortHandler);
  }

  protected override clearBanks(): void {
    this.virtual.machineCheckReturn();
  }

  protected entered(): void {
    this.nextEvent();
  }

  /** The upcall's loop: one event after the other until none is left. */
  protected nextEvent(): void {
    for (;;) {
      const desc = this.xen.events.next(this);
      if (!desc && this.nested) {
        this.nested = false;
        this.xen.events.beginUpcall(this);
        continue;
      }
      if (!desc) {
        this.top.kind = EXIT;
        this.vcpu.run(timing.upcallExit);
        return;
      }
      if (this.handleIrq(desc)) return;
    }
  }

  protected traceFlow(desc: IrqDesc): void {
    this.xen.xen.traceFlow(this, desc);
  }

  protected override resume(): void {
    this.virtual.upcallReturn();
    super.resume();
  }

  protected interruptsOn(): void {
    this.xen.events.unmaskUpcalls(this);
  }

  protected interruptsOff(): void {
    this.xen.setUpcall(this.cpu, undefined, true);
  }

  protected sleep(): void {
    this.virtual.block();
  }

  protected override sleepFor(port: number): void {
    this.virtual.poll(port);
  }

  override save(): Plain {
    return { ...(super.save() as object), nested: this.nested } as Plain;
  }

  override restore(state: Plain): void {
    super.restore(state);
    this.nested = (state as { nested: boolean }).nested;
  }
}
