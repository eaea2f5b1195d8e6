/**
 * Memory of a machine that its devices, or the hypervisor, read and write by themselves. Only what is shared with those is
 * held: rings, by the physical address that the driver gives the device, and words of a CPU. They are made when the machine
 * is built, in the same order each time, and save themselves.
 */
const PAGE = 4096;
/** above the first megabyte */
const FIRST = 0x10_0000;

export class DmaMemory {
  private next = FIRST;
  private readonly shared = new Map<number, object>();

  /** Whole pages for what is shared; the answer is their address. */
  allocate(bytes: number, what: object): number {
    const address = this.next;
    this.next += Math.ceil(bytes / PAGE) * PAGE;
    this.shared.set(address, what);
    return address;
  }

  /** What begins at an address; undefined where nothing of the kind does. */
  at<T extends object>(address: number, kind: abstract new (...args: never[]) => T): T | undefined {
    const found = this.shared.get(address);
    return found instanceof kind ? found : undefined;
  }
}
