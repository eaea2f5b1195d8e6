/** The operations of the event channel vectors: arguments in, results out. */
import { xen } from '../../engine/index.ts';
import type { EvtchnGuest, Pop } from './evtchn-guest.ts';
import type { EvtchnHost } from './evtchn-host.ts';
import { BadVector, type Fields, integer, integers } from './suite.ts';

export interface Op {
  /** the members that are arguments; all others are results */
  readonly args: readonly string[];
  run(host: EvtchnHost, op: Fields): Fields;
}

/** An answer that is a port or an error. */
function portOrError(answer: number): Fields {
  return answer < 0 ? { r: answer } : { r: 0, port: answer };
}

const int = integer;

function optional(op: Fields, name: string): number | undefined {
  return op[name] === undefined ? undefined : int(op, name);
}

/** A hypercall: run by vCPU v of domain d. */
function hypercall(args: readonly string[], run: (host: EvtchnHost, d: number, op: Fields) => Fields): Op {
  return {
    args: ['d', 'v', ...args],
    run(host, op) {
      host.vcpu(op, 'd', 'v');
      return run(host, host.domain(op, 'd').id, op);
    },
  };
}

/** Something Xen does by itself to a domain. */
function byXen(args: readonly string[], run: (host: EvtchnHost, dom: number, op: Fields) => Fields): Op {
  return { args: ['dom', ...args], run: (host, op) => run(host, host.domain(op, 'dom').id, op) };
}

/** The same for what answers nothing. */
function silent(args: readonly string[], run: (host: EvtchnHost, dom: number, op: Fields) => void): Op {
  return byXen(args, (host, dom, op) => {
    run(host, dom, op);
    return {};
  });
}

/** What the guest reads of shared memory, without a hypercall. */
function guestRead(run: (guest: EvtchnGuest, v: number) => Fields): Op {
  return { args: ['d', 'v'], run: (host, op) => run(host.guest(op), host.vcpu(op, 'd', 'v')) };
}

/** What the guest writes to shared memory, without a hypercall. */
function guestWrite(
  args: readonly string[],
  run: (guest: EvtchnGuest, host: EvtchnHost, op: Fields) => void,
): Op {
  return {
    args: ['d', ...args],
    run(host, op) {
      run(host.guest(op), host, op);
      return {};
    },
  };
}

/** The n-th look at "shall this hypercall be preempted" says yes. */
function preemption(op: Fields): () => boolean {
  let left = optional(op, 'pre') ?? 0;
  return () => --left === 0;
}

/** A VIRQ that is global, or one that each vCPU has for itself. */
function virq({ evtchn }: EvtchnHost, op: Fields, global: boolean): number {
  const number = int(op, 'virq', 0, xen.NR_VIRQS - 1);
  if (evtchn.virqIsGlobal(number) === global) return number;
  throw new BadVector(`"virq" must be a ${global ? 'global' : 'per-vCPU'} one`);
}

const popped = (pop: Pop) => [pop.port, pop.handled ? 1 : 0];

const HYPERCALLS: Readonly<Record<string, Op>> = {
  alloc: hypercall(['dom', 'rdom', 'at'], ({ evtchn }, d, op) =>
    portOrError(evtchn.allocUnbound(d, int(op, 'dom'), int(op, 'rdom'), optional(op, 'at'))),
  ),
  binter: hypercall(['rdom', 'rport', 'at'], ({ evtchn }, d, op) =>
    portOrError(evtchn.bindInterdomain(d, int(op, 'rdom'), int(op, 'rport'), optional(op, 'at'))),
  ),
  bvirq: hypercall(['virq', 'vcpu', 'at'], ({ evtchn }, d, op) =>
    portOrError(evtchn.bindVirq(d, int(op, 'virq'), int(op, 'vcpu'), optional(op, 'at'))),
  ),
  bipi: hypercall(['vcpu'], ({ evtchn }, d, op) => portOrError(evtchn.bindIpi(d, int(op, 'vcpu')))),
  bpirq: hypercall(['pirq'], ({ evtchn }, d, op) => portOrError(evtchn.bindPirq(d, int(op, 'pirq')))),
  close: hypercall(['port'], ({ evtchn }, d, op) => ({ r: evtchn.close(d, int(op, 'port')) })),
  send: hypercall(['port'], ({ evtchn }, d, op) => ({ r: evtchn.send(d, int(op, 'port')) })),
  status: hypercall(['dom', 'port'], ({ evtchn }, d, op) => {
    const s = evtchn.status(d, int(op, 'dom'), int(op, 'port'));
    if (s.r !== 0) return { r: s.r };
    return { r: 0, st: [s.status, s.vcpu, s.dom + s.pirq + s.virq, s.port] };
  }),
  bvcpu: hypercall(['port', 'vcpu'], ({ evtchn }, d, op) => ({
    r: evtchn.bindVcpu(d, int(op, 'port'), int(op, 'vcpu')),
  })),
  unmask: hypercall(['port'], ({ evtchn }, d, op) => ({ r: evtchn.unmask(d, int(op, 'port')) })),
  reset: hypercall(['dom', 'pre'], ({ evtchn }, d, op) => ({
    r: evtchn.reset(d, int(op, 'dom'), preemption(op)),
  })),
  resetc: hypercall(['dom', 'pre'], ({ evtchn }, d, op) => ({
    r: evtchn.resetCont(d, int(op, 'dom'), preemption(op)),
  })),
  initc: hypercall(['vcpu', 'gfn', 'off'], ({ evtchn }, d, op) => {
    const r = evtchn.initControl(d, int(op, 'vcpu'), int(op, 'gfn'), int(op, 'off'));
    return r === 0 ? { r, bits: xen.EVTCHN_FIFO_LINK_BITS } : { r };
  }),
  expand: hypercall(['gfn'], ({ evtchn }, d, op) => ({ r: evtchn.expandArray(d, int(op, 'gfn')) })),
  prio: hypercall(['port', 'prio'], ({ evtchn }, d, op) => ({
    r: evtchn.setPriority(d, int(op, 'port'), int(op, 'prio')),
  })),
  poll: hypercall(['ports'], ({ evtchn }, d, op) => ({
    r: evtchn.poll(d, int(op, 'v'), integers(op, 'ports')).r,
  })),
  hcall: hypercall(['cmd'], ({ evtchn }, _d, op) => {
    if (evtchn.knows(int(op, 'cmd'))) throw new BadVector('"cmd" must be a command that Xen does not know');
    return { r: -xen.ENOSYS };
  }),
};

