/** A fabricated snapshot of Xen as a domain of its own: counters are functions of time. */

import type {
  HookRecordSnapshot,
  XenSnapshot,
  XenVectorSnapshot,
  XenX86Snapshot,
} from '../../engine/machine/inspect.ts';
import { lapic, pin, vectorSet } from './kvm-snapshots.ts';

export interface FakeXenOptions {
  readonly seconds?: number;
  readonly cpus?: number;
  /** the hook is on */
  readonly hook?: boolean;
  /** records that it has written */
  readonly records?: number;
  readonly pendingEoi?: XenX86Snapshot['pendingEoi'] | undefined;
  readonly brakes?: XenX86Snapshot['brakes'];
}

/** vector, interrupts a second on all CPUs, what, owner */
const VECTORS: readonly (readonly [number, number, string, string])[] = [
  [0x30, 0, 'irq 1 IO-APIC-edge', 'dom0:1 i8042'],
  [0x49, 4, 'irq 16 IO-APIC-level', 'dom0:16 i801_smbus, dom1:16'],
  [0x51, 2, 'irq 23 IO-APIC-level', 'dom0:23 uhci_hcd:usb3'],
  [0xa0, 48, 'irq 24 PCI-MSI', 'dom0:647 ahci[0000:00:02.0]'],
  [0xd0, 480, 'irq 29 PCI-MSI/-X', 'dom0:642 nvme0q3'],
  [0xf0, 0, 'irq 0 IO-APIC-edge', 'Xen timer_interrupt'],
  [0xfa, 1720, 'apic_timer_interrupt', 'Xen'],
  [0xfc, 400, 'event_check_interrupt', 'Xen'],
];

const SOFTIRQS: readonly (readonly [name: string, perSecond: number])[] = [
  ['TIMER', 10_000],
  ['RCU', 0],
  ['SCHED_SLAVE', 0],
  ['SCHEDULE', 20_000],
  ['NEW_TLBFLUSH_CLOCK_PERIOD', 0],
  ['TASKLET', 1],
  ['NMI', 0],
];

export function fakeXen(options: FakeXenOptions = {}): XenX86Snapshot {
  const { seconds = 0, cpus = 4, records = 0 } = options;
  const list = Array.from({ length: cpus }, (_, cpu) => cpu);
  const shared = (perSecond: number) => list.map(() => Math.floor((perSecond * seconds) / cpus));
  return {
    id: 0x7ff2,
    name: 'Xen',
    kind: 'hypervisor 4.17',
    vectors: VECTORS.map(
      ([vector, perSecond, what, owner]): XenVectorSnapshot => ({
        vector,
        what,
        owner,
        counts: shared(perSecond),
      }),
    ),
    softirqs: SOFTIRQS.map(([name, perSecond]) => ({
      name,
      counts: shared(perSecond),
      pending: list.map((cpu) => name === 'SCHEDULE' && cpu === 1),
    })),
    nmis: list.map(() => 0),
    pendingEoi: list.map((cpu) => options.pendingEoi?.[cpu] ?? []),
    brakes: options.brakes ?? [],
    eventChecks: { sent: 427, skipped: 9573 },
    x86: {
      lapics: list.map((cpu) => ({
        ...lapic({
          cpu,
          ...(cpu === 1 && { isr: vectorSet(0x49, 0x51), ppr: 0x50 }),
          interruptFlag: cpu !== 3,
        }),
        vmcs: null,
      })),
      ioapic: {
        id: 0,
        select: 0,
        pins: [pin(0), pin(1, 0x30), pin(16, 0xe949, 2, true), pin(23, 0xe951, 2)],
      },
      pic: null,
      vectors: list.map(() =>
        Object.fromEntries(VECTORS.map(([v, _, what, owner]) => [v, v < 0xf0 ? owner : what])),
      ),
    },
    hook: {
      on: options.hook ?? false,
      cpus: list.map((cpu) => {
        const own = Math.floor((records + cpus - 1 - cpu) / cpus);
        return { records: own, added: own * 60 };
      }),
      last: Array.from({ length: Math.min(64, records) }, (_, i) => record(records - 64 + i, cpus)),
    },
  };
}

/** The n-th: a disk, a timer, an exception, in turns. */
function record(n: number, cpus: number): HookRecordSnapshot {
  const at = Math.max(0, n);
  const seen = [
    {
      domain: 0,
      vcpu: 1,
      who: 'd0v1',
      point: 'do_IRQ',
      vector: 0xd0,
      what: 'irq 29 PCI-MSI/-X',
      journey: 100 + at,
    },
    {
      domain: 32767,
      vcpu: 2,
      who: 'd[IDLE]v2',
      point: 'direct_apic_vector',
      vector: 0xfa,
      what: 'apic_timer_interrupt',
    },
    { domain: 2, vcpu: 0, who: 'd2v0', point: 'exception exit', vector: 0x0e, what: '#PF page fault' },
  ][at % 3]!;
  return { journey: 0, ...seen, time: 1e9 + at * 1_234_567, cpu: at % cpus };
}

/** Xen of a snapshot, which is that on x86. */
export function onX86(xen: XenSnapshot | undefined): XenX86Snapshot {
  if (!xen || !('vectors' in xen)) throw new Error('no Xen on x86 here');
  return xen;
}
