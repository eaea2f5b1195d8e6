/** The driver of a USB host controller (drivers/usb/host/uhci-hcd.c): its interrupt reads the status and clears it. */
import type { Part, Plain } from '../../../core/state.ts';
import { timing } from '../../../timing.ts';
import type { Work } from '../irq-core.ts';
import type { LinuxKernel } from '../kernel.ts';
import { ioOf } from './io.ts';

const USBSTS = 2;
const HALTED = 0x20;

export class UhciHcd implements Part {
  readonly id: string;
  handled = 0;

  /** @param base its I/O ports */
  constructor(
    kernel: LinuxKernel,
    readonly name: string,
    private readonly base: number,
  ) {
    this.id = `${kernel.id}.${name}`;
    kernel.init.parts.add(this);
  }

  /** uhci_irq: a status without a cause is somebody else's interrupt. */
  readonly interrupt: Work = {
    cost: () => timing.shortHandler,
    run: (cpu) => {
      const io = ioOf(cpu);
      const status = io.in(this.base + USBSTS, 2);
      if ((status & ~HALTED) === 0) return false;
      io.out(this.base + USBSTS, status, 2);
      this.handled++;
      return true;
    },
  };

  save(): Plain {
    return this.handled;
  }

  restore(state: Plain): void {
    this.handled = state as number;
  }
}
