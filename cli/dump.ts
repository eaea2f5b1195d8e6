/** --dump: the texts there are of a machine, and the domain that they tell of. */
import { type DomainSnapshot, type Machine, qemuInfo, qemuTopics, takeSnapshot } from '../engine/index.ts';
import { domainOf } from './machine.ts';
import { hint, quoted, UsageError } from './usage.ts';

/**
 * Some dumps are the hypervisor's and tell of all domains; others are of one: that of -g, or the first guest that
 * has such chips.
 * @returns what prints the dump of the machine as it is then
 */
export function dumpOf(machine: Machine, dump: string, domain: string | undefined): () => string {
  const { platform, scenario } = machine;
  if (platform.dumps.includes(dump)) {
    if (domain !== undefined) throw new UsageError(`--domain: does not go with --dump ${dump}`);
    return () => platform.dump(dump) ?? '';
  }
  const { domains } = takeSnapshot(machine);
  const known = [...new Set([...platform.dumps, ...domains.flatMap(qemuTopics)])];
  const topic = domains.flatMap(qemuTopics).find((t) => t === dump);
  if (!topic)
    throw new UsageError(`--dump ${quoted(dump)}: no such dump of ${scenario.name}${hint(dump, known)}`);
  const has = (d: DomainSnapshot) => qemuTopics(d).includes(topic);
  const able = domains.filter(has);
  const chosen =
    domain === undefined ? (able.find(isGuest) ?? able[0]!) : domainOf(takeSnapshot(machine), domain);
  if (!has(chosen)) {
    const names = able.map((d) => d.name);
    throw new UsageError(
      `--domain ${quoted(chosen.name)}: has nothing for --dump ${topic}${hint('', names)}`,
    );
  }
  return () => qemuInfo(domainOf(takeSnapshot(machine), chosen.name), topic);
}

/** Virtual processors have a control structure. */
function isGuest({ x86 }: DomainSnapshot): boolean {
  return x86?.lapics.some((apic) => apic.vmcs !== null) ?? false;
}
