/**
 * The MSI-X of a passed-through device as its guest sees it (hw/xen/xen_pt_msi.c of QEMU, pt-msi.c of qemu-dm): the device
 * model keeps the table. An entry that the guest lets through is mapped to a pirq, and bound to what it says; the real
 * table of the device is Xen's.
 *
 * Not modelled: that Xen takes over mask bits of entries it knows (msixtbl_mmio_ops); accesses of eight bytes.
 */
import type { Registers, Width } from '../../core/registers.ts';
import { type Part, type Plain, restoreArray, saveArray } from '../../core/state.ts';
import { MSIX } from '../../devices/pc/msix.ts';
import type { Capability } from '../../devices/pc/pci.ts';
import type { Dpci } from '../../hv/xen/x86/dpci.ts';
import { MsiAddress, MsiData } from '../../hw/x86/msi.ts';

/** message control, in the upper half of the first double word */
const ENABLE = 0x8000_0000;
const FUNCTION_MASK = 0x4000_0000;
/** vector control */
const MASKED = 1;
/** double words of an entry: address, upper address, data, vector control */
const ENTRY = 4;
const CONTROL = 3;
/** where the pending bits begin, behind the largest table that a scenario can ask for */
const PENDING_AT = 0x800;
/** the base address register that both are behind */
export const MSIX_BAR = 0;

export class PassedMsix implements Capability, Part {
  readonly id: string;
  readonly capabilityId = MSIX;
  readonly size = 12;
  private enabled = false;
  private functionMask = false;
  private readonly entries: Uint32Array;
  /** by message: its pirq; -1: not mapped yet */
  readonly pirqs: number[];

  /** @param pending does the device wait with a message until it is let through? */
  constructor(
    name: string,
    readonly vectors: number,
    private readonly dpci: Dpci,
    private readonly pending: (pirq: number) => boolean,
  ) {
    this.id = `msix.${name}`;
    this.entries = new Uint32Array(vectors * ENTRY);
    for (let v = 0; v < vectors; v++) this.entries[v * ENTRY + CONTROL] = MASKED;
    this.pirqs = new Array(vectors).fill(-1);
  }

  // configuration space

  dword(n: number): number {
    if (n === 1) return MSIX_BAR;
    if (n === 2) return PENDING_AT | MSIX_BAR;
    const control = (this.enabled ? ENABLE : 0) | (this.functionMask ? FUNCTION_MASK : 0);
    return (control | ((this.vectors - 1) << 16)) >>> 0;
  }

  setDword(n: number, value: number, mask: number): void {
    if (n !== 0 || (mask & 0xff00_0000) === 0) return;
    this.enabled = (value & ENABLE) !== 0;
    this.functionMask = (value & FUNCTION_MASK) !== 0;
    for (let v = 0; v < this.vectors; v++) this.update(v);
  }

  // memory

  readonly registers: Registers = {
    read: (offset, width) => this.read(offset, width),
    write: (offset, value, width) => this.write(offset, value, width),
  };

  private read(offset: number, width: Width): number {
    if (width < 4) return 0;
    if (offset < PENDING_AT) return this.entries[offset >> 2] ?? 0;
    return (
      this.pirqs.reduce((bits, pirq, v) => bits | (pirq >= 0 && this.pending(pirq) ? 1 << v : 0), 0) >>> 0
    );
  }

  private write(offset: number, value: number, width: Width): void {
    const n = offset >> 2;
    if (width < 4 || offset & 3 || n >= this.entries.length) return;
    this.entries[n] = n % ENTRY === CONTROL ? value & MASKED : value;
    if (n % ENTRY === CONTROL) this.update(Math.floor(n / ENTRY));
  }

  /** xen_pt_msix_update_one: an entry let through is bound to what it says now; one that is masked stays bound. */
  private update(vector: number): void {
    const at = vector * ENTRY;
    const masked = !this.enabled || this.functionMask || (this.entries[at + CONTROL]! & MASKED) !== 0;
    let pirq = this.pirqs[vector]!;
    if (pirq < 0) {
      if (masked) return;
      pirq = this.dpci.mapMsi();
      if (pirq < 0) return;
      this.pirqs[vector] = pirq;
    }
    if (!masked) {
      const [address, , data] = this.entries.subarray(at, at + 3) as unknown as [number, number, number];
      const bound = this.dpci.bindMsi(pirq, {
        vector: MsiData.vector.get(data),
        destination: MsiAddress.destination.get(address),
        logical: MsiAddress.logical.has(address),
        mode: MsiData.mode.get(data),
        level: MsiData.level.has(data),
      });
      if (bound < 0) return;
    }
    this.dpci.maskMsi(pirq, masked);
  }

  save(): Plain {
    const { enabled, functionMask, entries, pirqs } = this;
    return { enabled, functionMask, entries: saveArray(entries), pirqs: [...pirqs] };
  }

  restore(state: Plain): void {
    const s = state as { enabled: boolean; functionMask: boolean; entries: Plain; pirqs: number[] };
    this.enabled = s.enabled;
    this.functionMask = s.functionMask;
    restoreArray(this.entries, s.entries);
    this.pirqs.splice(0, Infinity, ...s.pirqs);
  }
}
