/**
 * The device model of an HVM guest: QEMU, a process of dom0. Requests of the guest's virtual CPUs come to it by event
 * channels, what its devices raise goes to Xen by hypercalls (xc_hvm_set_isa_irq_level, xc_hvm_set_pci_intx_level).
 */
import { us } from '../../core/clock.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import { EvtchnUser } from '../../guest/linux/xen-drivers/evtchn-user.ts';
import type { IoreqServer } from '../../hv/xen/x86/ioreq.ts';
import { pvHypercall, timing } from '../../timing.ts';
import { Worker } from '../worker.ts';
import type { XenHost } from './host.ts';

export class DeviceModel implements Part {
  readonly id: string;
  /** its main loop */
  readonly loop: Worker;
  private readonly user: EvtchnUser;
  private readonly all: readonly number[];
  /** the journey that its loop carries on */
  private carried = 0;
  /** what registers that the guest has written to ask for: found when the request is seen */
  private found: [job: number, a: number, b: number][] = [];

  constructor(
    private readonly host: XenHost,
    private readonly domain: number,
  ) {
    const { kernel } = host.dom0;
    this.id = `qemu${domain}`;
    this.all = kernel.cpus.map((c) => c.cpu);
    const name = host.scenario.xen === '3.4' ? 'qemu-dm' : 'xen-qemu-system';
    const cpu = domain % kernel.cpuCount;
    this.user = new EvtchnUser(kernel, name, cpu, timing.userExit, `${domain}`);
    this.loop = new Worker(kernel, `${name}-${domain}`, cpu, this.all, us(2), us(1), (journey) => {
      this.carried = journey;
    });
    host.shop.parts.add(this);
  }

  /** xenevtchn_bind_interdomain: the virtual CPUs' channels, then that of buffered requests. */
  bind(ioreq: IoreqServer): void {
    const { events } = this.host.dom0.kernel;
    const bind = (remotePort: number, onEvent: (cpu: LinuxCpu, port: number) => void) => {
      const desc = events.bindUserInterdomain(this.domain, remotePort);
      this.user.bind(desc, this.all, (cpu) => onEvent(cpu, desc.port));
    };
    ioreq.ports.forEach((port, vcpu) => {
      bind(port, (cpu, local) => this.serve(ioreq, vcpu, cpu, local));
    });
    bind(ioreq.bufferedPort, () => {});
  }

  /** A frontend's channel that the device model is the backend of. */
  bindFrontend(remotePort: number): void {
    const desc = this.host.dom0.kernel.events.bindUserInterdomain(this.domain, remotePort);
    this.user.bind(desc, this.all, () => {});
  }

  /** cpu_handle_ioreq: the device does what was asked of it, and the virtual CPU is told. */
  private serve(ioreq: IoreqServer, vcpu: number, cpu: LinuxCpu, port: number): void {
    if (!ioreq.take(vcpu)) return;
    const { found } = this;
    this.found = [];
    for (const [job, a, b] of found) this.loop.post(job, a, b, cpu);
    this.host.dom0.kernel.hypercalls(cpu.cpu).send(port);
  }

  /** A job for its loop, from the process itself or from a register that the guest writes to. */
  post(job: number, a: number, b: number): void {
    const cpu = this.host.dom0Here;
    if (cpu) this.loop.post(job, a, b, cpu);
    else this.found.push([job, a, b]);
  }

  /** A device raises something: a new raise, or the journey that its loop carries on. */
  begin(): void {
    const { books } = this.host.shop;
    if (this.carried === 0) books.begin(books.source);
    else books.journey = this.carried;
    this.hypercall();
  }

  /** It tells Xen of a wire. A device that moves by itself has no CPU that pays for it. */
  hypercall(): void {
    if (this.host.dom0Here) this.host.xen.wiring.here!.charge(pvHypercall());
  }

  save(): Plain {
    return this.found;
  }

  restore(state: Plain): void {
    this.found = (state as [number, number, number][]).map((entry) => [...entry]);
  }
}
