/** APICv as a virtual CPU of KVM has it, to look at. */
import { IN_GUEST_MODE, type KvmVcpu } from '../../hv/kvm/vcpu.ts';
import type { VmcsSnapshot } from '../inspect.ts';

/** Of requests KVM tells RVI at the next entry: until then, and while the kick for one is under way, it may be behind. */
export function apicvSnapshot(v: KvmVcpu): Pick<VmcsSnapshot, 'apicv'> {
  if (!v.canApicv) return {};
  const { rvi, svi } = v.vmcs;
  const active = v.apicv !== undefined;
  const stale: ('RVI' | 'SVI')[] = [];
  if (active && v.mode === IN_GUEST_MODE && rvi !== Math.max(0, v.apic.highestRequest)) stale.push('RVI');
  if (active && svi !== Math.max(0, v.apic.highestInService)) stale.push('SVI');
  return { apicv: { active, rvi, svi, stale } };
}
