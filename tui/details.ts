/** Details of a row over its view: how it is set up, how it stands, where it goes. They are read anew with each frame. */
import type { DomainSnapshot, Fact } from '../engine/index.ts';
import { EXIT_WORDS } from './exit-words.ts';
import { exitKey } from './exits-table.ts';
import { count, displayWidth, duration, pad, percent, rate, sanitize } from './format.ts';
import { rowKey } from './frame.ts';
import { LineBuilder } from './line.ts';
import type { Session } from './session.ts';
import { isXen } from './subject.ts';
import { sum } from './table-model.ts';

/** The row that is looked at: an interrupt, or the exits for a reason. */
export type Looked =
  | { readonly what: 'irq'; readonly domain: string; readonly irq: number; readonly name: string }
  | { readonly what: 'exit'; readonly domain: string; readonly reason: number; readonly name: string };

/** A heading and what is said below it. */
interface Block {
  readonly title: string;
  readonly facts: readonly Fact[];
}

/** From this width on config and state stand beside each other. */
const WIDE = 110;
const GAP = 3;

/** The chosen row, if there are details of it; an exit has them always. */
export function lookedAt({ subject, view, table, driver }: Session): Looked | undefined {
  const row = table?.rows[table.selected];
  if (!row || isXen(subject)) return undefined;
  const at = { domain: subject.name, name: row.label };
  if (view.name === 'exits') return { what: 'exit', ...at, reason: (row as { reason?: number }).reason! };
  const irq = view.name === 'interrupts' ? (row as { irq?: number | null }).irq : undefined;
  if (irq === undefined || irq === null) return undefined;
  return driver.machine.platform.details(subject.id, irq) ? { what: 'irq', ...at, irq } : undefined;
}

export function detailsTitle({ what, domain, name }: Looked): LineBuilder {
  const line = new LineBuilder().add(` ${domain} ${what === 'irq' ? 'irq ' : ''}${name}`, 'title');
  if (what === 'irq') line.add('   ').add('Enter', 'key').add(' or ').add('p', 'key').add(' its path');
  return line.add('   ').add('Esc', 'key').add(' back');
}

export function detailsLines(session: Session, looked: Looked): LineBuilder[] {
  const domain = session.frame.snapshot.domains.find((d) => d.name === looked.domain);
  if (!domain) return [new LineBuilder().add(` ${looked.domain} is gone`)];
  const blocks =
    looked.what === 'irq' ? irqBlocks(session, domain, looked.irq) : exitBlocks(session, domain, looked);
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

function text({ glyphs }: Session, s: string): string {
  return sanitize(s, glyphs.ascii);
}

function irqBlocks(session: Session, domain: DomainSnapshot, irq: number): Block[] | undefined {
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

function countFacts(
  { frame }: Session,
  key: string,
  counts: readonly number[],
  cpus: readonly number[],
  unit: string,
): Fact[] {
  const each = counts.flatMap((n, i) => (n > 0 ? [`${unit}${cpus[i]} ${count(n, 15)}`] : []));
  const perSecond = frame.history.rate(key);
  return [
    [
      'count',
      `${count(sum(counts), 15)}${each.length > 1 ? `: ${each.join(', ')}` : each.length === 1 ? `, all on ${each[0]!.split(' ')[0]}` : ''}`,
    ],
    ['rate', Number.isFinite(perSecond) ? `${rate(perSecond)}/s` : 'not known yet'],
  ];
}

function exitBlocks(
  session: Session,
  domain: DomainSnapshot,
  { reason, name }: Extract<Looked, { what: 'exit' }>,
): Block[] | undefined {
  const row = domain.exits?.rows.find((r) => r.reason === reason);
  if (!row) return undefined;
  const { rows } = domain.exits!;
  const span = session.driver.machine.platform.exitSpan?.(domain.id, reason);
  const times = sum(rows.map((r) => r.totalNs));
  const all = sum(rows.map((r) => sum(r.counts)));
  const state: Fact[] = [
    ...countFacts(
      session,
      exitKey(domain.name, reason),
      row.counts,
      domain.vcpus.map((v) => v.vcpu),
      'vCPU',
    ),
    [
      'share',
      `${percent(sum(row.counts) / all)} of its exits, ${percent(row.totalNs / times)} of their time`,
    ],
  ];
  if (span) {
    const { min, mean, p50, p99, max } = span;
    state.push(
      ['away', `min ${duration(min)}, mean ${duration(mean)}, max ${duration(max)}`],
      ['percentiles', `50%: ${duration(p50)}, 99%: ${duration(p99)}`],
    );
  }
  return [
    {
      title: 'config',
      facts: [
        ['reason', `${reason}${domain.x86 ? ` = 0x${reason.toString(16)}` : ''} ${name}`],
        ['what it is', EXIT_WORDS[name] ?? 'no words for it'],
      ],
    },
    { title: 'state', facts: state },
    ...lastOf(domain, reason),
  ];
}

/** Virtual CPUs whose last exit was for this reason, as their VMCS still tells. */
function lastOf({ x86 }: DomainSnapshot, reason: number): Block[] {
  const facts = (x86?.lapics ?? []).flatMap(({ cpu, vmcs }): Fact[] => {
    const field = (name: string) => vmcs?.fields.find(([n]) => n === name)?.[1] ?? 0;
    if (!vmcs || (field('Exit reason') & 0xffff) !== reason) return [];
    const hex = (n: number) => `0x${(n >>> 0).toString(16).padStart(8, '0')}`;
    const words = [`qualification ${hex(field('Exit qualification'))}`];
    const info = field('VM-exit interruption information');
    if (info >>> 31) words.push(`interruption information ${hex(info)}`);
    words.push(`instruction length ${field('VM-exit instruction length')}`);
    return [[`vCPU ${cpu}`, words.join(', ')]];
  });
  return facts.length > 0 ? [{ title: 'the last exit of these was for it', facts }] : [];
}

/** ` name   value`, the value going on below itself. */
function blockLines({ title, facts }: Block, width: number): LineBuilder[] {
  const name = Math.min(24, Math.max(8, ...facts.map(([n]) => displayWidth(n))));
  const lines = facts.flatMap(([n, value]) =>
    folded(value, Math.max(20, width - name - 5)).map((piece, i) =>
      new LineBuilder().add(`  ${pad(i === 0 ? n : '', name, '')} `, 'dim').add(` ${piece}`),
    ),
  );
  return [new LineBuilder().add(` ${title}`, 'heading'), ...lines];
}

function beside(left: Block, right: Block, width: number): LineBuilder[] {
  const half = Math.floor((width - GAP) / 2);
  const [a, b] = [blockLines(left, half), blockLines(right, half)];
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => {
    const line = new LineBuilder();
    if (a[i]) line.append(a[i].cut(half, ''));
    return b[i] ? line.to(half + GAP).append(b[i]) : line;
  });
}

/** Broken at blanks. */
function folded(value: string, width: number): string[] {
  const out: string[] = [''];
  for (const word of value.split(' ')) {
    const last = out.at(-1)!;
    if (last === '') out[out.length - 1] = word;
    else if (displayWidth(last) + 1 + displayWidth(word) <= width) out[out.length - 1] = `${last} ${word}`;
    else out.push(word);
  }
  return out;
}
