/** What is where on QEMU's `virt` board (hw/arm/virt.c): memory map and interrupts, as its device tree tells kernels. */

/** Base addresses. */
export const VIRT_BASE = {
  GICD: 0x0800_0000,
  /** GICv2 */
  GICC: 0x0801_0000,
  GICH: 0x0803_0000,
  GICV: 0x0804_0000,
  /** GICv3: the first CPU's redistributor, the next follow */
  GICR: 0x080a_0000,
  UART: 0x0900_0000,
  RTC: 0x0901_0000,
  /** the first of VIRTIO_TRANSPORTS */
  VIRTIO: 0x0a00_0000,
} as const;

export const VIRTIO_TRANSPORTS = 32;

/** INTIDs that the distributor has. */
export const VIRT_INTIDS = { 2: 288, 3: 256 } as const;

/** Private peripheral interrupts, every CPU's own; all are level-sensitive. */
export const Ppi = {
  /** maintenance interrupt of the virtual CPU interface */
  MAINTENANCE: 25,
  /** hypervisor's physical timer */
  CNTHP: 26,
  /** virtual timer */
  CNTV: 27,
  /** secure physical timer */
  CNTPS: 29,
  /** physical timer */
  CNTP: 30,
} as const;

/** Shared peripheral interrupts, as INTIDs: SPI n is 32 + n. */
export const Spi = {
  UART: 33,
  RTC: 34,
  /** INTA to INTD of the PCI host bridge: level */
  PCI_INTX: 35,
  /** GPIO of the power button */
  GPIO: 39,
  /** the first of VIRTIO_TRANSPORTS: edge */
  VIRTIO: 48,
  /** of GICv2m, 64 of them: messages */
  GICV2M: 80,
} as const;

export const PCI_PINS = 4;
/** messages of GICv2m */
export const V2M_SPIS = 64;

/** INTID of a PCI device's INTx pin, 0 to 3: swizzled by slot, as the bridge's interrupt map says. */
export function pciIntx(slot: number, pin: number): number {
  return Spi.PCI_INTX + ((slot + pin) % PCI_PINS);
}

/** INTID of a virtio-mmio transport. */
export function virtioIrq(transport: number): number {
  return Spi.VIRTIO + transport;
}

/** Rate of the system counter that generic timers count by. */
export const COUNTER_HZ = 62_500_000;
