/** What microbenchmarks on Xen have in common: a channel between a guest and a backend in dom0. */
import type { XenGuest } from '../../guest/linux/xen-side.ts';
import { QUIET } from '../loops.ts';
import type { Workshop } from '../machine.ts';
import { type MicrobenchmarkSpec, marked } from './program.ts';

/** Where it runs: the guest, by its number, and dom0. */
export interface Ends {
  readonly shop: Workshop;
  readonly dom0: XenGuest;
  readonly guest: XenGuest;
  readonly domain: number;
}

/** The guest tells the backend. */
export function startIoOut({ shop, dom0, guest, domain }: Ends, spec: MicrobenchmarkSpec): void {
  const [port] = channel(dom0, guest, domain, spec.vcpu);
  marked(shop, guest, spec.vcpu, spec, (on) => guest.hypercalls(on.cpu).send(port));
}

/** The backend tells the guest. */
export function startIoIn({ shop, dom0, guest, domain }: Ends, spec: MicrobenchmarkSpec): void {
  const [, port] = channel(dom0, guest, domain, spec.vcpu);
  marked(shop, dom0, backendCpu(dom0), spec, (on) => dom0.hypercalls(on.cpu).send(port));
}

/** As frontend and backend of a split driver have it: the guest makes the port, dom0 binds it. */
function channel(
  dom0: XenGuest,
  guest: XenGuest,
  domain: number,
  vcpu: number,
): readonly [front: number, back: number] {
  const front = guest.events.allocUnbound(0, false);
  guest.irqs.request(front, { name: 'bench', work: QUIET }, [vcpu]);
  const back = dom0.events.bindInterdomain(domain, front.port, false);
  dom0.irqs.request(back, { name: 'bench-backend', work: QUIET }, [backendCpu(dom0)]);
  return [front.port, back.port];
}

function backendCpu({ cpuCount }: XenGuest): number {
  return cpuCount > 1 ? 1 : 0;
}
