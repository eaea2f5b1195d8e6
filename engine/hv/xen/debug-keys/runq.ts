/**
 * Xen's debug key `r`: the scheduler's run queues. After dump_runq and schedule_dump (xen/common/sched/cpupool.c, core.c
 * and credit2.c of 4.17; xen/common/schedule.c and sched_credit.c of 3.4).
 *
 * The host is one socket without hyperthreads, and one pool of CPUs.
 */
import { ACCOUNTING, CREDITS_PER_TICK, Credit, IDLE, TICK, TSLICE } from '../../credit.ts';
import type { Credit2 } from '../../credit2.ts';
import { loadPercent } from '../../credit2-load.ts';
import type { Pcpu } from '../../pcpu.ts';
import { DEFAULT_WEIGHT } from '../../scheduler.ts';
import type { Vcpu } from '../../vcpu.ts';
import type { Schedule } from '../schedule.ts';
import { bitmap, consoleText, hex, number, ranges } from './printk.ts';

/** The domain that idle virtual CPUs belong to (DOMID_IDLE). */
const IDLE_DOMAIN = 0x7fff;
/** NR_CPUS of 3.4, unless it was built for more */
const NR_CPUS = 32;

export function debugKeyR(sched: Schedule): string {
  const { scheduler } = sched;
  if (scheduler instanceof Credit) return consoleText(creditLines(sched, scheduler));
  return consoleText(credit2Lines(sched, scheduler as Credit2));
}

function numbers(cpus: readonly Pcpu[]): number[] {
  return cpus.map((cpu) => cpu.cpu);
}

function idlers(cpus: readonly Pcpu[]): number[] {
  return numbers(cpus.filter((cpu) => cpu.current === null));
}

function cpuName(cpu: Pcpu): string {
  return `CPU[${String(cpu.cpu).padStart(2, '0')}]`;
}

// 4.17

function credit2Lines(sched: Schedule, credit2: Credit2): string[] {
  const { cpus } = sched;
  const all = ranges(numbers(cpus));
  return [
    'sched_smt_power_savings: disabled',
    `NOW=${sched.now}`,
    `Online Cpus: ${all}`,
    'Cpupool 0:',
    `Cpus: ${all}`,
    'Scheduling granularity: cpu, 1 CPU per sched-resource',
    'Scheduler: SMP Credit Scheduler rev2 (credit2)',
    ...credit2Settings(sched, credit2),
    ...credit2Domains(sched, credit2),
    ...credit2Queue(sched, credit2),
    'CPUs info:',
    ...cpus.map((cpu) => {
      const name = cpu.current ? `d${cpu.current.domain}v${cpu.current.vcpu}` : `d[IDLE]v${cpu.cpu}`;
      return `${cpuName(cpu)} current=${name}, curr=${name}, prev=NULL`;
    }),
  ];
}

function credit2Settings({ cpus }: Schedule, credit2: Credit2): string[] {
  const { load } = credit2;
  const mask = (set: readonly number[]) => bitmap(set, cpus.length);
  const tickled = numbers(cpus.filter((cpu) => credit2.isTickled(cpu)));
  const idle = idlers(cpus);
  return [
    'Active queues: 1',
    `\tdefault-weight     = ${DEFAULT_WEIGHT}`,
    'Runqueue 0:',
    `\tncpus              = ${cpus.length}`,
    `\tcpus               = ${ranges(numbers(cpus))}`,
    `\tmax_weight         = ${credit2.greatestWeight}`,
    `\tpick_bias          = ${credit2.pickBias}`,
    `\tinstload           = ${load.now}`,
    `\taveload            = ${load.ofQueue} (~${loadPercent(load.ofQueue)}%)`,
    `\tidlers: ${mask(idle)}`,
    `\ttickled: ${mask(tickled)}`,
    `\tfully idle cores: ${mask(idle.filter((n) => !tickled.includes(n)))}`,
  ];
}

function credit2Domains({ vcpus }: Schedule, credit2: Credit2): string[] {
  const lines = ['Domain info:'];
  let domain = -1;
  vcpus.forEach((v, i) => {
    if (v.domain !== domain) {
      domain = v.domain;
      const units = vcpus.filter((other) => other.domain === domain).length;
      lines.push(`\tDomain: ${domain} w ${credit2.weightOf(v)} c 0 v ${units}`);
    }
    lines.push(`\t${number(i + 1, 3)}: ${credit2Unit(v, credit2)}`);
  });
  return lines;
}

