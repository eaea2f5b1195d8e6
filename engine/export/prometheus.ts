/**
 * A snapshot as Prometheus scrapes it (text format 0.0.4). What node_exporter has has its names and labels, with the
 * domain as one more; all else begins with `virqtop_`. Times are seconds.
 */

import { printInterrupts } from '../proc/print-interrupts.ts';
import { statOf } from '../proc/stat-of.ts';
import { SOFTIRQS } from '../proc/types.ts';
import type { DomainSnapshot, LatencySnapshot, Snapshot } from '../snapshot.ts';

type Labels = readonly (readonly [name: string, value: string | number])[];
type Sample = readonly [labels: Labels, value: number, suffix?: string];

interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** what of an account a raise can have come to */
const OUTCOMES = ['delivered', 'coalesced'] as const;

export function printPrometheus(snapshot: Snapshot): string {
  return [...hostMetrics(snapshot), ...domainMetrics(snapshot), ...bookMetrics(snapshot)]
    .filter(({ samples }) => samples.length > 0)
    .map(metricText)
    .join('');
}

function hostMetrics({ time, events, cpus, xen }: Snapshot): Metric[] {
  const modes = (['guest', 'xen', 'idle'] as const).map((mode) => [mode, `${mode}Ns`] as const);
  return [
    gauge('virqtop_simulated_seconds', 'Simulated time since boot.', [[[], time / 1e9]]),
    counter('virqtop_events_total', 'Events simulated.', [[[], events]]),
    counter(
      'virqtop_cpu_seconds_total',
      'Time that physical CPUs spent in guests, in the hypervisor and idle.',
      cpus.flatMap((cpu) =>
        modes.map(
          ([mode, key]): Sample => [
            [
              ['cpu', cpu.cpu],
              ['mode', mode === 'xen' ? 'hypervisor' : mode],
            ],
            cpu[key] / 1e9,
          ],
        ),
      ),
    ),
    counter(
      'virqtop_xen_interrupts_total',
      'Interrupts that Xen took, by vector (on ARM by INTID).',
      (xen ? taken(xen) : []).flatMap(({ number, what, counts }) =>
        counts.map(
          (count, cpu): Sample => [
            [
              ['cpu', cpu],
              ['vector', number],
              ['what', what],
            ],
            count,
          ],
        ),
      ),
    ),
    ...latencyMetrics('virqtop_xen_latency_seconds', 'From raises of devices to where Xen takes them.', [
      { labels: [], rows: xen?.latency ?? [] },
    ]),
  ];
}

function taken(xen: NonNullable<Snapshot['xen']>) {
  if ('vectors' in xen) return xen.vectors.map((v) => ({ ...v, number: `0x${v.vector.toString(16)}` }));
  return xen.irqs.map((irq) => ({ ...irq, number: String(irq.intid) }));
}

function domainMetrics({ domains, time }: Snapshot): Metric[] {
  const of = (samples: (domain: DomainSnapshot, label: Labels[0]) => readonly Sample[]) =>
    domains.flatMap((d) => samples(d, ['domain', d.name]));
  return [
    counter('node_interrupts_total', 'Interrupt details.', of(interruptSamples)),
    counter(
      'node_intr_total',
      'Total number of interrupts serviced.',
      of((d, label) => [[[label], statOf(d, time).intr.total]]),
    ),
    counter(
      'node_softirqs_functions_total',
      'Softirq counts per CPU.',
      of((d, label) =>
        d.softirqs.rows.flatMap(({ name, counts }) =>
          SOFTIRQS.some((s) => s === name)
            ? counts.map((count, i): Sample => [[label, ['cpu', d.softirqs.cpus[i]!], ['type', name]], count])
            : [],
        ),
      ),
    ),
    counter(
      'virqtop_exits_total',
      'VM exits (on ARM: traps) by reason.',
      of((d, label) =>
        (d.exits?.rows ?? []).flatMap(({ name, counts }) =>
          counts.map((count, vcpu): Sample => [[label, ['vcpu', vcpu], ['reason', name]], count]),
        ),
      ),
    ),
    counter(
      'virqtop_exit_seconds_total',
      'Time from VM exits to the next entry, by reason.',
      of((d, label) =>
        (d.exits?.rows ?? []).map(({ name, totalNs }): Sample => [[label, ['reason', name]], totalNs / 1e9]),
      ),
    ),
    counter(
      'virqtop_hypervisor_total',
      'Counters of the hypervisor, by their names in debugfs or perfc.',
      of((d, label) =>
        (d.exits?.stats ?? []).map(([name, value]): Sample => [[label, ['counter', name]], value]),
      ),
    ),
    counter(
      'virqtop_vcpu_run_seconds_total',
      'Time that virtual CPUs ran.',
      of((d, label) => d.vcpus.map(({ vcpu, runNs }): Sample => [[label, ['vcpu', vcpu]], runNs / 1e9])),
    ),
    gauge(
      'virqtop_pending',
      'Interrupts of rows of /proc/interrupts that wait.',
      of((d, label) => [[[label], d.irqStates.filter((s) => s.pending).length]]),
    ),
    gauge(
      'virqtop_event_channels_pending',
      'Event channels whose pending bit is set.',
      of((d, label) =>
        d.channels.length > 0 ? [[[label], d.channels.filter((c) => c.pending).length]] : [],
      ),
    ),
    gauge(
      'virqtop_lapic_requests',
      'Vectors in IRR and ISR of local APICs.',
      of((d, label) =>
        (d.x86?.lapics ?? []).flatMap(({ cpu, irr, isr }): Sample[] => [
          [[label, ['vcpu', cpu], ['register', 'IRR']], bits(irr)],
          [[label, ['vcpu', cpu], ['register', 'ISR']], bits(isr)],
        ]),
      ),
    ),
    gauge(
      'virqtop_list_registers_used',
      'GIC list registers that hold an interrupt.',
      of((d, label) =>
        (d.arm?.vcpus ?? []).map(
          ({ vcpu, lrs }): Sample => [[label, ['vcpu', vcpu]], lrs.filter((lr) => lr.used).length],
        ),
      ),
    ),
    ...latencyMetrics(
      'virqtop_latency_seconds',
      'From raises of interrupts to their handlers.',
      domains.map((d) => ({ labels: [['domain', d.name]] as const, rows: d.latency ?? [] })),
    ),
  ];
}

