/**
 * One interrupt in full, asked for by whoever looks at its row: how it is set up, how it stands, and the stations
 * that its next one goes through. Platforms add what lies before the kernel.
 */
import type { IrqDesc } from '../guest/linux/irq-core.ts';
import { EOI_PENDING, EXPLICIT, type IrqInfo, TEMPORARY } from '../guest/linux/irq-info.ts';
import type { LinuxKernel } from '../guest/linux/kernel.ts';
import type { XenGuest } from '../guest/linux/xen-side.ts';
import { flowOf } from './hops-linux.ts';

/** A name, and what is to be said of it. */
export type Fact = readonly [name: string, value: string];

export interface IrqDetails {
  readonly config: readonly Fact[];
  readonly state: readonly Fact[];
  /** where its next interrupt goes, from the device to the handler; the first word is the place */
  readonly route: readonly Fact[];
}

/** `0-3,8` */
export function cpuList(cpus: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const cpu of [...cpus].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && last[1] === cpu - 1) last[1] = cpu;
    else runs.push([cpu, cpu]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',') || 'none';
}

export function yesNo(flag: boolean): string {
  return flag ? 'yes' : 'no';
}

/** What the kernel's descriptor is set up for. */
export function kernelConfig(kernel: LinuxKernel, desc: IrqDesc): Fact[] {
  const { chip, hwirq, flow, actions, affinity, ports, unlazy } = desc;
  const level = desc.level || flow === 'ioapic-level' || flow === 'fasteoi';
  const trigger = level ? 'level' : ports.length > 0 && desc.pirq < 0 ? 'event' : 'edge';
  const facts: Fact[] = [
    ['handlers', actions.map((a) => a.name).join(', ') || 'none requested'],
    ['chip', chip.name],
    ['flow', flowOf(kernel, desc)],
    ['trigger', trigger],
  ];
  if (hwirq !== null) facts.push(['hwirq', `${hwirq}`]);
  if (unlazy) facts.push(['flags', 'IRQ_DISABLE_UNLAZY']);
  facts.push(['smp_affinity', affinity ? cpuList(affinity) : 'as the driver asked']);
  return facts;
}

/** How it stands with the kernel. */
export function kernelState({
  depth,
  active,
  replay,
  heldBack,
  unlazy,
  moveTo,
  counted,
  unhandled,
}: IrqDesc): Fact[] {
  const facts: Fact[] = [
    ['disabled', depth > 0 ? `yes, depth ${depth}` : 'no, depth 0'],
    ['in progress', active > 0 ? `on ${active} CPU${active > 1 ? 's' : ''}` : 'no'],
  ];
  if (replay) facts.push(['IRQS_PENDING', 'came while disabled, raised again when enabled']);
  if (heldBack) {
    const since = unlazy ? 'as it was disabled' : 'came while disabled';
    facts.push(['IRQD_IRQ_MASKED', `${since}, masked until enabled`]);
  }
  if (moveTo) facts.push(['move pending', `to CPU ${cpuList(moveTo)} with the next one`]);
  if (counted > 0) facts.push(['unhandled', `${unhandled} of the last ${counted}`]);
  return facts;
}

/** The end of every route. */
export function handlerRoute(kernel: LinuxKernel, desc: IrqDesc): Fact[] {
  const { depth, actions } = desc;
  const end = depth > 0 ? 'disabled: nobody is called' : actions.map((a) => a.name).join(', ');
  return [['handler', `${flowOf(kernel, desc)}, irq ${desc.irq}: ${end || 'none'}`]];
}

const REASONS: readonly (readonly [bit: number, name: string])[] = [
  [EXPLICIT, 'EVT_MASK_REASON_EXPLICIT'],
  [TEMPORARY, 'EVT_MASK_REASON_TEMPORARY'],
  [EOI_PENDING, 'EVT_MASK_REASON_EOI_PENDING'],
];

/** When the port of an event channel is let through again. */
export function unmaskMode({ events, profile }: XenGuest, desc: IrqDesc): string {
  if (events.isLate(desc)) return 'late EOI: masked until the driver calls xen_irq_lateeoi';
  if (profile.maskWhileHandled) return 'masked while it is handled';
  if (desc.flow === 'ioapic-level') return 'not masked; stays pending until the handlers are through';
  return 'not masked; cleared before the handlers';
}

/** What the kernel keeps of a port. */
export function portState({ events }: XenGuest, info: IrqInfo, jiffies: number): Fact[] {
  const reasons = REASONS.filter(([bit]) => (info.maskReason & bit) !== 0).map(([, name]) => name);
  const facts: Fact[] = [['mask reasons', reasons.join(' ') || 'none']];
  if (!events.isLate(info.desc)) return facts;
  facts.push(['spurious', `${info.spurious} in a row`]);
  const left = info.eoiTime - jiffies;
  facts.push([
    'late EOI',
    info.eoiTime === 0 ? 'not delayed' : `delayed, due in ${Math.max(0, left)} jiffies`,
  ]);
  return facts;
}
