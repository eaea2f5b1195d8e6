/**
 * Where functions of Xen lie, for register dumps: in the order of its files, each as long as its part in the model asks
 * for, from where Xen's text begins on arm64 (XEN_VIRT_START of asm-arm/config.h).
 */
const TEXT = 0x20_0000;

/** file, function, its length, and where in it a CPU is found */
const FUNCTIONS = [
  ['entry.o#', 'guest_irq', 0x80, 0x80],
  ['entry.o#', 'guest_sync_slowpath', 0xa0, 0x9c],
  ['entry.o#', 'check_pending_guest_serror', 0x24, 0x10],
  ['domain.c#', 'idle_loop', 0x18c, 0x13c],
  ['', 'leave_hypervisor_to_guest', 0x1b0, 0x15c],
  ['', 'gic_interrupt', 0xb8, 0x70],
  ['softirq.c#', '__do_softirq', 0xe0, 0x9c],
  ['', 'do_softirq', 0x18, 0x14],
] as const;

export type XenFunction = (typeof FUNCTIONS)[number][1];

interface XenAddress {
  readonly low: number;
  /** %pS */
  readonly text: string;
}

const ADDRESSES = new Map<string, XenAddress>();
{
  let start = TEXT + 0x4_0000;
  for (const [file, name, length, at] of FUNCTIONS) {
    const text = `${file}${name}+0x${at.toString(16)}/0x${length.toString(16)}`;
    ADDRESSES.set(name, { low: start + at, text });
    start += (length + 0x7f) & ~0x7f;
  }
}

export function xenAddress(name: XenFunction): XenAddress {
  return ADDRESSES.get(name)!;
}
