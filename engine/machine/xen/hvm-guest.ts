/**
 * A guest on VMX put together: Xen's part of it and the kernel that runs in it. An HVM guest has a PC around it
 * (hvm-devices.ts), a PVH guest has local APICs and event channels and nothing else. A kernel that knows Xen has event
 * channels in both.
 */
import { NativeKernel } from '../../guest/linux/native.ts';
import type { KernelProfile } from '../../guest/linux/profiles.ts';
import { startOthers } from '../../guest/linux/smpboot.ts';
import { HYPERVISOR_CALLBACK_VECTOR, XenHvmKernel } from '../../guest/linux/xen-hvm.ts';
import type { Domain } from '../../hv/xen/domain.ts';
import { HvmCpu } from '../../hv/xen/x86/hvm-cpu.ts';
import type { HvmDomain } from '../../hv/xen/x86/hvm-domain.ts';
import { HvmHypercalls } from '../../hv/xen/x86/hvm-hypercalls.ts';
import { TSC_KHZ } from '../../hw/x86/physical-lapic.ts';
import type { GuestSpec } from '../../scenario/xen-schema.ts';
import type { XenHost } from './host.ts';
import { HvmDevices } from './hvm-devices.ts';

/** First numbers of event channels: behind the pins of the virtual IOAPIC, or behind ISA's where there is none. */
const IOAPIC_PINS = 48;
const ISA_IRQS = 16;
/** GSIs with a device in the firmware's tables, in the order it lists them; the first is the power button's */
const FIRMWARE_GSIS = [9, 8, 12, 1] as const;
const POWER_GSI = 9;
/** HVM_PARAM_CALLBACK_IRQ: GSI 1, which tells old tools that the guest knows of callbacks */
const VIA_GSI_1 = 1;
/** the upper half: HVM_PARAM_CALLBACK_TYPE_VECTOR */
const VIA_VECTOR = 2 << 24;

export class HvmGuest {
  readonly hvm: HvmDomain;
  readonly kernel: XenHvmKernel | NativeKernel;
  readonly cpus: readonly HvmCpu[];
  /** undefined: PVH */
  readonly pc: HvmDevices | undefined;
  private readonly hypercalls: readonly HvmHypercalls[];

  constructor(
    private readonly host: XenHost,
    private readonly domain: Domain,
    readonly spec: GuestSpec,
    profile: KernelProfile,
  ) {
    const { shop, xen } = host;
    this.hvm = shop.parts.add(xen.addHvm(domain));
    const { hvm } = this;
    this.cpus = hvm.vcpus.map((v) => new HvmCpu(v, xen.vmexits));
    this.hypercalls = this.cpus.map((cpu) => new HvmHypercalls(xen, domain, hvm, cpu));
    this.kernel = this.makeKernel(profile);
    hvm.vcpus.forEach((v, n) => {
      v.guest = this.kernel.cpus[n]!;
    });
    if (spec.type === 'hvm') this.pc = new HvmDevices(host, domain.id, spec, hvm, this.kernel);
  }

  private makeKernel(profile: KernelProfile): XenHvmKernel | NativeKernel {
    const { parts, books, trace } = this.host.shop;
    const { id, shared, memory } = this.domain;
    const { hvm, cpus, spec } = this;
    const pins = spec.type === 'hvm' ? IOAPIC_PINS : ISA_IRQS;
    const knowsXen = spec.kernel !== 'linux-2.6.36';
    const common = {
      id: `dom${id}`,
      domain: id,
      profile,
      vcpus: cpus,
      books,
      trace,
      parts,
      nrIrqs: pins * 17 + 16 + 8 * cpus.length,
      x2apic: knowsXen,
      tscKhz: TSC_KHZ,
      apicId: (cpu: number) => 2 * cpu,
      apicCycle: hvm.chips.options.lapic.busCycle,
      slot: (cpu: number, vector: number) => hvm.vcpus[cpu]!.slot(vector),
      destination: (cpu: number, vector: number) => hvm.vcpus[cpu]!.destination(vector),
    };
    if (!knowsXen) return new NativeKernel({ ...common, timer: spec.timer });
    return new XenHvmKernel({
      ...common,
      timer: 'xen',
      percpuUpcall: spec['upcall-vectors'],
      xen: {
        initialDomain: false,
        hypercalls: this.hypercalls,
        shared,
        memory,
        dynamicBase: pins,
        slot: (port) => this.domain.slot(port),
        destination: (port) => this.domain.destination(port),
      },
      poll: (cpu, port) => cpus[cpu]!.poll(port),
    });
  }

  /**
   * The kernel boots on its first CPU: its chips, the other CPUs, the way that events come by, and GSIs that the firmware
   * lists.
   */
  boot(): void {
    const { kernel, pc } = this;
    if (pc) kernel.controllers.start();
    kernel.startCpu(kernel.cpus[0]!);
    startOthers(kernel);
    if (kernel instanceof XenHvmKernel) this.listenToEvents(kernel);
    if (!pc) return;
    kernel.controllers.requestTimer('timer', kernel.time.interrupt);
    if (kernel instanceof XenHvmKernel) {
      for (const gsi of FIRMWARE_GSIS) kernel.mapGsi(gsi, gsi === POWER_GSI);
    } else if (kernel.init.timer === 'pit') pc.startTicks();
  }

  /**
   * xen_set_upcall_vector on every CPU; the callback's line is only for show then (xen_set_callback_via). Where Xen has no
   * such vectors, that of the domain (xen_setup_callback_vector).
   */
  private listenToEvents(kernel: XenHvmKernel): void {
    if (!this.spec['upcall-vectors']) {
      this.hypercalls[0]!.setCallbackVia(HYPERVISOR_CALLBACK_VECTOR, VIA_VECTOR);
      return;
    }
    for (const { cpu } of kernel.cpus) this.hypercalls[cpu]!.setUpcallVector(cpu, HYPERVISOR_CALLBACK_VECTOR);
    if (this.pc) this.hypercalls[0]!.setCallbackVia(VIA_GSI_1, 0);
  }
}
