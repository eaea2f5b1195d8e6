/** A virtual CPU in full: who it is and where it runs, where its time goes, what it left the guest for. */
import type { DomainSnapshot, Fact } from '../../engine/index.ts';
import { count, duration, percent } from '../format.ts';
import { wokenKey } from '../host-table.ts';
import type { Session } from '../session.ts';
import { type Block, paceText } from './blocks.ts';

/** reasons that are told of */
const REASONS = 12;

export function vcpuBlocks({ frame }: Session, domain: DomainSnapshot, number: number): Block[] | undefined {
  const index = domain.vcpus.findIndex(({ vcpu }) => vcpu === number);
  const v = domain.vcpus[index];
  if (!v?.times) return undefined;
  const { snapshot, history } = frame;
  const host = snapshot.cpus[v.cpu];
  const name = `${domain.name}.${number}`;
  const where = v.state === 'running' ? 'runs on' : v.state === 'runnable' ? 'waits for' : 'ran last on';
  const time = ([what, ns]: readonly [string, number]): Fact => [
    what,
    `${duration(ns)}, ${percent(snapshot.time > 0 ? ns / snapshot.time : 0)} of all time`,
  ];
  const config: Fact[] = [
    ['domain', domain.kind],
    ['physical CPU', `${where} CPU${v.cpu}${host?.running ? `, which has ${host.running}` : ''}`],
  ];
  const state: Fact[] = [
    ['now', v.state],
    ...[
      ['ran', v.times.running],
      ['waited (steal)', v.times.runnable],
      ['slept', v.times.blocked],
    ].map((entry) => time(entry as [string, number])),
    ['woken', `${count(v.wakeUps ?? 0, 15)} times, ${paceText(history.rate(wokenKey(name)))}`],
  ];
  if (domain.channels.length > 0) {
    state.push([
      'upcalls',
      `${count(v.upcalls, 15)}; ${v.upcallPending ? 'one is pending' : 'none is pending'}, ${
        v.upcallMask ? 'masked' : 'not masked'
      }`,
    ]);
  }
  return [{ title: 'config', facts: config }, { title: 'state', facts: state }, ...exitBlock(domain, index)];
}

/** Its exits by reason, the most frequent first. */
function exitBlock({ exits }: DomainSnapshot, index: number): Block[] {
  const rows = (exits?.rows ?? [])
    .map(({ name, counts }) => [name, counts[index] ?? 0] as const)
    .filter(([, n]) => n > 0)
    .sort(([, a], [, b]) => b - a);
  if (rows.length === 0) return [];
  const all = rows.reduce((sum, [, n]) => sum + n, 0);
  const facts = rows
    .slice(0, REASONS)
    .map(([name, n]): Fact => [name, `${count(n, 15)}, ${percent(n / all)} of its exits`]);
  const rest = rows.length - REASONS;
  if (rest > 0) facts.push(['', `and ${rest} more reasons: see Exits`]);
  return [{ title: 'why it left the guest', facts }];
}
