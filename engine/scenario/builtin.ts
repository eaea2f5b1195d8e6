/** The scenarios that come with the program. */
import kvm from './builtin/kvm.yaml';
import kvm2636 from './builtin/kvm-2.6.36.yaml';
import kvmApicv from './builtin/kvm-apicv.yaml';
import kvmNoack from './builtin/kvm-noack.yaml';
import kvmPosted from './builtin/kvm-posted.yaml';
import xenArmLr from './builtin/xen-arm-lr-exhaustion.yaml';
import xenArmV2 from './builtin/xen-arm-v2.yaml';
import xenArmV3 from './builtin/xen-arm-v3.yaml';
import xenEoiTimer from './builtin/xen-eoi-timer.yaml';
import xenHvm from './builtin/xen-hvm.yaml';
import xenHvm34 from './builtin/xen-hvm-3.4.yaml';
import xenMixed from './builtin/xen-mixed.yaml';
import xenPv from './builtin/xen-pv.yaml';
import xenPv2618 from './builtin/xen-pv-2.6.18.yaml';
import xenStorm from './builtin/xen-storm.yaml';
import xenStorm34 from './builtin/xen-storm-3.4.yaml';
import type { Scenario } from './kinds.ts';

const ALL: readonly Scenario[] = [
  xenMixed,
  xenPv,
  xenPv2618,
  xenHvm,
  xenHvm34,
  xenStorm,
  xenStorm34,
  xenEoiTimer,
  xenArmV2,
  xenArmV3,
  xenArmLr,
  kvm,
  kvmNoack,
  kvmApicv,
  kvmPosted,
  kvm2636,
];

/** The default scenario. */
export const DEFAULT_SCENARIO = 'xen-mixed';

export function builtinScenarios(): readonly Scenario[] {
  return ALL;
}

export function builtinScenario(name: string): Scenario | undefined {
  return ALL.find((s) => s.name === name);
}
