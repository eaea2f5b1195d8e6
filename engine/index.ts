/** The only door to the engine. */

export * as xen from './abi/xen.ts';
export { Bitmap } from './core/bits.ts';
export type { Account } from './core/books.ts';
export { Clock, ms, type Ns, seconds, us } from './core/clock.ts';
export { FormatError, printable, quoted, UserError } from './core/errors.ts';
export { defaultRoutes, IrqRouting, qemuRoutes, type Route } from './hv/kvm/irq-routing.ts';
export { IrqChip } from './hv/kvm/irqchip.ts';
export * from './hv/xen/evtchn.ts';
export { ApicBus } from './hw/x86/apic-bus.ts';
export { I8259Pair } from './hw/x86/i8259.ts';
export { KVM_PIC } from './hw/x86/i8259-options.ts';
export { LocalApic } from './hw/x86/lapic.ts';
export { KVM_LAPIC } from './hw/x86/lapic-options.ts';
export { buildMachine } from './machine/build.ts';
export { type ImportOptions, importHost } from './machine/build-import.ts';
export { Machine, type SavedMachine } from './machine/machine.ts';
export { parseInterrupts } from './proc/parse-interrupts.ts';
export { printInterrupts } from './proc/print-interrupts.ts';
export { parseSoftirqs, printSoftirqs } from './proc/softirqs.ts';
export { parseStat, printStat } from './proc/stat.ts';
export { statOf } from './proc/stat-of.ts';
export type * from './proc/types.ts';
export { builtinScenario, builtinScenarios, DEFAULT_SCENARIO } from './scenario/builtin.ts';
export { loadScenario } from './scenario/load-lazy.ts';
export type { Scenario } from './scenario/schema.ts';
export * from './snapshot.ts';
