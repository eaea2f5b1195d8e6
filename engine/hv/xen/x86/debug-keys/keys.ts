/** The debug keys that Xen's state can be read by: which there are in a version, and the text of each. */
import { type DumpedDomain, debugKeyQ } from '../../debug-keys/domains.ts';
import { debugKeyE } from '../../debug-keys/evtchn.ts';
import { hex } from '../../debug-keys/printk.ts';
import { debugKeyR } from '../../debug-keys/runq.ts';
import type { Domain } from '../../domain.ts';
import type { XenProfile } from '../../softirq.ts';
import type { HvmDomain } from '../hvm-domain.ts';
import { pirqOf } from '../irq-desc.ts';
import type { Xen } from '../xen.ts';
import { debugKeyI as debugKeyHvm } from './hvm-irq.ts';
import { debugKeyZ } from './io-apic.ts';
import { debugKeyI } from './irqs.ts';
import { debugKeyM } from './msi.ts';

/** NR_IRQS of 3.4, all of which dom0 has access to */
const NR_IRQS = 256;

/** 3.4 has neither `M` nor `I`. */
export const DEBUG_KEYS: { readonly [profile in XenProfile]: readonly string[] } = {
  '3.4': ['e', 'i', 'q', 'r', 'z'],
  '4.17': ['e', 'i', 'I', 'M', 'q', 'r', 'z'],
};

/** The text as it comes on Xen's console; undefined: this version has no such key. @param domains by id */
export function debugKey(xen: Xen, key: string, domains: readonly Domain[]): string | undefined {
  const { profile, cpus, now, irqs } = xen;
  if (!DEBUG_KEYS[profile].includes(key)) return undefined;
  switch (key) {
    case 'e':
      return debugKeyE(
        xen.channels,
        domains.map((d) => d.id),
      );
    case 'i':
      return debugKeyI({ profile, irqs, channels: (domain) => xen.channels.domain(domain) });
    case 'I':
      return debugKeyHvm(xen.hvm.flatMap((h) => (h ? [{ id: h.domain.id, irq: h.irq }] : [])));
    case 'M':
      return debugKeyM(irqs);
    case 'q':
      return debugKeyQ({ dirtyMasks: true, profile, now, cpus, domains: domains.map((d) => dumped(xen, d)) });
    case 'r':
      return debugKeyR(xen.sched);
    default:
      return debugKeyZ(profile, irqs);
  }
}

function dumped(xen: Xen, domain: Domain): DumpedDomain {
  const hvm = xen.hvm[domain.id];
  return {
    domain,
    channels: xen.channels.domain(domain.id),
    irqs: accessibleIrqs(xen, domain),
    paused: xen.control.isPaused(domain.id),
    // dom0 runs all device models, which 3.4 does not know as such
    deviceModels: domain.init.privileged && xen.profile !== '3.4' ? deviceModels(xen) : 0,
    takesEvents: (v) =>
      hvm ? hvm.vcpus[v.vcpu]!.vmx.interruptFlag : domain.shared.vcpus[v.vcpu]!.upcallMask === 0,
    ...(hvm ? HVM : PV),
    rangesets: hvm?.ioreq && xen.profile !== '3.4' ? ioreqRanges(hvm) : [],
  };
}

function deviceModels({ hvm }: Xen): number {
  return hvm.filter((h) => h?.ioreq).length;
}

const PV = { archDomain: [], archVcpu: () => [] } as const;

/** Extended page tables, and kernels with four levels of their own. */
const HVM = {
  archDomain: ['    paging assistance: hap refcounts translate external '],
  archVcpu: () => ['    paging assistance: hap, 4 levels'],
} as const;

/** What the device model has asked for (hvm_map_io_range_to_ioreq_server). */
function ioreqRanges({ model }: HvmDomain): string[] {
  const line = (kind: string, ranges: readonly (readonly [first: number, last: number])[]) => {
    const words = ranges.map(([a, b]) => ` ${hex(a, 1)}${a === b ? '' : `-${hex(b, 1)}`}`);
    return `    ioreq_server 0 ${kind} {${words.join(',')} }`;
  };
  return [line('memory', model.memoryRanges()), line('port', model.portRanges())];
}

/** irq_caps: dom0 has the GSIs, and on 3.4 all there are; everybody what was mapped for it. */
function accessibleIrqs({ profile, irqs }: Xen, { init }: Domain): number[] {
  if (init.privileged && profile === '3.4') return Array.from({ length: NR_IRQS }, (_, irq) => irq);
  const own = init.privileged ? Array.from({ length: irqs.gsis - 1 }, (_, i) => i + 1) : [];
  const mapped = irqs.descs.flatMap((d) => (d && pirqOf(d, init.id) && !own.includes(d.irq) ? [d.irq] : []));
  return [...own, ...mapped];
}
