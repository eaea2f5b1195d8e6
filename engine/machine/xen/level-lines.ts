/** Level lines of the host: a wire to each pin of the IOAPIC that devices share, whoever's they are. */
import type { SourceId } from '../../core/books.ts';
import { Line } from '../../core/line.ts';
import type { Parts } from '../../core/state.ts';
import { LevelDevice } from '../../devices/pulse.ts';
import type { PhysicalIrqs } from '../../hv/xen/x86/do-irq.ts';

export class LevelLines {
  private readonly wires = new Map<number, Line>();
  /** the first device on each */
  private readonly devices = new Map<number, LevelDevice>();

  constructor(
    private readonly irqs: PhysicalIrqs,
    private readonly parts: Parts,
  ) {}

  has(gsi: number): boolean {
    return this.wires.has(gsi);
  }

  /** A device on a pin, which others may share: the wire falls when the last one lets go. */
  device(name: string, gsi: number, source: SourceId): LevelDevice {
    const { irqs } = this;
    const end = this.wire(gsi).driver();
    const device = new LevelDevice(
      name,
      () => {
        const journey = irqs.request(gsi, source);
        end.set(true);
        return journey;
      },
      () => end.set(false),
    );
    if (!this.devices.has(gsi)) this.devices.set(gsi, device);
    return device;
  }

  /** The device that was connected first; undefined: there is none. */
  on(gsi: number): LevelDevice | undefined {
    return this.devices.get(gsi);
  }

  private wire(gsi: number): Line {
    let wire = this.wires.get(gsi);
    if (!wire) {
      wire = this.parts.add(
        new Line(`gsi${gsi}`, (high) => {
          if (!high) this.irqs.lower(gsi);
        }),
      );
      this.wires.set(gsi, wire);
    }
    return wire;
  }
}
