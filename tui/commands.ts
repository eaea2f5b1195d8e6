/** Keys that do something to the machine: each gives the driver a command and tells what came of it. */
import type { Command, DeviceSnapshot, Outcome } from '../engine/index.ts';
import { cpuListText, parseCpuList } from './cpu-list.ts';
import type { DeviceRow } from './devices-table.ts';
import { grouped } from './format.ts';
import type { TableRow } from './interrupt-rows.ts';
import { WATCHES } from './keymap.ts';
import type { LatencyRow } from './latency-table.ts';
import { followFired } from './path.ts';
import type { Prompt, Session } from './session.ts';
import { cpusOf, isXen, processorsOf } from './subject.ts';

/** times that `burst` fires */
export const BURST = 10;

/** What became of what commands do where no interrupt can be followed. */
const SAID: Readonly<Partial<Record<Command['do'], string>>> = {
  fire: 'it raised no interrupt',
  raise: 'it raised nothing that can be followed',
};

/** Tells what came of a command, and follows the interrupt that it raised. @returns whether it was done */
export function perform(session: Session, command: Command): boolean {
  const { refused, journey }: Outcome = session.options.watches
    ? { refused: WATCHES }
    : session.driver.do(command);
  if (refused !== undefined) session.update({ notice: refused });
  else if (journey !== undefined) followFired(session);
  else session.update({ notice: SAID[command.do] ?? '' });
  if (refused === undefined && (command.do === 'fire' || command.do === 'raise')) {
    session.update({ raised: command });
  }
  return refused === undefined;
}

export function fire(session: Session, device: string, times: number): void {
  const known = session.frame.snapshot.devices.some((d) => d.key === device || d.name === device);
  if (!known) session.update({ notice: `no device has the key ${device}` });
  else perform(session, { do: 'fire', device, times });
}

/** What was fired or raised last, ten times; of others' what the machine has fired last. */
export function burst(session: Session): void {
  const { raised } = session.ui;
  const last = session.frame.snapshot.lastFired?.device;
  if (raised?.do === 'raise') perform(session, { ...raised, times: BURST });
  else if (raised?.do === 'fire') perform(session, { ...raised, times: BURST });
  else if (last === undefined) session.update({ notice: 'nothing was fired yet: press a digit first' });
  else fire(session, last, BURST);
}

// the selected row

/** The row of an interrupt that is selected, and whose it is. */
function rowOf(session: Session): { domain: string; irq: number | string; label: string } | undefined {
  const { table, tableName, subject } = session;
  const row = table?.rows[table.selected];
  if (!row) return undefined;
  if (tableName === 'interrupts' || tableName === 'xen') {
    const { irq, label } = row as TableRow;
    return { domain: subject.name, irq: irq ?? label, label };
  }
  if (tableName === 'latency') {
    const { latency, irq } = row as LatencyRow;
    return { domain: subject.name, irq: isXen(subject) ? irq : latency.row, label: row.label };
  }
  return undefined;
}

/** The same, of those with a number; else it says where rows are. */
function numbered(session: Session): { domain: string; irq: number } | undefined {
  const row = rowOf(session);
  if (row && typeof row.irq === 'number') return { domain: row.domain, irq: row.irq };
  const notice = row ? `${row.label} is no interrupt of its own` : 'Interrupts (F2) has the rows for that';
  session.update({ notice });
  return undefined;
}

export function raise(session: Session): void {
  const device = deviceRow(session)?.device;
  if (device) {
    fire(session, device.name, 1);
    return;
  }
  const row = rowOf(session);
  if (row) perform(session, { do: 'raise', domain: row.domain, irq: row.irq });
  else session.update({ notice: 'Interrupts (F2) has the rows that can be raised' });
}

export function mask(session: Session): void {
  const row = numbered(session);
  if (!row) return;
  const { subject } = session;
  const state = isXen(subject) ? undefined : subject.irqStates.find(({ row: r }) => r.irq === row.irq);
  const masked = state?.disabled !== true;
  const { domain, irq } = row;
  if (!perform(session, { do: 'mask', domain, irq, masked })) return;
  session.update({ notice: `${domain}: ${masked ? 'disable_irq' : 'enable_irq'}(${irq})` });
}

export function affinity(session: Session): void {
  const row = numbered(session);
  if (!row) return;
  const { subject } = session;
  const state = isXen(subject) ? undefined : subject.irqStates.find(({ row: r }) => r.irq === row.irq);
  const text = state?.affinity ? cpuListText(state.affinity) : '';
  session.update({ overlay: null, prompt: { kind: 'affinity', text, ...row } });
}