/** As the interrupts collector of node_exporter takes a line of /proc/interrupts apart. */
function interruptSamples({ interrupts }: DomainSnapshot, domain: Labels[0]): Sample[] {
  const { cpus } = interrupts;
  const [, ...lines] = printInterrupts(interrupts).trimEnd().split('\n');
  return lines.flatMap((line) => {
    const [label = '', ...words] = line.trim().split(/\s+/);
    const counts = words.slice(0, cpus.length);
    // ERR and MIS are one number, which it leaves out
    if (counts.length < cpus.length || counts.some((word) => !/^\d+$/.test(word))) return [];
    const type = label.replace(/:$/, '');
    const rest = words.slice(cpus.length);
    const numbered = /^\d+$/.test(type);
    const info = numbered ? (rest[0] ?? '') : rest.join(' ');
    const devices = numbered ? rest.slice(1).join(' ') : '';
    return counts.map(
      (count, i): Sample => [
        [['cpu', cpus[i]!], ['devices', devices], domain, ['info', info], ['type', type]],
        Number(count),
      ],
    );
  });
}

function bookMetrics({ books }: Snapshot): Metric[] {
  const samples = books.flatMap((account): Sample[] => {
    const { source, destination, ignored } = account;
    const labels = (outcome: string, why = ''): Labels => [
      ['source', source],
      ['destination', destination],
      ['outcome', outcome],
      ['why', why],
    ];
    return [
      ...OUTCOMES.map((outcome): Sample => [labels(outcome), account[outcome]]),
      ...Object.keys(ignored)
        .sort()
        .map((why): Sample => [labels('ignored', why), ignored[why]!]),
    ];
  });
  const both = (account: Snapshot['books'][0]): Labels => [
    ['source', account.source],
    ['destination', account.destination],
  ];
  return [
    counter(
      'virqtop_raised_total',
      'Raises of interrupts.',
      books.map((a): Sample => [both(a), a.raised]),
    ),
    counter('virqtop_settled_total', 'Raises of interrupts by what came of them.', samples),
    gauge(
      'virqtop_unsettled',
      'Raises of interrupts that wait.',
      books.map((a): Sample => [both(a), a.pending]),
    ),
  ];
}

function latencyMetrics(
  name: string,
  help: string,
  groups: readonly { readonly labels: Labels; readonly rows: readonly LatencySnapshot[] }[],
): Metric[] {
  const samples = groups.flatMap(({ labels, rows }) =>
    rows.flatMap((row) => histogramSamples([...labels, ['irq', row.row], ['name', row.name]], row)),
  );
  return [{ name, type: 'histogram', help, samples }];
}

/** Upper bounds, in ns: thirds of a decade, so that every scrape has the same. */
const BOUNDS = [1, 10, 100, 1_000, 10_000].flatMap((decade) => [500, 1_000, 2_000].map((n) => n * decade));

function histogramSamples(labels: Labels, { buckets, count, sum }: LatencySnapshot): Sample[] {
  const upTo = BOUNDS.map((bound): Sample => {
    const below = buckets.reduce((n, [top, c]) => (top <= bound ? n + c : n), 0);
    return [[...labels, ['le', bound / 1e9]], below, '_bucket'];
  });
  return [
    ...upTo,
    [[...labels, ['le', '+Inf']], count, '_bucket'],
    [labels, sum / 1e9, '_sum'],
    [labels, count, '_count'],
  ];
}

function counter(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: 'counter', help, samples };
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: 'gauge', help, samples };
}

function metricText({ name, type, help, samples }: Metric): string {
  const lines = samples.map(
    ([labels, value, suffix = '']) => `${name}${suffix}${labelText(labels)} ${value}`,
  );
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}

function labelText(labels: Labels): string {
  if (labels.length === 0) return '';
  return `{${labels.map(([name, value]) => `${name}="${escaped(String(value))}"`).join(',')}}`;
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
}

function bits(words: readonly number[]): number {
  let n = 0;
  for (let word of words) for (; word !== 0; word &= word - 1) n++;
  return n;
}