const BY_XEN: Readonly<Record<string, Op>> = {
  vvirq: silent(['vcpu', 'virq'], (host, dom, op) =>
    host.evtchn.vcpuVirq(dom, host.vcpu(op, 'dom', 'vcpu'), virq(host, op, false)),
  ),
  gvirq: {
    args: ['virq'],
    run(host, op) {
      host.evtchn.globalVirq(virq(host, op, true));
      return {};
    },
  },
  ghandler: byXen(['virq'], ({ evtchn }, dom, op) => ({
    r: evtchn.setGlobalVirqHandler(dom, int(op, 'virq')),
  })),
  pirq: silent(['pirq'], ({ evtchn, nrPirqs }, dom, op) =>
    evtchn.guestPirq(dom, int(op, 'pirq', 0, nrPirqs - 1)),
  ),
  xalloc: byXen(['vcpu', 'rdom'], (host, dom, op) => ({
    r: host.evtchn.xenAlloc(dom, host.vcpu(op, 'dom', 'vcpu'), int(op, 'rdom')),
  })),
  xfree: silent(['port'], ({ evtchn }, dom, op) => evtchn.xenFree(dom, int(op, 'port'))),
  xnotify: silent(['port'], ({ evtchn }, dom, op) => evtchn.xenNotify(dom, int(op, 'port'))),
  destroy: byXen([], ({ evtchn }, dom) => {
    evtchn.destroy(dom);
    return { r: 0 };
  }),
  ptimeout: silent(['vcpu'], (host, dom, op) => host.evtchn.pollTimeout(dom, host.vcpu(op, 'dom', 'vcpu'))),
  mvpirqs: silent(['vcpu'], (host, dom, op) => host.evtchn.movePirqs(dom, host.vcpu(op, 'dom', 'vcpu'))),
};

const BY_GUEST: Readonly<Record<string, Op>> = {
  gmask: guestWrite(['port'], (guest, host, op) => guest.mask(host.port(op))),
  gunmask: guestWrite(['port'], (guest, host, op) => guest.unmask(host.port(op))),
  gclear: guestWrite(['port'], (guest, host, op) => guest.clear(host.port(op))),
  gsel: guestRead((guest, v) => ({ bits: guest.takeSelector(v) })),
  gupcall: guestRead((guest, v) => ({ ports: guest.upcall(v) })),
  fpop: guestRead((guest, v) => ({ pop: popped(guest.pop(v)) })),
  fupcall: guestRead((guest, v) => ({ pops: guest.popAll(v).map(popped) })),
  ginit: guestWrite([], (guest) => guest.forget()),
  zero: guestWrite(['gfn'], (_guest, host, op) => host.domain(op, 'd').memory.page(int(op, 'gfn'))?.fill(0)),
  upmask: guestWrite(['v', 'val'], (_guest, host, op) => {
    const v = host.vcpu(op, 'd', 'v');
    host.domain(op, 'd').vcpus[v]!.info.upcallMask = int(op, 'val', 0, 1);
  }),
};

export const OPS: ReadonlyMap<string, Op> = new Map(
  [HYPERCALLS, BY_XEN, BY_GUEST].flatMap((table) => Object.entries(table)),
);
