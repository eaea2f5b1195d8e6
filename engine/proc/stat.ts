/** /proc/stat: show_stat() of fs/proc/stat.c. */
import { asU32 } from '../core/counters.ts';
import { FormatError, printable } from '../core/errors.ts';
import { linesOf } from './text.ts';
import type { Stat, Totals } from './types.ts';

export function printStat(s: Stat): string {
  const lines = [
    // two blanks, so that the totals line up with the CPUs' below
    `cpu  ${s.cpu.join(' ')}`,
    ...s.cpus.map(({ cpu, times }) => `cpu${cpu} ${times.join(' ')}`),
    `intr ${s.intr.total} ${s.intr.counts.map(asU32).join(' ')}`,
    `ctxt ${s.ctxt}`,
    `btime ${s.btime}`,
    `processes ${s.processes}`,
    `procs_running ${s.procsRunning}`,
    `procs_blocked ${s.procsBlocked}`,
  ];
  if (s.softirq) lines.push(`softirq ${s.softirq.total} ${s.softirq.counts.map(asU32).join(' ')}`);
  return `${lines.join('\n')}\n`;
}

/** How many numbers follow each name, where it matters. */
const ONE = new Set(['ctxt', 'btime', 'processes', 'procs_running', 'procs_blocked']);
const ORDER = ['cpu', 'intr', 'ctxt', 'btime', 'processes', 'procs_running', 'procs_blocked', 'softirq'];

/** @throws FormatError naming the line */
export function parseStat(text: string, file: string): Stat {
  const lines = linesOf(text, file, 'a line "cpu  ..."');
  const found = new Map<string, number[]>();
  const cpus: { cpu: number; times: number[] }[] = [];
  let next = 0;
  for (const [n, line] of lines.entries()) {
    const wrong = (problem: string) => new FormatError(file, n + 1, problem);
    const parts = /^(cpu(\d{0,8})|[a-z_]+)((?: {1,2}\d+)+)$/.exec(line);
    if (!parts) throw wrong(`"${printable(line, 30)}"; a name and numbers would be right`);
    const [, name, cpu, tail] = parts as unknown as [string, string, string | undefined, string];
    const values = tail.trim().split(/ +/).map(Number);
    if (!values.every(Number.isSafeInteger)) throw wrong(`${name} has a number too large to be a count`);
    if (cpu) {
      if (next !== 1) throw wrong(`${name} out of its place; the CPUs follow the line "cpu"`);
      if (cpus.length > 0 && Number(cpu) <= cpus.at(-1)!.cpu)
        throw wrong(`${name} out of order; CPUs ascend`);
      cpus.push({ cpu: Number(cpu), times: values });
      continue;
    }
    if (name !== ORDER[next])
      throw wrong(`line ${printable(name, 20)}; ${ORDER[next] ?? 'the end'} would be right`);
    next++;
    if (ONE.has(name) && values.length !== 1)
      throw wrong(`${name} with ${values.length} numbers; 1 would be right`);
    found.set(name, values);
  }
  if (next < ORDER.length - 1) {
    throw new FormatError(file, lines.length, `the file ends here; a line ${ORDER[next]} would be right`);
  }
  const stat = fields(found, cpus);
  const printed = printStat(stat).split('\n');
  const at = lines.findIndex((line, n) => line !== printed[n]);
  if (at >= 0)
    throw new FormatError(file, at + 1, `"${printable(lines[at]!, 30)}" is not as Linux spaces or counts it`);
  return stat;
}

function fields(found: ReadonlyMap<string, number[]>, cpus: Stat['cpus']): Stat {
  const totals = (name: string): Totals => {
    const [total = 0, ...counts] = found.get(name)!;
    return { total, counts };
  };
  const one = (name: string): number => found.get(name)![0]!;
  return {
    cpu: found.get('cpu')!,
    cpus,
    intr: totals('intr'),
    ctxt: one('ctxt'),
    btime: one('btime'),
    processes: one('processes'),
    procsRunning: one('procs_running'),
    procsBlocked: one('procs_blocked'),
    softirq: found.has('softirq') ? totals('softirq') : null,
  };
}
