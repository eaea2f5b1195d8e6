/** What goes wrong on a board: stores of guests or of Xen that are answered by an error, interrupts that come as FIQ. */
import type { ArmScenario } from '../../scenario/arm-schema.ts';
import { arrivals } from '../loops.ts';
import type { XenArmHost } from './host.ts';

/** Things that can be fired: `fiq`, `xen.serror` and `dom0.serror` to the last domain's. */
export function registerFaults(host: XenArmHost): void {
  const { xen } = host;
  host.register('fiq', 'secure interrupt, as FIQ', { fire: () => xen.faults.fiq(xen.cpus[0]!) });
  host.register('xen.serror', 'failed store of Xen', { fire: () => xen.faults.xenStore(xen.cpus[0]!) });
  for (const { domain, arm } of host.domains) {
    const fire = () => xen.faults.guestStore(arm.vcpus[0]!);
    host.register(`dom${domain.id}.serror`, `failed store of dom${domain.id}`, { fire });
  }
}

type FaultSpec = Extract<ArmScenario['workloads'][number], { what: 'serror' | 'fiq' }>;

/** One of the processors, or of the domain's virtual ones, each time. */
export function startFaults(host: XenArmHost, spec: FaultSpec, name: string): void {
  const { xen, shop } = host;
  const rng = shop.rng.stream(`${name}.cpu`);
  const pattern = { kind: 'poisson', rate: spec.rate } as const;
  const anyCpu = () => xen.cpus[rng.below(xen.cpus.length)]!;
  if (spec.what === 'fiq')
    arrivals(shop, name, 'secure interrupts, as FIQ', pattern, () => xen.faults.fiq(anyCpu()));
  else if (spec.domain === undefined)
    arrivals(shop, name, 'failed stores of Xen', pattern, () => xen.faults.xenStore(anyCpu()));
  else {
    const { vcpus } = host.domains[spec.domain]!.arm;
    arrivals(shop, name, `failed stores of dom${spec.domain}`, pattern, () =>
      xen.faults.guestStore(vcpus[rng.below(vcpus.length)]!),
    );
  }
}
