/** The address and data that a kernel has told a device to send as its message, and whether it has masked it. */
import type { Part, Plain } from '../core/state.ts';
import type { Compose } from '../guest/linux/native-irqs.ts';

export class MessageRegister implements Part {
  address = 0;
  data = 0;
  masked = true;

  /** @param unmasked it may be sent from now on, also what had to wait */
  constructor(
    readonly id: string,
    private readonly unmasked: () => void = () => {},
  ) {}

  readonly write: Compose = (address, data, masked) => {
    this.set(address, data, masked);
    if (!masked) this.unmasked();
  };

  private set(address: number, data: number, masked: boolean): void {
    this.address = address;
    this.data = data;
    this.masked = masked;
  }

  save(): Plain {
    return [this.address, this.data, Number(this.masked)];
  }

  restore(state: Plain): void {
    const [address, data, masked] = state as [number, number, number];
    this.set(address, data, masked === 1);
  }
}
