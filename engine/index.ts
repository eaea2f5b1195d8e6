/** The door to the engine; files exchanged with other tools go through exchange.ts. */

export * as xen from './abi/xen.ts';
export { Bitmap } from './core/bits.ts';
export type { Account } from './core/books.ts';
export { Clock, ms, type Ns, seconds, us } from './core/clock.ts';
export { FormatError, printable, quoted, UserError } from './core/errors.ts';
export * from './export/arm-words.ts';
export { kvmCounters, kvmDebugfs, qemuCommand } from './export/kvm-debugfs.ts';
export { printPrometheus } from './export/prometheus.ts';
export { type QemuTopic, qemuInfo, qemuTopics } from './export/qemu-info.ts';
export * from './export/x86-words.ts';
export { defaultRoutes, IrqRouting, qemuRoutes, type Route } from './hv/kvm/irq-routing.ts';
export { IrqChip } from './hv/kvm/irqchip.ts';
export { GicCpu, type GicHw } from './hv/xen/arm/gic-hw.ts';
export { GicV2Hw } from './hv/xen/arm/gic-v2.ts';
export { GicV3Hw } from './hv/xen/arm/gic-v3.ts';
export { type HwIrq, IRQ_DISABLED, IRQ_INPROGRESS } from './hv/xen/arm/pending-irq.ts';
export { Vgic } from './hv/xen/arm/vgic.ts';
export { VgicDomain, type VgicVcpu } from './hv/xen/arm/vgic-domain.ts';
export * from './hv/xen/arm/vgic-emulate.ts';
export { NO_RAISES, type VgicHost } from './hv/xen/arm/vgic-host.ts';
export { writeSgi1r } from './hv/xen/arm/vgic-v3.ts';
export * from './hv/xen/evtchn.ts';
export { HvmChips } from './hv/xen/x86/hvm-chips.ts';
export { HvmIrq, type IntAck } from './hv/xen/x86/hvm-irq.ts';
export { HvmVcpuApic } from './hv/xen/x86/hvm-vcpu-apic.ts';
export { Vpt } from './hv/xen/x86/vpt.ts';
export { Gich } from './hw/arm/gich.ts';
export { Ich } from './hw/arm/ich.ts';
export { VirtualInterface, type VirtualInterfaceOutput } from './hw/arm/virtual-interface.ts';
export { VECTORS_GICV2_VIRTUAL, VECTORS_GICV3_VIRTUAL } from './hw/arm/virtual-options.ts';
export { ApicBus } from './hw/x86/apic-bus.ts';
export { I8259Pair } from './hw/x86/i8259.ts';
export { KVM_PIC } from './hw/x86/i8259-options.ts';
export { LocalApic } from './hw/x86/lapic.ts';
export { KVM_LAPIC } from './hw/x86/lapic-options.ts';
export { buildMachine } from './machine/build.ts';
export type { Command, Done, Outcome, Place } from './machine/commands.ts';
export type { Fact, IrqDetails } from './machine/details.ts';
export { type EventLog, type EventQuery, type EventSnapshot, recentEvents } from './machine/events.ts';
export type { Passage } from './machine/hops.ts';
export { JourneyLog, pastJourney, pastJourneys } from './machine/journey.ts';
export { Machine, type SavedMachine } from './machine/machine.ts';
export type { Measured } from './machine/microbenchmarks/measure.ts';
export {
  type CostOnPath,
  costsOf,
  measureSystem,
  PAPER_SYSTEMS,
  type PaperSystem,
} from './machine/microbenchmarks/paper.ts';
export { RTC_START } from './machine/pc-devices.ts';
export type { QtestMachine, WiredDevice } from './machine/qtest-machine.ts';
export { QtestPc } from './machine/qtest-pc.ts';
export { QtestVirt } from './machine/qtest-virt.ts';
export type {
  EventChannelSnapshot,
  EventChannelsSnapshot,
} from './machine/xen/channels-inspect.ts';
export { printCpuinfo } from './proc/cpuinfo.ts';
export { parseInterrupts } from './proc/parse-interrupts.ts';
export { printInterrupts } from './proc/print-interrupts.ts';
export { parseSoftirqs, printSoftirqs } from './proc/softirqs.ts';
export { parseStat, printStat } from './proc/stat.ts';
export { statOf } from './proc/stat-of.ts';
export type * from './proc/types.ts';
export { printUptime } from './proc/uptime.ts';
export { builtinScenario, builtinScenarios, builtinText, DEFAULT_SCENARIO } from './scenario/builtin.ts';
export type { Demo, DemoCommand, DemoRun, DemoStep } from './scenario/demo.ts';
export { builtinDemos, loadDemo } from './scenario/demos-lazy.ts';
export {
  type Expectation,
  type Finding,
  judgeExpectation,
  parseExpectation,
  pathsIn,
  valueText,
} from './scenario/expectation.ts';
export {
  isArm,
  isKvm,
  PLATFORMS,
  type Platform,
  type Scenario,
  shortSystemOf,
  systemOf,
} from './scenario/kinds.ts';
export {
  changeScenario,
  checkScenario,
  loadRecording,
  loadScenario,
  parseCommand,
  printScenario,
  scenarioJsonSchema,
} from './scenario/load-lazy.ts';
export { MICROBENCHMARKS, type MicrobenchmarkName } from './scenario/microbenchmarks.ts';
export { observe } from './scenario/observable.ts';
export type { Recording } from './scenario/recording.ts';
export { type RecordingHead, recordingLine } from './scenario/recording-lines.ts';
export type { Setting } from './scenario/settings.ts';
export * from './snapshot.ts';
