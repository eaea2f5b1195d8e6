/** A device that can be fired, or a workload, in full: what it is, where its interrupts end, what became of them. */
import type { Account, DeviceSnapshot, Fact, Snapshot } from '../../engine/index.ts';
import { deviceKey, paceText as sourcePace } from '../devices-table.ts';
import { count } from '../format.ts';
import type { Session } from '../session.ts';
import { takenBy } from '../subject.ts';
import { type Block, paceText } from './blocks.ts';

export function deviceBlocks({ frame }: Session, name: string): Block[] | undefined {
  const { snapshot, history } = frame;
  const device = snapshot.devices.find((d) => d.name === name);
  if (!device) return undefined;
  const accounts = snapshot.books.filter(({ source }) => device.sources.includes(source));
  return [
    {
      title: 'config',
      facts: [
        ['what it is', device.title],
        ['key', `${device.key}: one event; B ten, S a storm of them`],
        ...endFacts(device, snapshot),
      ],
    },
    {
      title: 'state',
      facts: [
        ['fired', times(device.fired)],
        ['storm', device.storm > 0 ? `${sourcePace({ rate: device.storm, unit: 'a second' })}` : 'none'],
        ['raises', paceText(history.rate(deviceKey(name)))],
      ],
    },
    { title: 'what became of its raises', facts: accounts.map(fates) },
  ];
}

export function workloadBlocks({ frame }: Session, name: string): Block[] | undefined {
  const source = frame.snapshot.sources.find((s) => s.name === name);
  if (!source) return undefined;
  return [
    { title: 'config', facts: [['what it does', source.what]] },
    { title: 'state', facts: [['rate', `${sourcePace(source)}; ( halves it, ) doubles it, v types it`]] },
  ];
}

function times(n: number): string {
  return n === 0 ? 'never' : n === 1 ? 'once' : `${count(n, 15)} times`;
}

/** Each row that its interrupts end in, with who handles it. */
function endFacts({ ends }: DeviceSnapshot, { domains, xen }: Snapshot): Fact[] {
  if (ends.length === 0) return [['ends in', 'no row with a number']];
  return ends.map(({ domain, irq }, i): Fact => {
    const title = i === 0 ? 'ends in' : '';
    if (xen && domain === xen.id) {
      const taken = takenBy(xen).find(({ number }) => number === irq);
      return [title, `Xen ${taken ? `${taken.label} ${taken.what}` : irq}`];
    }
    const owner = domains.find((d) => d.id === domain);
    const row = owner?.interrupts.rows.find((r) => r.irq === irq);
    const names = row?.actions.join(', ');
    return [title, `${owner?.name ?? '?'} irq ${irq}${row ? ` ${row.chip}${names ? ` ${names}` : ''}` : ''}`];
  });
}

/** `raised 12 = delivered 10 + coalesced 2 + ignored 0 + pending 0` of one destination, as the books have it. */
function fates({ source, destination, raised, delivered, coalesced, pending, ignored }: Account): Fact {
  const lost = Object.entries(ignored).filter(([, n]) => n > 0);
  const why = lost.map(([reason, n]) => `${reason} ${count(n, 15)}`).join(', ');
  const sum = lost.reduce((all, [, n]) => all + n, 0);
  const parts = [
    `delivered ${count(delivered, 15)}`,
    `coalesced ${count(coalesced, 15)}`,
    `ignored ${count(sum, 15)}${why === '' ? '' : ` (${why})`}`,
    `pending ${count(pending, 15)}`,
  ];
  return [`${source} to ${destination}`, `raised ${count(raised, 15)} = ${parts.join(' + ')}`];
}
