/** The formats of the batch mode, on a snapshot made by hand. */
import { expect, test } from 'vitest';
import { booksTable } from '../../cli/batch/books.ts';
import { CsvReport } from '../../cli/batch/csv.ts';
import { JsonReport } from '../../cli/batch/json.ts';
import { secondsText } from '../../cli/batch/report.ts';
import { TextReport } from '../../cli/batch/text.ts';
import type { Options } from '../../cli/options.ts';
import type { DomainSnapshot, IrqRow, Snapshot } from '../../engine/index.ts';

function row(irq: number, counts: number[], chip: string, name: string, ...actions: string[]): IrqRow {
  return { irq, counts, chip, hwirq: null, trigger: null, name, actions };
}

function domain(id: number, name: string, rows: IrqRow[], res: number[], upcalls = 0): DomainSnapshot {
  return {
    id,
    name,
    kind: 'PV, Linux 6.1',
    vcpus: rows[0]!.counts.map((_, vcpu) => ({
      vcpu,
      state: 'running',
      cpu: vcpu,
      runNs: 0,
      upcallPending: false,
      upcallMask: false,
      upcalls,
    })),
    interrupts: {
      dialect: '4.13',
      cpus: rows[0]!.counts.map((_, i) => i),
      rows,
      arch: [
        { label: 'RES', counts: res, text: 'Rescheduling interrupts', single: false },
        { label: 'ERR', counts: [0], text: '', single: true },
      ],
      precision: 3,
    },
    irqStates: rows.map((r, i) => ({ row: r, pending: i === 0, masked: false, active: false, port: i + 1 })),
    softirqs: { cpus: [0], rows: [] },
    channels: [{ port: 1, kind: 'virq', vcpu: 0, pending: false, masked: false, peer: 'virq 0' }],
  } as unknown as DomainSnapshot;
}

function snapshot(time: number, domains: DomainSnapshot[]): Snapshot {
  return {
    scenario: 'tiny',
    title: 'Tiny',
    system: 'Xen 4.17 x86_64',
    seed: 7,
    time,
    events: 0,
    cpus: [{ cpu: 0, running: null, mode: 'idle', guestNs: 0, xenNs: 0, idleNs: time }],
    domains,
    devices: [],
    sources: [],
    lastFired: null,
    books: [],
    totals: { interrupts: 0, upcalls: 0 },
  };
}

function at(time: number, timer: number[], kbd: number[], res: number[], upcalls: number): Snapshot {
  return snapshot(time, [
    domain(
      0,
      'dom0',
      [
        row(24, timer, 'xen-percpu', 'virq', 'timer0'),
        row(1, kbd, 'xen-pirq', 'ioapic-edge', 'i8042', 'kbd'),
      ],
      res,
      upcalls,
    ),
    domain(3, 'dom1', [row(24, [5], 'xen-percpu', 'virq', 'timer0')], [0]),
  ]);
}

const BEFORE = at(0, [1000, 0], [0, 0], [1, 1], 10);
const NOW = at(500e6, [1125, 0], [0, 0], [4, 1], 60);

test('text: a header, columns that line up, rates over the interval', () => {
  const report = new TextReport({});
  expect(report.begin(BEFORE)).toBe('');
  expect(report.update(NOW)).toBe(`\
virqtop - scenario tiny, seed 7, time 0.500 s
Host: Xen 4.17 x86_64, 1 CPU, 2 domains: dom0 dom1
Domain dom0: PV, Linux 6.1, 2 vCPUs, 250.0 interrupts/s, 200.0 upcalls/s

 IRQ        CPU0        CPU1        /s  PMA  CHIP        TYPE         NAME
  24        1125           0     250.0  P..  xen-percpu  virq         timer0
   1           0           0       0.0  ...  xen-pirq    ioapic-edge  i8042, kbd
 RES           4           1       6.0                                Rescheduling interrupts
 ERR           0                   0.0
`);
});

test('text: the next block stands apart, its rates are those since the last', () => {
  const report = new TextReport({});
  report.begin(BEFORE);
  report.update(NOW);
  const next = report.update(at(1500e6, [1225, 0], [3, 0], [4, 1], 60)).split('\n');
  expect(next[0]).toBe('');
  expect(next[1]).toBe('virqtop - scenario tiny, seed 7, time 1.500 s');
  expect(next[3]).toContain('103.0 interrupts/s, 0.0 upcalls/s');
  expect(next[6]).toMatch(/^ {2}24 .* 100\.0 /);
});

