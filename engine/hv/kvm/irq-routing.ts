/**
 * From a GSI to chips and messages: kvm_set_irq and the routing table (virt/kvm/irqchip.c, arch/x86/kvm/irq_comm.c),
 * resampling irqfds (virt/kvm/eventfd.c).
 */
import { MsiAddress, MsiData, msiDestination } from '../../hw/x86/msi.ts';
import { type IrqChip, RESAMPLE_SOURCE } from './irqchip.ts';

const EINVAL = -22;
const PIC_PINS = 16;
/** KVM_MAX_IRQ_ROUTES */
const MOST_GSIS = 4096;

export type Route =
  | { readonly gsi: number; readonly to: 'pic' | 'ioapic'; readonly pin: number }
  | {
      readonly gsi: number;
      readonly to: 'msi';
      readonly addressLow: number;
      readonly addressHigh: number;
      readonly data: number;
    };

/** KVM's own table: GSI 0 to 15 to the pins of both chips, 16 to 23 to the IOAPIC's. */
export function defaultRoutes(pins = 24): Route[] {
  return Array.from({ length: pins }, (_, gsi): Route[] => [
    { gsi, to: 'ioapic', pin: gsi },
    ...(gsi < PIC_PINS ? [{ gsi, to: 'pic', pin: gsi } as const] : []),
  ]).flat();
}

/** QEMU's: the timer's GSI 0 goes to pin 2 of the IOAPIC, GSI 2 nowhere. */
export function qemuRoutes(pins = 24): Route[] {
  const routes: Route[] = [];
  for (let pin = 0; pin < PIC_PINS; pin++) if (pin !== 2) routes.push({ gsi: pin, to: 'pic', pin });
  for (let gsi = 0; gsi < pins; gsi++)
    if (gsi !== 2) routes.push({ gsi, to: 'ioapic', pin: gsi === 0 ? 2 : gsi });
  return routes;
}

interface Resampler {
  readonly gsi: number;
  /** irqfds that are told */
  readonly fds: number[];
}

export class IrqRouting {
  private map: Route[][] = [];
  /** by chip and pin: the GSI that leads there */
  private gsiOf = { pic: new Map<number, number>(), ioapic: new Map<number, number>() };
  private readonly resamplers: Resampler[] = [];
  /** a level line was acknowledged: the irqfd may raise it again */
  resample: (fd: number, gsi: number) => void = () => {};
  /** who else wants to know when an input that leads to a GSI is acknowledged, by GSI */
  private readonly notifiers = new Map<number, () => void>();
  /** messages to nowhere, and other mistakes of the guest or of user space */
  refused = 0;

  constructor(private readonly chip: IrqChip) {
    chip.acked = (kind, pin) => this.acked(kind, pin);
    chip.watched = (kind, pin) => this.watched(kind, pin);
  }

  /** KVM_SET_GSI_ROUTING: 0, or EINVAL and the table is as it was. */
  setRoutes(routes: readonly Route[]): number {
    const map: Route[][] = [];
    const gsiOf = { pic: new Map<number, number>(), ioapic: new Map<number, number>() };
    for (const route of routes) {
      if (!(route.gsi >= 0 && route.gsi < MOST_GSIS) || !this.fits(route)) return this.refuse();
      map[route.gsi] ??= [];
      const others = map[route.gsi]!;
      for (const other of others) {
        if (other.to === 'msi' || route.to === 'msi' || chipOf(other) === chipOf(route)) return this.refuse();
      }
      others.push(route);
      if (route.to !== 'msi') gsiOf[route.to].set(route.pin, route.gsi);
    }
    this.map = map;
    this.gsiOf = gsiOf;
    return 0;
  }

  private fits(route: Route): boolean {
    if (route.to === 'msi') return !this.badMessage(route.addressHigh);
    return route.pin >= 0 && route.pin < (route.to === 'pic' ? PIC_PINS : this.chip.ioapic.low.length);
  }

  private refuse(): number {
    this.refused++;
    return EINVAL;
  }

  /**
   * kvm_set_irq: a source drives a GSI. Below 0: ignored; 0: coalesced; above: processors reached, over all routes.
   * @param lineStatus the caller wants to know of coalescing (KVM_IRQ_LINE_STATUS)
   */
  setIrq(source: number, gsi: number, level: boolean, lineStatus = false): number {
    const routes = this.map[gsi];
    let answer = -1;
    if (!routes) return answer;
    for (let i = 0; i < routes.length; i++) {
      const reached = this.drive(routes[i]!, source, level, lineStatus);
      if (reached >= 0) answer = reached + (answer < 0 ? 0 : answer);
    }
    return answer;
  }

  private drive(route: Route, source: number, level: boolean, lineStatus: boolean): number {
    switch (route.to) {
      case 'ioapic':
        return this.chip.ioapic.setIrq(route.pin, level, source, lineStatus);
      case 'pic':
        return this.chip.pic.setIrq(route.pin, level, source);
      default:
        return level ? this.message(route.addressLow, route.addressHigh, route.data) : -1;
    }
  }

  /** KVM_SIGNAL_MSI: processors reached, 0 for none, -1 for nowhere; EINVAL. */
  signalMsi(addressLow: number, addressHigh: number, data: number): number {
    if (this.badMessage(addressHigh)) return this.refuse();
    return this.message(addressLow, addressHigh, data);
  }

  private message(low: number, high: number, data: number): number {
    const reached = this.chip.bus.send(
      null,
      msiDestination(low, high, this.chip.bus.options.wideIds === true),
      MsiAddress.logical.has(low),
      MsiData.mode.get(data),
      data & 0xff,
      true,
      MsiData.level.has(data),
      0,
      MsiAddress.redirectionHint.has(low),
    );
    if (reached < 0) this.refused++;
    return reached;
  }

  /** With 32-bit destinations bits 7-0 of the upper half are reserved. */
  private badMessage(addressHigh: number): boolean {
    return this.chip.bus.options.wideIds === true && (addressHigh & 0xff) !== 0;
  }

  // acknowledgements

  /** kvm_register_irq_ack_notifier */
  notify(gsi: number, acked: () => void): void {
    this.notifiers.set(gsi, acked);
    this.chip.rescan();
  }

  /** An irqfd that wants its level line lowered and looked at again at each acknowledgement. */
  addResampler(fd: number, gsi: number): void {
    const known = this.resamplers.find((r) => r.gsi === gsi);
    if (known) known.fds.push(fd);
    else {
      this.resamplers.unshift({ gsi, fds: [fd] });
      this.chip.rescan();
    }
  }

  private watched(kind: 'pic' | 'ioapic', pin: number): boolean {
    const gsi = this.gsiOf[kind].get(pin);
    return gsi !== undefined && (this.notifiers.has(gsi) || this.resamplers.some((r) => r.gsi === gsi));
  }

  private acked(kind: 'pic' | 'ioapic', pin: number): void {
    const gsi = this.gsiOf[kind].get(pin);
    if (gsi === undefined) return;
    this.notifiers.get(gsi)?.();
    if (this.resamplers.length === 0) return;
    const resampler = this.resamplers.find((r) => r.gsi === gsi);
    if (!resampler) return;
    this.setIrq(RESAMPLE_SOURCE, gsi, false);
    for (const fd of resampler.fds) this.resample(fd, gsi);
  }
}

/** The two 8259s are two chips here. */
function chipOf(route: Exclude<Route, { to: 'msi' }>): string {
  return route.to === 'pic' ? `pic${route.pin >> 3}` : 'ioapic';
}
