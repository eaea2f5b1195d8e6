/**
 * From a GSI to chips and messages: kvm_set_irq and the routing table (virt/kvm/irqchip.c, arch/x86/kvm/irq_comm.c),
 * and back: who is told when what a GSI leads to is acknowledged (virt/kvm/eventfd.c).
 *
 * Not modelled: routes to Hyper-V's SynIC and to Xen's event channels, notifiers of masks, and the look at resampling
 * irqfds when an entry is unmasked that Linux 6.4 brought.
 */
import type { Part, Plain } from '../../core/state.ts';
import { IGNORED } from '../../hw/x86/ioapic.ts';
import { MsiAddress, MsiData, msiDestination } from '../../hw/x86/msi.ts';
import { type IrqChip, RESAMPLE_SOURCE } from './irqchip.ts';

const EBUSY = -16;
const EINVAL = -22;
const PIC_PINS = 16;
/** KVM_MAX_IRQ_ROUTES: of GSIs, and of entries in a table */
const MOST = 4096;
/** no GSI leads to a pin */
const NONE = -1;

/** To a chip's input. */
export interface ChipRoute {
  readonly gsi: number;
  readonly to: 'pic' | 'ioapic';
  readonly pin: number;
}

export type Route =
  | ChipRoute
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

/** The table as kvm_set_irq reads it. */
class Table {
  readonly map: Route[][] = [];
  /** by chip and pin: the GSI that leads there */
  readonly gsiOf: { readonly pic: Int16Array; readonly ioapic: Int16Array };

  constructor(
    readonly routes: readonly Route[],
    ioapicPins: number,
  ) {
    this.gsiOf = {
      pic: new Int16Array(PIC_PINS).fill(NONE),
      ioapic: new Int16Array(ioapicPins).fill(NONE),
    };
    for (const route of routes) {
      this.map[route.gsi] ??= [];
      this.map[route.gsi]!.push(route);
      if (route.to !== 'msi') this.gsiOf[route.to][route.pin] = route.gsi;
    }
  }
}

/** Who wants to know (struct kvm_irq_ack_notifier). */
type AckNotifier = () => void;

/** Lowers its GSI at each acknowledgement and tells the irqfds, which raise it again if they still hold it. */
interface Resampler {
  readonly gsi: number;
  /** eventfds that are signalled, in that order */
  readonly fds: number[];
  readonly notifier: AckNotifier;
}

export class IrqRouting implements Part {
  readonly id: string;
  private table: Table;
  /** by GSI, in the order in which they are told */
  private readonly notifiers: (AckNotifier[] | undefined)[] = [];
  private resamplers: Resampler[] = [];
  /** a level line was acknowledged: the irqfd may raise it again */
  resample: (fd: number, gsi: number) => void = () => {};
  /** a chip's input is about to change; it has, and so many processors were reached */
  driving: (route: ChipRoute, level: boolean) => void = () => {};
  driven: (route: ChipRoute, reached: number) => void = () => {};
  /** kvm_notify_acked_irq begins */
  acknowledged: (kind: 'pic' | 'ioapic', pin: number) => void = () => {};
  /** messages to nowhere, and other mistakes of the guest or of user space */
  refused = 0;

  constructor(private readonly chip: IrqChip) {
    this.id = `${chip.id}.routing`;
    this.table = new Table([], chip.ioapic.low.length);
    chip.acked = (kind, pin) => this.acked(kind, pin);
    chip.watched = (kind, pin) => this.watched(kind, pin);
  }

  /** KVM_SET_GSI_ROUTING: 0, or EINVAL and the table is as it was. */
  setRoutes(routes: readonly Route[]): number {
    if (routes.length > MOST || !routes.every((route) => this.fits(route)) || clash(routes)) {
      return this.refuse();
    }
    this.table = new Table(
      routes.map((route) => ({ ...route })),
      this.chip.ioapic.low.length,
    );
    return 0;
  }

  private fits(route: Route): boolean {
    if (!(route.gsi >= 0 && route.gsi < MOST)) return false;
    if (route.to === 'msi') return !this.badMessage(route.addressHigh);
    return route.pin >= 0 && route.pin < this.table.gsiOf[route.to].length;
  }

  private refuse(): number {
    this.refused++;
    return EINVAL;
  }

  // raise

  /**
   * kvm_set_irq: a source drives a GSI. Below 0: ignored; 0: coalesced; above: processors reached, over all routes.
   * @param lineStatus the caller wants to know of coalescing (KVM_IRQ_LINE_STATUS)
   */
  setIrq(source: number, gsi: number, level: boolean, lineStatus = false): number {
    const routes = this.table.map[gsi];
    let answer = IGNORED;
    if (!routes) return answer;
    for (let i = 0; i < routes.length; i++) {
      const reached = this.drive(routes[i]!, source, level, lineStatus);
      if (reached >= 0) answer = reached + (answer < 0 ? 0 : answer);
    }
    return answer;
  }

