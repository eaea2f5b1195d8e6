/** Xen as a domain of its own: what it tells of itself, as a snapshot, and the switch of its interrupt hook. */
import { DOMID_IDLE, DOMID_XEN } from '../../abi/xen.ts';
import type { XenProfile } from '../../hv/xen/softirq.ts';
import type { HookRecord } from '../../hv/xen/x86/hook.ts';
import type { XenCpuView } from '../../hv/xen/x86/irq-counts.ts';
import type { Xen } from '../../hv/xen/x86/xen.ts';
import { EXCEPTIONS } from '../../hw/x86/exceptions.ts';
import type { HookRecordSnapshot, X86Snapshot, XenSnapshot, XenVectorSnapshot } from '../inspect.ts';
import { latencySnapshot } from '../latency.ts';
import type { HookSwitch } from '../machine.ts';
import { ioapicSnapshot, lapicSnapshot } from '../x86-inspect.ts';

/** @param driver what a domain calls the device behind one of its pirqs; empty: it has no driver */
export function xenSnapshot(xen: Xen, driver: (domain: number, pirq: number) => string): XenSnapshot {
  const { cpus, eventChecks, hook, records } = xen.inspect();
  const vectors = vectorsOf(xen, cpus, driver);
  return {
    id: DOMID_XEN,
    name: 'Xen',
    kind: `hypervisor ${xen.profile}`,
    vectors,
    softirqs: cpus[0]!.softirqs.map(({ name }, nr) => ({
      name,
      counts: cpus.map((cpu) => cpu.softirqs[nr]!.count),
      pending: cpus.map((cpu) => cpu.softirqs[nr]!.pending),
    })),
    nmis: cpus.map((cpu) => cpu.nmis),
    pendingEoi: cpus.map((cpu) => cpu.pendingEoi),
    brakes: xen.irqs.brakes(),
    eventChecks,
    latency: latencySnapshot(xen.irqs.latency, (vector) => {
      const known = vectors.find((v) => v.vector === vector);
      return { row: vector, name: known ? shortName(known) : '' };
    }),
    x86: chipsOf(xen, vectors),
    hook: {
      on: hook,
      cpus: cpus.map((cpu) => cpu.hook),
      last: records.map((record) => recordOf(xen, record)),
    },
  };
}

/** The vectors that any CPU has taken, and those that somebody waits for. */
function vectorsOf(
  xen: Xen,
  cpus: readonly XenCpuView[],
  driver: (domain: number, pirq: number) => string,
): XenVectorSnapshot[] {
  const counts = new Map<number, number[]>();
  const of = (vector: number) => {
    const known = counts.get(vector) ?? cpus.map(() => 0);
    counts.set(vector, known);
    return known;
  };
  for (const desc of xen.irqs.descs) if (desc && (desc.own !== null || desc.action)) of(desc.vector);
  cpus.forEach(({ vectors }, cpu) => {
    for (const { vector, count } of vectors) of(vector)[cpu] = count;
  });
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([vector, n]) => {
      const { what, own, guests } = xen.vectorName(vector);
      const names = guests.map(({ domain, pirq }) =>
        `dom${domain}:${pirq} ${driver(domain, pirq)}`.trimEnd(),
      );
      return { vector, what, owner: own === null ? names.join(', ') : `Xen ${own}`.trimEnd(), counts: n };
    });
}

function chipsOf(xen: Xen, vectors: readonly XenVectorSnapshot[]): X86Snapshot {
  const names = Object.fromEntries(vectors.map((v) => [v.vector, shortName(v)]));
  return {
    lapics: xen.lapics.map((lapic, cpu) => ({
      ...lapicSnapshot(lapic, cpu),
      interruptFlag: !xen.cpus[cpu]!.inXen,
      posted: null,
      vmcs: null,
    })),
    ioapic: ioapicSnapshot(xen.irqs.ioapics.chips[0]!),
    pic: null,
    vectors: xen.cpus.map(() => names),
  };
}

/** The owners of an interrupt; Xen's function of a vector that is none. */
function shortName({ what, owner }: XenVectorSnapshot): string {
  return what.startsWith('irq ') ? owner : what;
}

function recordOf(xen: Xen, record: HookRecord): HookRecordSnapshot {
  const { domain, vcpu, point, vector } = record;
  const what = point === 'exception exit' ? (EXCEPTIONS[vector] ?? '') : xen.vectorName(vector).what;
  return { ...record, who: vcpuName(xen.profile, domain, vcpu), what };
}

/** A virtual CPU as printk has it: `%pv` of 4.17, which knows the idle domain by name; `d%d:v%d` of 3.4. */
function vcpuName(profile: XenProfile, domain: number, vcpu: number): string {
  if (profile === '3.4') return `d${domain}:v${vcpu}`;
  return `d${domain === DOMID_IDLE ? '[IDLE]' : domain}v${vcpu}`;
}

/** The hook's switch as the user has it, and who is told of each record. */
export function hookSwitch(xen: Xen): HookSwitch {
  const { hook } = xen;
  return {
    get on() {
      return hook.on;
    },
    set on(on) {
      hook.on = on;
    },
    listen(heard) {
      hook.heard = heard && ((record) => heard(recordOf(xen, record)));
    },
  };
}