function credit2Queue({ cpus, vcpus }: Schedule, credit2: Credit2): string[] {
  const lines = ['Runqueue 0:'];
  const core = ranges(numbers(cpus));
  for (const cpu of cpus) {
    lines.push(`${cpuName(cpu)} runq=0, sibling={${cpu.cpu}}, core={${core}}`);
    if (cpu.current) lines.push(`\trun: ${credit2Unit(cpu.current, credit2)}`);
  }
  lines.push('RUNQ:');
  credit2.waiting().forEach((index, i) => {
    lines.push(`\t${number(i, 3)}: ${credit2Unit(vcpus[index]!, credit2)}`);
  });
  return lines;
}

const CSFLAG_scheduled = 1 << 1;
const CSFLAG_pinned = 1 << 5;

function credit2Unit(v: Vcpu, credit2: Credit2): string {
  const scheduled = v.cpu.current === v ? CSFLAG_scheduled : 0;
  const flags = scheduled | (v.affinity.length === 1 ? CSFLAG_pinned : 0);
  const load = credit2.load.of(v.index);
  return (
    `[${v.domain}.${v.vcpu}] flags=${hex(flags, 1)} cpu=${v.processor} credit=${credit2.creditOf(v)} ` +
    `[w=${credit2.weightOf(v)}] load=${load} (~${loadPercent(load)}%)`
  );
}

// 3.4

function creditLines(sched: Schedule, credit: Credit): string[] {
  const { cpus, vcpus, now } = sched;
  const { status } = credit;
  const mask = (set: readonly number[]) => bitmap(set, Math.max(NR_CPUS, cpus.length));
  const upper = (word: number) => hex(word, 8).toUpperCase();
  const lines = [
    'Scheduler: SMP Credit Scheduler (credit)',
    'info:',
    `\tncpus              = ${cpus.length}`,
    '\tmaster             = 0',
    `\tcredit             = ${status.credit}`,
    `\tcredit balance     = ${status.balance}`,
    `\tweight             = ${status.weight}`,
    `\trunq_sort          = ${status.accountings}`,
    `\tdefault-weight     = ${DEFAULT_WEIGHT}`,
    `\tmsecs per tick     = ${TICK / 1e6}ms`,
    `\tcredits per tick   = ${CREDITS_PER_TICK}`,
    `\tticks per tslice   = ${TSLICE / TICK}`,
    `\tticks per acct     = ${ACCOUNTING / TICK}`,
    '\tmigration delay    = 0us',
    `idlers: ${mask(idlers(cpus))}`,
    'active vcpus:',
    ...status.active.map((index, i) => `\t${number(i + 1, 3)}: ${creditVcpu(vcpus[index]!, credit)}`),
    'sched_smt_power_savings: disabled',
    `NOW=0x${upper(Math.floor(now / 2 ** 32))}${upper(now % 2 ** 32)}`,
  ];
  for (const cpu of cpus) {
    lines.push(
      `${cpuName(cpu)}  sort=${credit.sortedAt(cpu)}, sibling=${mask([cpu.cpu])}, core=${mask(numbers(cpus))}`,
    );
    const idle = `[${IDLE_DOMAIN}.${cpu.cpu}] pri=${IDLE} flags=0 cpu=${cpu.cpu}`;
    lines.push(`\trun: ${cpu.current ? creditVcpu(cpu.current, credit) : idle}`);
    const queue = credit.queueOf(cpu).map((index) => creditVcpu(vcpus[index]!, credit));
    if (cpu.current) queue.push(idle);
    queue.forEach((text, i) => {
      lines.push(`\t${number(i + 1, 3)}: ${text}`);
    });
  }
  return lines;
}

function creditVcpu(v: Vcpu, credit: Credit): string {
  const pri = credit.priorityOf(v);
  return `[${v.domain}.${v.vcpu}] pri=${pri} flags=0 cpu=${v.processor} credit=${credit.creditOf(v)} [w=${credit.weightOf(v)}]`;
}
