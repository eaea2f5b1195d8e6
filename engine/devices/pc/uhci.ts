/**
 * A USB host controller, as far as its interrupt goes: the Universal Host Controller Interface (revision 1.1, section
 * 2.1). USBSTS at offset 2 is cleared by writing ones; INTx# is held while a cause that USBINTR lets through is in it.
 * The firmware leaves USBINTR set for its own keyboard driver, as real ones do. No frames, no ports.
 */
import type { LineDriver } from '../../core/line.ts';
import type { Registers, Width } from '../../core/registers.ts';
import type { Part, Plain } from '../../core/state.ts';

export const USBSTS = 2;
export const USBINTR = 4;
export const USBSTS_USBINT = 1;
const CAUSES = 0x1f;
const IOC = 4;

export class Uhci implements Part, Registers {
  readonly id: string;
  private status = 0;
  private enabled = IOC;

  constructor(
    name: string,
    private readonly intx: LineDriver,
  ) {
    this.id = `device.${name}`;
  }

  /** A transfer is over. */
  fire(): void {
    this.status |= USBSTS_USBINT;
    this.drive();
  }

  read(offset: number, _width: Width): number {
    if (offset === USBSTS) return this.status;
    return offset === USBINTR ? this.enabled : 0;
  }

  write(offset: number, value: number, _width: Width): void {
    if (offset === USBSTS) this.status &= ~(value & CAUSES);
    else if (offset === USBINTR) this.enabled = value & 0xf;
    this.drive();
  }

  private drive(): void {
    this.intx.set((this.status & USBSTS_USBINT) !== 0 && (this.enabled & IOC) !== 0);
  }

  save(): Plain {
    return [this.status, this.enabled];
  }

  restore(state: Plain): void {
    [this.status, this.enabled] = state as [number, number];
  }
}
