/** Programs whose text is printed as they would print it on the simulated host: which there are, and when they look. */
import type { Snapshot } from '../../engine/index.ts';
import { domainOf } from '../machine.ts';
import type { ImitatedName } from '../options.ts';
import { UsageError } from '../usage.ts';
import { Irqtop, lsirq } from './irqs.ts';
import { KvmStat, KvmStatLog } from './kvm-stat.ts';
import { interruptsOf } from './proc.ts';
import { Xentop } from './xentop.ts';

/** What a program prints each time that it looks. */
export type Imitation = (now: Snapshot) => string;

interface Row {
  /** it prints once unless told otherwise; others go on */
  readonly once: boolean;
  /** its first look prints nothing yet: it tells of what has changed since */
  readonly looksFirst: boolean;
  /** @param domain of -g */
  make(first: Snapshot, domain: string | undefined): Imitation;
}

const ROWS: Readonly<Record<ImitatedName, Row>> = {
  proc: {
    once: true,
    looksFirst: false,
    make: (first, domain) => perDomain(first, domain, interruptsOf),
  },
  lsirq: {
    once: true,
    looksFirst: false,
    make: (first, domain) => perDomain(first, domain, (d) => lsirq(interruptsOf(d))),
  },
  irqtop: {
    once: false,
    looksFirst: false,
    make: (first, domain) => {
      const top = new Irqtop(domainOf(first, domain).name);
      return (now) => top.look(interruptsOf(domainOf(now, domain)), now.time);
    },
  },
  xentop: { once: false, looksFirst: false, make: (first, domain) => xentop(first, domain) },
  kvm_stat: {
    once: true,
    looksFirst: true,
    make: (first, domain) => {
      const stat = new KvmStat(machineOf(first, domain, 'kvm_stat'));
      return (now) => stat.look(now);
    },
  },
  'kvm_stat-l': {
    once: false,
    looksFirst: true,
    make: (first, domain) => {
      const log = new KvmStatLog(machineOf(first, domain, 'kvm_stat-l'));
      return (now) => log.look(now);
    },
  },
};

export function imitationOf(name: ImitatedName): Row {
  return ROWS[name];
}

function perDomain(
  first: Snapshot,
  wanted: string | undefined,
  print: (domain: Snapshot['domains'][number]) => string,
): Imitation {
  domainOf(first, wanted);
  return (now) => print(domainOf(now, wanted));
}

function xentop(first: Snapshot, domain: string | undefined): Imitation {
  if (domain !== undefined) throw new UsageError('--domain: does not go with --as xentop, which shows all');
  if (!first.xen) throw new UsageError(`--as xentop: needs a Xen host, ${first.scenario} is ${first.system}`);
  const top = new Xentop();
  return (now) => top.look(now);
}

/** The machine that kvm_stat is to look at; undefined: all of them. */
function machineOf(first: Snapshot, wanted: string | undefined, name: string): string | undefined {
  const machines = first.domains.flatMap(({ kvm }) => kvm ?? []);
  if (machines.length === 0)
    throw new UsageError(`--as ${name}: needs a KVM host, ${first.scenario} is ${first.system}`);
  if (machines[0]!.folder === null)
    throw new UsageError(
      `--as ${name}: needs a folder of debugfs for each machine, which Linux has since 4.7; ${first.scenario} is ${first.system}`,
    );
  const domain = domainOf(first, wanted);
  return domain.kvm ? domain.name : undefined;
}
