/** The scenarios that come with the program. */
import * as kvm from './builtin/kvm.yaml';
import * as kvm2636 from './builtin/kvm-2.6.36.yaml';
import * as kvmApicv from './builtin/kvm-apicv.yaml';
import * as kvmNoack from './builtin/kvm-noack.yaml';
import * as kvmPosted from './builtin/kvm-posted.yaml';
import * as paperKvm from './builtin/paper-kvm.yaml';
import * as paperXen from './builtin/paper-xen.yaml';
import * as paperXenArm from './builtin/paper-xen-arm.yaml';
import * as xenArmLr from './builtin/xen-arm-lr-exhaustion.yaml';
import * as xenArmV2 from './builtin/xen-arm-v2.yaml';
import * as xenArmV3 from './builtin/xen-arm-v3.yaml';
import * as xenEoiTimer from './builtin/xen-eoi-timer.yaml';
import * as xenHvm from './builtin/xen-hvm.yaml';
import * as xenHvm34 from './builtin/xen-hvm-3.4.yaml';
import * as xenMixed from './builtin/xen-mixed.yaml';
import * as xenPv from './builtin/xen-pv.yaml';
import * as xenPv2618 from './builtin/xen-pv-2.6.18.yaml';
import * as xenStorm from './builtin/xen-storm.yaml';
import * as xenStorm34 from './builtin/xen-storm-3.4.yaml';
import type { Scenario } from './kinds.ts';

/** A scenario with all its defaults, and the YAML it is written as. */
interface Builtin {
  readonly default: Scenario;
  readonly text: string;
}

const ALL: readonly Builtin[] = [
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

/** What `virqtop paper` measures: found by their names, but in no list. */
const PAPER: readonly Builtin[] = [paperKvm, paperXen, paperXenArm];

/** The default scenario. */
export const DEFAULT_SCENARIO = 'xen-mixed';

const SCENARIOS: readonly Scenario[] = ALL.map((b) => b.default);

export function builtinScenarios(): readonly Scenario[] {
  return SCENARIOS;
}

export function builtinScenario(name: string): Scenario | undefined {
  return find(name)?.default;
}

/** The YAML of a built-in scenario, comments and all. */
export function builtinText(name: string): string | undefined {
  return find(name)?.text;
}

function find(name: string): Builtin | undefined {
  return [...ALL, ...PAPER].find((b) => b.default.name === name);
}