  private drive(route: Route, source: number, level: boolean, lineStatus: boolean): number {
    if (route.to === 'msi') {
      return level ? this.message(route.addressLow, route.addressHigh, route.data) : IGNORED;
    }
    const { chip } = this;
    this.driving(route, level);
    const reached =
      route.to === 'ioapic'
        ? chip.ioapic.setIrq(route.pin, level, source, lineStatus)
        : chip.pic.setIrq(route.pin, level, source);
    this.driven(route, reached);
    return reached;
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

  /**
   * kvm_register_irq_ack_notifier: the last one is told first.
   * @returns unregisters it
   */
  notify(gsi: number, acked: AckNotifier): () => void {
    this.watch(gsi, acked);
    this.chip.rescan();
    return () => this.unwatch(gsi, acked);
  }

  private watch(gsi: number, notifier: AckNotifier): void {
    this.notifiers[gsi] = [notifier, ...(this.notifiers[gsi] ?? [])];
  }

  private unwatch(gsi: number, notifier: AckNotifier): void {
    const left = (this.notifiers[gsi] ?? []).filter((other) => other !== notifier);
    this.notifiers[gsi] = left.length > 0 ? left : undefined;
    this.chip.rescan();
  }

  /** KVM_IRQFD with a resample eventfd: 0, or EBUSY if it is in use. */
  addResampler(fd: number, gsi: number): number {
    if (this.resamplers.some((r) => r.fds.includes(fd))) return EBUSY;
    const known = this.resamplers.find((r) => r.gsi === gsi);
    if (known) known.fds.unshift(fd);
    else {
      this.makeResampler(gsi, [fd]);
      this.chip.rescan();
    }
    return 0;
  }

  private makeResampler(gsi: number, fds: number[]): void {
    const resampler: Resampler = {
      gsi,
      fds,
      notifier: () => {
        this.setIrq(RESAMPLE_SOURCE, gsi, false);
        for (const fd of fds) this.resample(fd, gsi);
      },
    };
    this.resamplers.unshift(resampler);
    this.watch(gsi, resampler.notifier);
  }

  /** The irqfd goes away (irqfd_resampler_shutdown): with the last of a GSI the line falls. */
  removeResampler(fd: number): void {
    const resampler = this.resamplers.find((r) => r.fds.includes(fd));
    if (!resampler) return;
    const { gsi, fds } = resampler;
    fds.splice(fds.indexOf(fd), 1);
    if (fds.length > 0) return;
    this.resamplers = this.resamplers.filter((other) => other !== resampler);
    this.unwatch(gsi, resampler.notifier);
    this.setIrq(RESAMPLE_SOURCE, gsi, false);
  }

  /** kvm_irq_has_notifier */
  private watched(kind: 'pic' | 'ioapic', pin: number): boolean {
    const gsi = this.table.gsiOf[kind][pin]!;
    return gsi !== NONE && this.notifiers[gsi] !== undefined;
  }

  /** kvm_notify_acked_irq */
  private acked(kind: 'pic' | 'ioapic', pin: number): void {
    this.acknowledged(kind, pin);
    const gsi = this.table.gsiOf[kind][pin]!;
    if (gsi === NONE) return;
    const notifiers = this.notifiers[gsi];
    if (notifiers) for (const notifier of notifiers) notifier();
  }

  save(): Plain {
    return {
      routes: this.table.routes as unknown as Plain,
      resamplers: this.resamplers.map(({ gsi, fds }) => [gsi, ...fds]),
      refused: this.refused,
    };
  }

  /** Notifiers stay: they are wiring. */
  restore(state: Plain): void {
    const s = state as unknown as { routes: Route[]; resamplers: [number, ...number[]][]; refused: number };
    this.table = new Table(s.routes, this.chip.ioapic.low.length);
    for (const { gsi, notifier } of this.resamplers) this.unwatch(gsi, notifier);
    this.resamplers = [];
    for (const [gsi, ...fds] of [...s.resamplers].reverse()) this.makeResampler(gsi, fds);
    this.refused = s.refused;
  }
}

/** Does a GSI lead to one chip twice, or to a message and something else? The two 8259s are two chips here. */
function clash(routes: readonly Route[]): boolean {
  const taken = new Map<number, string[]>();
  for (const route of routes) {
    const chip = route.to === 'pic' ? `pic${route.pin >> 3}` : route.to;
    const others = taken.get(route.gsi);
    if (!others) taken.set(route.gsi, [chip]);
    else if (chip === 'msi' || others.includes('msi') || others.includes(chip)) return true;
    else others.push(chip);
  }
  return false;
}
