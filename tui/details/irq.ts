/** An interrupt in full: how it is set up, how it stands, and where its next one goes. */
import type { DomainSnapshot, Fact } from '../../engine/index.ts';
import { rowKey } from '../frame.ts';
import type { Session } from '../session.ts';
import { type Block, countFacts } from './blocks.ts';

export function irqBlocks(session: Session, domain: DomainSnapshot, irq: number): Block[] | undefined {
  const details = session.driver.machine.platform.details(domain.id, irq);
  const at = domain.interrupts.rows.findIndex((row) => row.irq === irq);
  if (!details || at < 0) return undefined;
  const { counts } = domain.interrupts.rows[at]!;
  const state = domain.irqStates[at]!;
  const flags = [
    state.pending ? 'pending' : 'not pending',
    state.masked ? 'masked' : 'not masked',
    state.active ? 'being handled' : 'not being handled',
  ];
  const counted: Fact[] = [
    ['now', flags.join(', ')],
    ...countFacts(session, rowKey(domain.name, irq), counts, domain.interrupts.cpus, 'CPU'),
  ];
  return [
    { title: 'config', facts: details.config },
    { title: 'state', facts: [...counted, ...details.state] },
    { title: 'where its next interrupt goes', facts: details.route },
  ];
}