test('text: -g shows another domain, -z the rows that counted', () => {
  const report = new TextReport({ domain: '3', skipZero: true });
  report.begin(BEFORE);
  const lines = report.update(NOW).split('\n');
  expect(lines[2]).toContain('Domain dom1: PV, Linux 6.1, 1 vCPU, 0.0 interrupts/s');
  expect(lines[4]).toMatch(/^ IRQ/);
  expect(lines.slice(5)).toEqual(['']);
  const busy = new TextReport({ skipZero: true });
  busy.begin(BEFORE);
  const shown = busy
    .update(NOW)
    .split('\n')
    .slice(5)
    .map((l) => l.trim().split(' ')[0]);
  expect(shown).toEqual(['24', 'RES', '']);
});

/** The table of an update, a list of cells for each line. */
function tableOf(options: Options): string[][] {
  const report = new TextReport(options);
  report.begin(BEFORE);
  const [, text] = report.update(NOW).split('\n\n');
  return text!
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));
}

test('text: -f chooses rows by their words in any case, -t by their counts', () => {
  const first = (options: Options) => tableOf(options).map(([cell]) => cell);
  const all = first({});
  expect(all.length).toBeGreaterThan(3);
  expect(first({ filter: /^24 |resched/i })).toEqual(['IRQ', '24', 'RES']);
  expect(first({ filter: /nothing has it/ })).toEqual(['IRQ']);
  const { rows, arch } = NOW.domains[0]!.interrupts;
  const counted = [...rows, ...arch].filter(({ counts }) => counts.reduce((a, b) => a + b, 0) >= 100);
  expect(first({ threshold: 100 })).toHaveLength(1 + counted.length);
  expect(counted.length).toBeGreaterThan(0);
  expect(counted.length).toBeLessThan(all.length - 1);
});

test('text: -C chooses CPUs, -o columns, alone or beside the usual ones', () => {
  const [title, row] = tableOf({ cpuList: [1], output: 'irq,CPU,Total,delta', filter: /^24 / });
  expect(title).toEqual(['IRQ', 'CPU1', 'TOTAL', 'DELTA']);
  const { counts } = NOW.domains[0]!.interrupts.rows.find(({ irq }) => irq === 24)!;
  const before = BEFORE.domains[0]!.interrupts.rows.find(({ irq }) => irq === 24)!.counts;
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  expect(row).toEqual(['24', String(counts[1]), String(sum(counts)), String(sum(counts) - sum(before))]);
  const usual = tableOf({})[0]!;
  expect(tableOf({ output: '+total,name' })[0]).toEqual([...usual, 'TOTAL']);
});

test.each<[Options, string]>([
  [{ output: 'IRQ,colour' }, "--output 'IRQ,colour': columns are IRQ, CPU, "],
  [{ cpuList: [0, 7] }, '--cpu-list: dom0 has CPUs 0-1, not 7'],
])('text: %j is refused before anything is printed', (options, line) => {
  expect(() => new TextReport(options).begin(BEFORE)).toThrow(line);
});

test('JSON and CSV: -f and -t choose rows, states stay beside theirs', () => {
  const json = new JsonReport({ domain: '0', filter: /^24 / });
  json.begin(BEFORE);
  const [dom0] = JSON.parse(json.update(NOW)).domains;
  expect(dom0.interrupts.rows.map((r: IrqRow) => r.irq)).toEqual([24]);
  expect(dom0.irqStates.map(({ row }: { row: IrqRow }) => row.irq)).toEqual([24]);
  expect(dom0.interrupts.arch).toEqual([]);
  const csv = new CsvReport({ domain: '0', filter: /^24 /, threshold: 1 });
  csv.begin(BEFORE);
  expect(csv.update(NOW).trimEnd().split('\n')).toHaveLength(1);
});

test('text: names from a capture cannot reach the terminal as controls', () => {
  const evil = snapshot(1e9, [domain(0, 'host', [row(9, [1], 'chip', 'edge', 'a\x1b[2Jb')], [0])]);
  const report = new TextReport({});
  report.begin(evil);
  expect(report.update(evil)).toContain('a\\x1b[2Jb');
});

