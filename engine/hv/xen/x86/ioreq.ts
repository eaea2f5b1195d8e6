/**
 * Requests to a guest's device model, a process of dom0 (xen/common/ioreq.c, xen/arch/x86/hvm/ioreq.c; on 3.4 in
 * hvm.c). Each virtual CPU has an event channel that Xen consumes at its end: told on it the device model answers, and
 * the virtual CPU sleeps in Xen until then. One more is for requests that nobody waits for.
 */
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { EventChannels } from '../evtchn.ts';
import type { HvmVcpu } from './hvm-vcpu.ts';

/** What it needs of Xen. */
export interface IoreqHost {
  readonly channels: EventChannels;
  /** an event is raised by Xen itself */
  beginOwn(): void;
  /** prepare_wait_on_xen_event_channel: off its CPU until `resume` */
  pauseInXen(v: HvmVcpu): void;
  /** default_xen_notification_fn */
  resumeInXen(v: HvmVcpu): void;
}

export class IoreqServer implements Part {
  readonly id: string;
  /** by virtual CPU, and that of buffered requests */
  readonly ports: readonly number[];
  readonly bufferedPort: number;
  /** by virtual CPU: STATE_IOREQ_READY */
  private readonly ready: boolean[];

  /** hvm_create_ioreq_server: the channel of buffered requests is made with that of the first virtual CPU. */
  constructor(
    private readonly xen: IoreqHost,
    private readonly domain: number,
    private readonly vcpus: readonly HvmVcpu[],
    dom0 = 0,
  ) {
    this.id = `dom${domain}.ioreq`;
    const { channels } = xen;
    const ports: number[] = [];
    let buffered = 0;
    for (const { vcpu } of vcpus) {
      ports.push(channels.xenAlloc(domain, vcpu, dom0));
      if (vcpu === 0) buffered = channels.xenAlloc(domain, vcpu, dom0);
    }
    this.ports = ports;
    this.bufferedPort = buffered;
    this.ready = vcpus.map(() => false);
  }

  /** hvm_send_ioreq */
  send(v: HvmVcpu): void {
    v.ioreqs--;
    v.cpu.charge(timing.ioreq);
    this.ready[v.vcpu] = true;
    this.xen.pauseInXen(v);
    this.xen.beginOwn();
    this.xen.channels.xenNotify(this.domain, this.ports[v.vcpu]!);
  }

  /** Does a request of this virtual CPU wait for the device model? (cpu_get_ioreq) */
  take(vcpu: number): boolean {
    const { ready } = this;
    if (!ready[vcpu]) return false;
    ready[vcpu] = false;
    return true;
  }

  /** The device model has answered. */
  answered(vcpu: number): void {
    this.xen.resumeInXen(this.vcpus[vcpu]!);
  }

  save(): Plain {
    return this.ready.map(Number);
  }

  restore(state: Plain): void {
    (state as number[]).forEach((ready, vcpu) => {
      this.ready[vcpu] = ready === 1;
    });
  }
}
