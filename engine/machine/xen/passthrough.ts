/**
 * Devices of the machine that a guest has been given: QEMU shows each as a PCI function (hw/xen/xen_pt.c), Xen brings its
 * interrupts into the guest (hv/xen/x86/dpci.ts), the guest's own driver serves it.
 */
import { NOWHERE } from '../../core/books.ts';
import { type FunctionInit, PciFunction } from '../../devices/pc/pci.ts';
import { PulseDevice } from '../../devices/pulse.ts';
import { PassedDriver, type PassedPlace } from '../../guest/linux/drivers/passed.ts';
import { NoSpace } from '../../guest/linux/irq-info.ts';
import type { NativeKernel } from '../../guest/linux/native.ts';
import type { Message } from '../../guest/linux/native-irqs.ts';
import type { HvmDomain } from '../../hv/xen/x86/hvm-domain.ts';
import { pciGsi } from '../../hv/xen/x86/hvm-wires.ts';
import type { GuestDeviceSpec } from '../../scenario/xen-schema.ts';
import type { PcDevices } from '../pc-devices.ts';
import type { XenHost } from './host.ts';
import { PassedMsix } from './passed-msix.ts';

/** An 82599 virtual function, and an FC host adapter of the time of INTx. */
const VF = { vendor: 0x8086, device: 0x10ed, classCode: 0x02_00_00, pin: 0 };
const HBA = { vendor: 0x1077, device: 0x2422, classCode: 0x0c_04_00, pin: 1 };
const REGISTERS = 4096;
const INTA = 0;

type Spec = Extract<GuestDeviceSpec, { driver: 'passthrough' }>;

export class Passthrough {
  /** by function: its messages */
  private readonly tables = new Map<number, PassedMsix>();

  constructor(
    private readonly host: XenHost,
    private readonly hvm: HvmDomain,
    private readonly kernel: NativeKernel,
    private readonly devices: PcDevices,
    private readonly addFunction: (fn: PciFunction) => void,
  ) {}

  /** xen_pt_realize: before the guest boots its lines have their pirqs. */
  find({ gsi }: Spec): void {
    if (gsi !== undefined) this.hvm.dpci.mapGsi(gsi);
  }

  /** The guest finds it. */
  add(spec: Spec): void {
    if (spec.gsi === undefined) this.byMessages(spec, spec.messages!);
    else this.byLine(spec, spec.gsi);
  }

  private nameOf({ name }: Spec): string {
    return `dom${this.hvm.domain.id}.${name}`;
  }

  /** MSI-X: each event of the device is told by the next of its messages, as if each were for another queue. */
  private byMessages(spec: Spec, messages: number): void {
    const { host, hvm } = this;
    const { books, parts } = host.shop;
    const { irqs } = host.xen;
    const name = this.nameOf(spec);
    const devfn = this.devices.slot();
    const irqOf = (pirq: number) => host.xen.irqOf(hvm.domain.id, pirq);
    const pending = (pirq: number) => irqs.descs[irqOf(pirq)]?.msiPending ?? false;
    const msix = parts.add(new PassedMsix(name, messages, hvm.dpci, pending));
    this.function(name, devfn, { ...VF, bars: [this.bar(devfn, msix)] }).addCapability(msix);
    this.tables.set(devfn, msix);
    const source = host.source(name);
    const device: PulseDevice = new PulseDevice(name, () => {
      const pirq = msix.pirqs[(device.events - 1) % messages]!;
      if (pirq >= 0) return irqs.pulse(irqOf(pirq), source);
      const journey = books.begin(source);
      books.ignore(NOWHERE, 'unbound');
      return journey;
    });
    const part = parts.add(device);
    this.finish(spec, part, devfn, { service: () => true, stuck: () => spec.stuck });
  }

  /** The physical interrupt behind a message as its guest knows it; -1: none. */
  irqOf({ device, index }: Message): number {
    const pirq = this.tables.get(device)?.pirqs[index] ?? -1;
    return pirq < 0 ? -1 : this.host.xen.irqOf(this.hvm.domain.id, pirq);
  }

  private bar(devfn: number, { registers }: PassedMsix) {
    return { kind: 'memory', base: this.devices.bar(devfn), size: REGISTERS, registers } as const;
  }

  /** INTx: the machine's line, which other devices may share, becomes the line of a slot in the guest. */
  private byLine(spec: Spec, gsi: number): void {
    const { host, hvm } = this;
    const name = this.nameOf(spec);
    const devfn = this.devices.slot();
    this.function(name, devfn, { ...HBA, bars: [] });
    const device = host.shop.parts.add(host.levels.device(name, gsi, host.source(name)));
    this.devices.events.set(pciGsi(devfn >> 3, INTA), () => void device.fire());
    const pirq = hvm.dpci.mapGsi(gsi);
    const bound = pirq < 0 ? pirq : hvm.dpci.bindPci(pirq, { device: devfn >> 3, intx: INTA });
    if (bound < 0) throw new NoSpace(`${name}: XEN_DOMCTL_bind_pt_irq failed with ${bound}`);
    const service = () => {
      const { asserted } = device;
      device.serviced();
      return asserted;
    };
    this.finish(spec, device, devfn, { service, stuck: () => spec.stuck && device.asserted });
  }

  private function(name: string, devfn: number, init: FunctionInit): PciFunction {
    const fn = new PciFunction(name, devfn, init, undefined);
    this.addFunction(fn);
    return fn;
  }

  private finish(
    spec: Spec,
    device: { fire(): number },
    devfn: number,
    handler: Pick<PassedPlace, 'service' | 'stuck'>,
  ): void {
    const name = this.nameOf(spec);
    const { controllers } = this.kernel;
    const line = pciGsi(devfn >> 3, INTA);
    this.host.shop.reaches.set(name, {
      domain: this.hvm.domain.id,
      irqs: () => (this.tables.has(devfn) ? controllers.rowsOf(devfn) : [line]),
    });
    const place = { devfn, gsi: pciGsi(devfn >> 3, INTA), ...handler };
    new PassedDriver(this.kernel, spec.name, place).probe();
    this.host.devices.set(name, { name, title: 'passed-through device', fire: () => device.fire() });
  }
}