test('text: counts are shown as unsigned ints, rates pass the wrap', () => {
  const report = new TextReport({});
  report.begin(at(0, [4294967290, 0], [0, 0], [0, 0], 0));
  const text = report.update(at(1e9, [4294967300, 0], [0, 0], [0, 0], 0));
  expect(text).toMatch(/^ {2}24 +4 +0 +10\.0 /m);
});

test('text: an interrupt freed and bound anew counts from zero', () => {
  const report = new TextReport({});
  report.begin(at(0, [1000, 0], [0, 0], [0, 0], 0));
  expect(report.update(at(1e9, [7, 0], [0, 0], [0, 0], 0))).toMatch(/^ {2}24 .* 7\.0 /m);
});

test('JSON: a line is the snapshot', () => {
  const report = new JsonReport({});
  expect(report.begin(BEFORE)).toBe('');
  const line = report.update(NOW);
  expect(line.indexOf('\n')).toBe(line.length - 1);
  expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(NOW)));
});

test('JSON: -g keeps one domain, -z the rows that counted with their states', () => {
  const report = new JsonReport({ domain: 'dom0', skipZero: true });
  report.begin(BEFORE);
  const { domains } = JSON.parse(report.update(NOW)) as Snapshot;
  expect(domains.map((d) => d.name)).toEqual(['dom0']);
  expect(domains[0]!.interrupts.rows.map((r) => r.irq)).toEqual([24]);
  expect(domains[0]!.irqStates.map((s) => s.row.irq)).toEqual([24]);
  expect(domains[0]!.interrupts.arch.map((r) => r.label)).toEqual(['RES']);
});

test('CSV: a header, then a line for each row of each domain', () => {
  const report = new CsvReport({});
  expect(report.begin(BEFORE)).toBe(
    'scenario,seed,time,domain,irq,chip,type,name,delta,rate,total,cpu0,cpu1\n',
  );
  expect(report.update(NOW)).toBe(`\
tiny,7,0.500,dom0,24,xen-percpu,virq,timer0,125,250.000,1125,1125,0
tiny,7,0.500,dom0,1,xen-pirq,ioapic-edge,i8042 kbd,0,0.000,0,0,0
tiny,7,0.500,dom0,RES,,,Rescheduling interrupts,3,6.000,5,4,1
tiny,7,0.500,dom0,ERR,,,,0,0.000,0,0,
tiny,7,0.500,dom1,24,xen-percpu,virq,timer0,0,0.000,5,5,
tiny,7,0.500,dom1,RES,,,Rescheduling interrupts,0,0.000,0,0,
tiny,7,0.500,dom1,ERR,,,,0,0.000,0,0,
`);
});

test('CSV: commas and quotes are quoted', () => {
  const now = snapshot(1e9, [domain(0, 'host', [row(9, [1], 'a,b', 'say "x"', 'y')], [0])]);
  const report = new CsvReport({ skipZero: false });
  report.begin(now);
  expect(report.update(now).split('\n')[0]).toBe('tiny,7,1.000,host,9,"a,b","say ""x""",y,0,0.000,1,1');
});

test('books: every account, the sum, and whether they balance', () => {
  const books = [
    {
      source: 'timer',
      destination: 'dom0 irq 24',
      raised: 10,
      delivered: 7,
      coalesced: 1,
      pending: 1,
      ignored: { masked: 1 },
    },
    { source: 'xen', destination: '-', raised: 2, delivered: 2, coalesced: 0, pending: 0, ignored: {} },
  ];
  expect(booksTable({ ...NOW, books })).toBe(`\
Books - scenario tiny, seed 7, time 0.500 s

SOURCE  DESTINATION  RAISED  DELIVERED  COALESCED  IGNORED  PENDING  WHY IGNORED
timer   dom0 irq 24      10          7          1        1        1  masked 1
xen     -                 2          2          0        0        0
total                    12          9          1        1        1

balanced: raised = delivered + coalesced + ignored + pending in every account
`);
  const broken = [{ ...books[0]!, raised: 11 }];
  expect(booksTable({ ...NOW, books: broken })).toMatch(/\nNOT balanced: timer -> dom0 irq 24\n$/);
});

test.each([
  [0, '0.000'],
  [1, '0.000000001'],
  [1e9, '1.000'],
  [12_345_678_900, '12.3456789'],
  [1_250_000_000, '1.250'],
  [9007199254740991, '9007199.254740991'],
])('%d ns are %s s', (ns, text) => {
  expect(secondsText(ns)).toBe(text);
});
