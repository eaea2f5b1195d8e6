/**
 * Interrupt routing of the PIIX3 (Intel 290550, PIRQRC[A:D], registers 0x60 to 0x63): the INTx pins of the slots are
 * swizzled onto four wires, each of which goes to one of the ISA interrupts, shared and by level.
 */
import { Line, type LineDriver } from '../../core/line.ts';
import type { Part, Plain } from '../../core/state.ts';

const PIRQS = 4;
/** interrupts that a wire may be routed to */
const ROUTABLE = 0xdef8;
const NOT_ROUTED = 0x80;

/** As the firmware of a PC sets it. */
const FIRMWARE = [10, 10, 11, 11] as const;

/** Which wire the pin of a slot is on; `pin` counts from 1. */
export function pirqOf(devfn: number, pin: number): number {
  return (pin - 1 + (devfn >> 3) - 1) & 3;
}

export class Piix3Routing implements Part {
  readonly id: string;
  private readonly routes: number[] = [...FIRMWARE];
  private readonly wires: readonly Line[];

  /** @param gsis the inputs of the interrupt controllers, by number */
  constructor(
    name: string,
    private readonly gsis: readonly (LineDriver | undefined)[],
  ) {
    this.id = `device.${name}`;
    this.wires = Array.from({ length: PIRQS }, (_, n) => new Line(`${name}.pirq${n}`, () => this.update()));
  }

  /** A function's end of the wire of its pin. */
  intx(devfn: number, pin: number): LineDriver {
    return this.wires[pirqOf(devfn, pin)]!.driver();
  }

  /** The interrupt that a pin reaches; undefined where its wire is not routed. */
  gsiOf(devfn: number, pin: number): number | undefined {
    return this.target(pirqOf(devfn, pin));
  }

  private target(pirq: number): number | undefined {
    const route = this.routes[pirq]!;
    return route & NOT_ROUTED || !(ROUTABLE & (1 << (route & 15))) ? undefined : route & 15;
  }

  /** PIRQRC of one wire, as its register reads. */
  route(pirq: number): number {
    return this.routes[pirq]!;
  }

  setRoute(pirq: number, value: number): void {
    this.routes[pirq] = value & 0x8f;
    this.update();
  }

  /** An interrupt is high while one of the wires routed to it is. */
  private update(): void {
    let high = 0;
    this.wires.forEach((wire, pirq) => {
      const gsi = this.target(pirq);
      if (wire.high && gsi !== undefined) high |= 1 << gsi;
    });
    this.gsis.forEach((line, gsi) => {
      if (ROUTABLE & (1 << gsi)) line?.set((high & (1 << gsi)) !== 0);
    });
  }

  inspect() {
    return this.wires.map((wire, pirq) => ({ high: wire.high, gsi: this.target(pirq) ?? null }));
  }

  save(): Plain {
    return [this.routes, this.wires.map((w) => w.save())];
  }

  restore(state: Plain): void {
    const [routes, wires] = state as [number[], Plain[]];
    routes.forEach((route, n) => {
      this.routes[n] = route;
    });
    this.wires.forEach((wire, n) => {
      wire.restore(wires[n]!);
    });
  }
}
