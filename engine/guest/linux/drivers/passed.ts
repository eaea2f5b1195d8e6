/**
 * The driver of a PCI device that a guest has been given: a message for each of its queues, or its interrupt line. The
 * registers of the device are mapped into the guest, so its handler reads them without leaving it.
 */
import type { Ns } from '../../../core/clock.ts';
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { Work } from '../irq-core.ts';
import type { NativeKernel } from '../native.ts';
import { ioOf } from './io.ts';
import { MsixTable, PciConfig } from './pci.ts';

/** A handler that waits for something that never comes: eleven days. */
const FOREVER: Ns = 1e15;

export interface PassedPlace {
  readonly devfn: number;
  /** the line of its pin, used when it has no MSI-X */
  readonly gsi: number;
  /** the handler reads and clears the status; false: it was another device's interrupt */
  service(): boolean;
  /** the handler is going to spin, waiting for its device */
  stuck(): boolean;
}

export class PassedDriver implements Part {
  readonly id: string;
  private table: MsixTable | undefined;

  constructor(
    private readonly kernel: NativeKernel,
    private readonly name: string,
    private readonly place: PassedPlace,
  ) {
    this.id = `${kernel.id}.${name}.driver`;
    kernel.init.parts.add(this);
  }

  probe(): void {
    const { kernel, place, name } = this;
    const io = ioOf(kernel.cpus[0]!);
    const config = new PciConfig(io, place.devfn);
    config.enable();
    const table = MsixTable.find(io, config);
    if (!table) {
      kernel.requestGsi(place.gsi, { level: true, name, work: this.interrupt });
      return;
    }
    this.table = table;
    table.enable();
    for (let n = 0; n < table.vectors; n++) {
      const desc = kernel.controllers.allocMsi(
        place.devfn,
        n,
        (address, data, masked, on) => table.compose(n, address, data, masked, on && ioOf(on)),
        [n % kernel.cpuCount],
      );
      kernel.controllers.request(desc, `${name}-${n}`, this.interrupt);
    }
  }

  private readonly interrupt: Work = {
    cost: () => (this.place.stuck() ? FOREVER : timing.shortHandler + timing.mmioAccess),
    run: () => this.place.service(),
  };

  save(): Plain {
    return this.table?.save() ?? null;
  }

  restore(state: Plain): void {
    this.table?.restore(state);
  }
}
