/** Details of a row over its view: how it is set up, how it stands, where it goes. They are read anew with each frame. */
import type { Fact } from '../../engine/index.ts';
import type { DeviceRow } from '../devices-table.ts';
import { sanitize } from '../format.ts';
import type { VcpuRow } from '../host-table.ts';
import { LineBuilder } from '../line.ts';
import type { Session } from '../session.ts';
import { isXen } from '../subject.ts';
import { type Block, beside, blockLines } from './blocks.ts';
import { deviceBlocks, workloadBlocks } from './device.ts';
import { exitBlocks } from './exit.ts';
import { irqBlocks } from './irq.ts';
import { vcpuBlocks } from './vcpu.ts';

/** The row that is looked at: an interrupt, the exits for a reason, what raises interrupts, who takes them. */
export type Looked =
  | { readonly what: 'irq'; readonly domain: string; readonly irq: number; readonly name: string }
  | { readonly what: 'exit'; readonly domain: string; readonly reason: number; readonly name: string }
  | { readonly what: 'device' | 'workload'; readonly name: string }
  | { readonly what: 'vcpu'; readonly domain: string; readonly vcpu: number; readonly name: string };

/** From this width on config and state stand beside each other. */
const WIDE = 110;

/** The chosen row, if there are details of it; exits, devices and virtual CPUs have them always. */
export function lookedAt({ subject, view, table, driver }: Session): Looked | undefined {
  const row = table?.rows[table.selected];
  if (!row) return undefined;
  if (view.name === 'devices') {
    const { device, source } = row as DeviceRow;
    return device ? { what: 'device', name: device.name } : source && { what: 'workload', name: source.name };
  }
  if (view.name === 'host') {
    const { domain, vcpu } = row as VcpuRow;
    return { what: 'vcpu', domain, vcpu, name: row.label };
  }
  if (isXen(subject)) return undefined;
  const at = { domain: subject.name, name: row.label };
  if (view.name === 'exits') return { what: 'exit', ...at, reason: (row as { reason?: number }).reason! };
  const irq = view.name === 'interrupts' ? (row as { irq?: number | null }).irq : undefined;
  if (irq === undefined || irq === null) return undefined;
  return driver.machine.platform.details(subject.id, irq) ? { what: 'irq', ...at, irq } : undefined;
}

const TITLES: Readonly<Record<Looked['what'], (looked: Looked) => string>> = {
  irq: (looked) => `${(looked as { domain: string }).domain} irq ${looked.name}`,
  exit: (looked) => `${(looked as { domain: string }).domain} ${looked.name}`,
  device: ({ name }) => `device ${name}`,
  workload: ({ name }) => `workload ${name}`,
  vcpu: ({ name }) => `virtual CPU ${name}`,
};

export function detailsTitle(session: Session, looked: Looked): LineBuilder {
  const line = new LineBuilder().add(` ${text(session, TITLES[looked.what](looked))}`, 'title');
  if (looked.what === 'irq') line.add('   ').add('Enter', 'key').add(' or ').add('p', 'key').add(' its path');
  return line.add('   ').add('Esc', 'key').add(' back');
}

export function detailsLines(session: Session, looked: Looked): LineBuilder[] {
  const blocks = blocksOf(session, looked);
  if (!blocks) return [new LineBuilder().add(' the row is gone')];
  const { columns } = session.size;
  const [config, state, ...rest] = blocks.map((block) => ({
    ...block,
    facts: block.facts.map(([name, value]): Fact => [text(session, name), text(session, value)]),
  }));
  const first =
    columns >= WIDE
      ? beside(config!, state!, columns)
      : [...blockLines(config!, columns), new LineBuilder(), ...blockLines(state!, columns)];
  return [...first, ...rest.flatMap((block) => [new LineBuilder(), ...blockLines(block, columns)])];
}

/** Config and state first; undefined: there is no such row any more. */
function blocksOf(session: Session, looked: Looked): readonly Block[] | undefined {
  switch (looked.what) {
    case 'device':
      return deviceBlocks(session, looked.name);
    case 'workload':
      return workloadBlocks(session, looked.name);
  }
  const domain = session.frame.snapshot.domains.find((d) => d.name === looked.domain);
  if (!domain) return undefined;
  switch (looked.what) {
    case 'irq':
      return irqBlocks(session, domain, looked.irq);
    case 'exit':
      return exitBlocks(session, domain, looked.reason, looked.name);
    case 'vcpu':
      return vcpuBlocks(session, domain, looked.vcpu);
  }
}

function text({ glyphs }: Session, s: string): string {
  return sanitize(s, glyphs.ascii);
}