export function setAffinity(session: Session, { domain, irq, text }: Prompt): void {
  if (domain === undefined || irq === undefined || text.trim() === '') return;
  const { subject } = session;
  const cpus = parseCpuList(text, cpusOf(subject));
  if (typeof cpus === 'string') session.update({ notice: cpus });
  else if (perform(session, { do: 'affinity', domain, irq, cpus })) {
    session.update({ notice: `${domain}: echo ${cpuListText(cpus)} > /proc/irq/${irq}/smp_affinity_list` });
  }
}

// processors

/** To the processor that the pending view shows, from the one before; elsewhere from the first to the second. */
export function ipi(session: Session): void {
  const { subject } = session;
  const all = cpusOf(subject);
  const shown = session.view.name === 'pending' && processorsOf(subject) > 0;
  const to = shown ? session.vcpu : Math.min(1, all - 1);
  const from = shown ? (to + all - 1) % all : 0;
  if (!perform(session, { do: 'ipi', domain: subject.name, from, to })) return;
  session.update({ notice: `${subject.name}: reschedule IPI from ${from} to ${to}` });
}

export function nmi(session: Session): void {
  const { subject } = session;
  const vcpu = session.view.name === 'pending' ? session.vcpu : 0;
  if (!perform(session, { do: 'nmi', domain: subject.name, vcpu })) return;
  session.update({ notice: `NMI to ${subject.name} ${isXen(subject) ? 'CPU' : 'vCPU'} ${vcpu}` });
}

// devices and workloads

/** The row that is selected in Devices. */
function deviceRow({ table, tableName }: Session): DeviceRow | undefined {
  return tableName === 'devices' ? (table?.rows[table.selected] as DeviceRow | undefined) : undefined;
}

/** Of the selected device, elsewhere of that fired last. */
export function storm(session: Session): void {
  const { snapshot } = session.frame;
  const row = deviceRow(session);
  if (row && !row.device) {
    session.update({ notice: `${row.label} is a workload: ( ) and v change its rate` });
    return;
  }
  const device = row?.device ?? lastDevice(session) ?? snapshot.devices.find((d) => d.storm > 0);
  if (!device) {
    session.update({ notice: 'no device was fired yet: press a digit first, or choose one in Devices (F8)' });
    return;
  }
  const on = device.storm === 0;
  if (!perform(session, { do: 'storm', device: device.name, on })) return;
  const rate = session.frame.snapshot.devices.find((d) => d.name === device.name)?.storm ?? 0;
  session.update({
    notice: on ? `${device.name} storms, ${grouped(rate)} a second: S stops it` : `${device.name} is quiet`,
  });
}

function lastDevice({ frame }: Session): DeviceSnapshot | undefined {
  const { devices, lastFired } = frame.snapshot;
  return devices.find((d) => d.name === lastFired?.device);
}

/** Half or twice the rate of the selected workload or storm. */
export function changeRate(session: Session, factor: number): void {
  const row = paced(session);
  if (row) setRateOf(session, row, { factor });
}

export function typeRate(session: Session): void {
  const row = paced(session, true);
  if (!row) return;
  session.update({
    overlay: null,
    prompt: { kind: 'rate', text: '', source: row.device?.name ?? row.source!.name },
  });
}

/** What is selected and has a rate; else it says so. @param any a device that is quiet as well */
function paced(session: Session, any = false): DeviceRow | undefined {
  const row = deviceRow(session);
  if (!row) session.update({ notice: 'Devices (F8) has the rates' });
  else if (!any && row.device?.storm === 0) {
    session.update({ notice: `${row.label} does not storm: S starts that` });
    return undefined;
  }
  return row;
}

export function setRate(session: Session, { source, text }: Prompt): void {
  if (source === undefined || text.trim() === '') return;
  const perSecond = Number(text.replaceAll(',', ''));
  if (!Number.isFinite(perSecond)) {
    session.update({ notice: `no number: "${text.trim()}"; how many a second` });
    return;
  }
  const { devices } = session.frame.snapshot;
  const device = devices.find((d) => d.name === source);
  if (device && perSecond === 0) perform(session, { do: 'storm', device: source, on: false });
  else if (device) perform(session, { do: 'storm', device: source, on: true, rate: perSecond });
  else perform(session, { do: 'rate', source, perSecond });
}

function setRateOf(session: Session, row: DeviceRow, to: { factor: number }): void {
  perform(session, { do: 'rate', source: row.source?.name ?? row.device!.name, ...to });
}
