/** Xen as a domain of its own in the formats of the batch mode, on a snapshot made by hand. */
import { expect, test } from 'vitest';
import { CsvReport } from '../../cli/batch/csv.ts';
import { JsonReport } from '../../cli/batch/json.ts';
import { TextReport } from '../../cli/batch/text.ts';
import type { DomainSnapshot, Snapshot, XenSnapshot } from '../../engine/index.ts';
import { onX86 } from '../support/xen-snapshots.ts';

const DOM0 = {
  id: 0,
  name: 'dom0',
  interrupts: { cpus: [0], rows: [], arch: [] },
  irqStates: [],
  vcpus: [],
} as unknown as DomainSnapshot;
const NO_HOOK = { on: false, cpus: [], last: [] };

function xen(disk: number[], ticks: number[], timer: number[]): XenSnapshot {
  return {
    id: 0x7ff2,
    name: 'Xen',
    kind: 'hypervisor 4.17',
    vectors: [
      { vector: 0x0e, what: 'irq 8 IO-APIC-edge', owner: 'dom0:8 rtc0', counts: [0, 0] },
      { vector: 0xa0, what: 'irq 24 PCI-MSI', owner: 'dom0:63 a,b', counts: disk },
      { vector: 0xfa, what: 'apic_timer_interrupt', owner: 'Xen', counts: ticks },
    ],
    softirqs: [
      { name: 'TIMER', counts: timer, pending: [false, true] },
      { name: 'NMI', counts: [0, 0], pending: [false, false] },
    ],
    nmis: [0, 1],
    pendingEoi: [
      [],
      [
        { irq: 16, vector: 0x51, ready: true },
        { irq: 24, vector: 0xa0, ready: false },
      ],
    ],
    brakes: [
      { name: 'irq_ratelimit', count: 150, irqs: [24, 8] },
      { name: 'irq_guest_eoi_timer', count: 0, irqs: [] },
    ],
    eventChecks: { sent: 12, skipped: 34 },
    x86: { lapics: [], ioapic: null, pic: null, vectors: [] },
    hook: NO_HOOK,
  };
}

function at(time: number, of: XenSnapshot): Snapshot {
  return {
    scenario: 'tiny',
    title: 'Tiny',
    system: 'Xen 4.17 x86_64',
    seed: 7,
    time,
    events: 0,
    cpus: [0, 1].map((cpu) => ({ cpu, running: null, mode: 'idle', guestNs: 0, xenNs: 0, idleNs: time })),
    domains: [DOM0],
    xen: of,
    devices: [],
    sources: [],
    lastFired: null,
    books: [],
    totals: { interrupts: 0, upcalls: 0 },
  };
}

const BEFORE = at(0, xen([10, 0], [100, 100], [5, 5]));
const NOW = at(500e6, xen([15, 5], [200, 150], [9, 6]));

test('text: vectors with what they are and whose, softirqs, stacks of pending EOIs, brakes', () => {
  const report = new TextReport({ domain: 'Xen' });
  expect(report.begin(BEFORE)).toBe('');
  expect(report.update(NOW)).toBe(`\
virqtop - scenario tiny, seed 7, time 0.500 s
Host: Xen 4.17 x86_64, 2 CPUs, 1 domain: dom0
Xen: hypervisor 4.17, 320.0 interrupts/s, event checks 12 sent, 34 saved by mwait

VECTOR         CPU0        CPU1        /s  WHAT                  OWNER
0x0e              0           0       0.0  irq 8 IO-APIC-edge    dom0:8 rtc0
0xa0             15           5      20.0  irq 24 PCI-MSI        dom0:63 a,b
0xfa            200         150     300.0  apic_timer_interrupt  Xen
NMI               0           1       0.0  do_nmi                Xen

SOFTIRQ        CPU0        CPU1        /s
TIMER             9           6      10.0
NMI               0           0       0.0

PENDING EOI  FROM THE BOTTOM UP
CPU0         -
CPU1         0x51 irq 16 ready, 0xa0 irq 24

BRAKE                     COUNT  NOW
irq_ratelimit               150  irq 24, irq 8
irq_guest_eoi_timer           0  -
`);
});

test('text: -z keeps the rows that counted; the name may be written small', () => {
  const report = new TextReport({ domain: 'xen', skipZero: true });
  report.begin(BEFORE);
  const labels = report.update(NOW).match(/^(0x\w+|NMI|TIMER) /gm);
  expect(labels?.map((l) => l.trim())).toEqual(['0xa0', '0xfa', 'TIMER']);
});

test('JSON: -g Xen keeps Xen alone, another domain leaves it out, -z the rows that counted', () => {
  const line = (options: object) => {
    const report = new JsonReport(options);
    report.begin(BEFORE);
    return JSON.parse(report.update(NOW)) as Snapshot;
  };
  expect(line({}).xen).toEqual(NOW.xen);
  expect(line({ domain: 'Xen' })).toMatchObject({ domains: [], xen: { name: 'Xen' } });
  const busy = onX86(line({ skipZero: true }).xen);
  expect(busy.vectors.map((v) => v.vector)).toEqual([0xa0, 0xfa]);
  expect(busy.softirqs.map((s) => s.name)).toEqual(['TIMER']);
  expect(() => line({ domain: 'dom7' })).toThrow(
    "--domain 'dom7': no such domain in tiny; did you mean 'dom0'?",
  );
});

test('CSV: Xen’s rows come behind those of the domains', () => {
  const report = new CsvReport({});
  report.begin(BEFORE);
  expect(report.update(NOW)).toBe(`\
tiny,7,0.500,Xen,0x0e,irq 8 IO-APIC-edge,,dom0:8 rtc0,0,0.000,0,0,0
tiny,7,0.500,Xen,0xa0,irq 24 PCI-MSI,,"dom0:63 a,b",10,20.000,20,15,5
tiny,7,0.500,Xen,0xfa,apic_timer_interrupt,,Xen,150,300.000,350,200,150
tiny,7,0.500,Xen,NMI,do_nmi,,Xen,0,0.000,1,0,1
tiny,7,0.500,Xen,softirq TIMER,softirq,,Xen,5,10.000,15,9,6
tiny,7,0.500,Xen,softirq NMI,softirq,,Xen,0,0.000,0,0,0
`);
});
