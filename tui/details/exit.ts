/** The exits of a guest for one reason: what it is, how often, how long, and whose last one it was. */
import type { DomainSnapshot, Fact } from '../../engine/index.ts';
import { EXIT_WORDS } from '../exit-words.ts';
import { exitKey } from '../exits-table.ts';
import { duration, percent } from '../format.ts';
import type { Session } from '../session.ts';
import { sum } from '../table-model.ts';
import { type Block, countFacts } from './blocks.ts';

export function exitBlocks(
  session: Session,
  domain: DomainSnapshot,
  reason: number,
  name: string,
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
