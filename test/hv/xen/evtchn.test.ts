/** Event channels, sentence by sentence; what holds for both ABIs is run on both. */
import { beforeEach, describe, expect, test } from 'vitest';
import { xen } from '../../../engine/index.ts';
import { type Abi, BUSY_PIRQ, FORBIDDEN_PIRQ, Rig } from '../../support/evtchn-rig.ts';

const { DOMID_SELF, EACCES, EBUSY, EEXIST, EINVAL, ENOENT, ENOSPC, ENOSYS, EPERM, ERESTART, ESRCH } = xen;
const { VIRQ_CON_RING, VIRQ_CONSOLE, VIRQ_DEBUG, VIRQ_TIMER, VIRQ_XENOPROF, VIRQ_XENPMU } = xen;
/** valid ports come in buckets of 64 */
const BUCKET = 64;

describe.each<Abi>(['2-level', 'fifo'])('event channels, %s', (abi) => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig(abi);
  });

  describe('binding', () => {
    test('the lowest free port is taken, port 0 never', () => {
      expect(rig.evtchn.bindIpi(1, 0)).toBe(1);
      expect(rig.evtchn.bindIpi(1, 1)).toBe(2);
      rig.evtchn.close(1, 1);
      expect(rig.evtchn.bindIpi(1, 0)).toBe(1);
    });

    test('binding to a remote port makes the new local port pending at once, and not the remote one', () => {
      const remote = rig.evtchn.allocUnbound(0, DOMID_SELF, 1);
      const local = rig.evtchn.bindInterdomain(1, 0, remote);
      expect(rig.did()).toEqual([`pend 1:${local} pended`, 'kick 1.0']);
      expect(rig.pending(1, local)).toBe(true);
      expect(rig.pending(0, remote)).toBe(false);
    });

    test('only the domain a port waits for can bind to it, and only once', () => {
      const remote = rig.evtchn.allocUnbound(0, DOMID_SELF, 1);
      expect(rig.evtchn.bindInterdomain(2, 0, remote)).toBe(-EINVAL);
      expect(rig.evtchn.bindInterdomain(1, 0, remote)).toBeGreaterThan(0);
      expect(rig.evtchn.bindInterdomain(1, 0, remote)).toBe(-EINVAL);
      expect(rig.evtchn.bindInterdomain(1, 9, remote)).toBe(-ESRCH);
    });

    test('the local port is looked for before the remote one is looked at', () => {
      rig = new Rig(abi, { maxPort: 1 });
      rig.evtchn.bindIpi(1, 0);
      expect(rig.evtchn.bindInterdomain(1, 0, 999)).toBe(-ENOSPC);
      expect(rig.evtchn.bindInterdomain(1, 9, 999)).toBe(-ESRCH);
    });

    test('an unprivileged domain allocates in no other domain', () => {
      expect(rig.evtchn.allocUnbound(1, 2, 0)).toBe(-EPERM);
      expect(rig.evtchn.allocUnbound(1, 1, 0)).toBe(1);
      expect(rig.evtchn.allocUnbound(0, 2, 0)).toBe(1);
      expect(rig.evtchn.allocUnbound(1, 9, 0)).toBe(-ESRCH);
    });

    test('a domain without a port left answers ENOSPC', () => {
      rig = new Rig(abi, { maxPort: 2 });
      expect([0, 0, 0].map(() => rig.evtchn.bindIpi(1, 0))).toEqual([1, 2, -ENOSPC]);
    });

    test('a static port that is in use is refused as busy, not as invalid', () => {
      expect(rig.evtchn.allocUnbound(1, DOMID_SELF, 0, 70)).toBe(70);
      expect(rig.evtchn.allocUnbound(1, DOMID_SELF, 0, 70)).toBe(-EBUSY);
    });

    test('ports come in buckets of 64: beyond the last is invalid, a free one is not', () => {
      expect(rig.evtchn.unmask(1, BUCKET - 1)).toBe(0);
      expect(rig.evtchn.unmask(1, BUCKET)).toBe(-EINVAL);
      expect(rig.evtchn.status(1, DOMID_SELF, BUCKET - 1)).toMatchObject({ r: 0, status: 0 });
      expect(rig.evtchn.status(1, DOMID_SELF, BUCKET).r).toBe(-EINVAL);
    });

    test('a call that fails can still bring a new bucket into being', () => {
      for (let port = 1; port < BUCKET; port++) rig.evtchn.bindIpi(1, 0);
      expect(rig.evtchn.unmask(1, BUCKET)).toBe(-EINVAL);
      expect(rig.evtchn.bindInterdomain(1, 0, 5)).toBe(-EINVAL);
      expect(rig.evtchn.unmask(1, BUCKET)).toBe(0);
      expect(rig.evtchn.domain(1).activeEvtchns).toBe(BUCKET - 1);
    });
  });

  describe('VIRQs', () => {
    test('TIMER, DEBUG, XENOPROF and XENPMU belong to each vCPU; every other number is global', () => {
      for (let virq = 0; virq < xen.NR_VIRQS; virq++) {
        const perVcpu = [VIRQ_TIMER, VIRQ_DEBUG, VIRQ_XENOPROF, VIRQ_XENPMU].includes(virq);
        expect(rig.evtchn.bindVirq(1, virq, 1) > 0, `VIRQ ${virq} on vCPU 1`).toBe(perVcpu);
      }
    });

    test('errors come in this order: number, global on another vCPU, vCPU, bound already, no port', () => {
      rig = new Rig(abi, { maxPort: 1 });
      expect(rig.evtchn.bindVirq(1, xen.NR_VIRQS, 9)).toBe(-EINVAL);
      expect(rig.evtchn.bindVirq(1, VIRQ_CONSOLE, 9)).toBe(-EINVAL);
      expect(rig.evtchn.bindVirq(1, VIRQ_TIMER, 9)).toBe(-ENOENT);
      expect(rig.evtchn.bindVirq(1, VIRQ_TIMER, 0)).toBe(1);
      expect(rig.evtchn.bindVirq(1, VIRQ_TIMER, 0)).toBe(-EEXIST);
      expect(rig.evtchn.bindVirq(1, VIRQ_DEBUG, 0)).toBe(-ENOSPC);
    });

    test("a per-vCPU VIRQ pends that vCPU's port and kicks that vCPU", () => {
      rig.evtchn.bindVirq(1, VIRQ_TIMER, 0);
      const port = rig.evtchn.bindVirq(1, VIRQ_TIMER, 1);
      rig.evtchn.vcpuVirq(1, 1, VIRQ_TIMER);
      expect(rig.did()).toEqual([`pend 1:${port} pended`, 'kick 1.1']);
    });

    test('a global VIRQ goes to domain 0 until another domain handles it', () => {
      const zero = rig.evtchn.bindVirq(0, VIRQ_CON_RING, 0);
      const one = rig.evtchn.bindVirq(1, VIRQ_CON_RING, 0);
      rig.evtchn.globalVirq(VIRQ_CON_RING);
      expect(rig.pending(0, zero)).toBe(true);
      expect(rig.evtchn.setGlobalVirqHandler(1, VIRQ_CON_RING)).toBe(0);
      rig.evtchn.globalVirq(VIRQ_CON_RING);
      expect(rig.pending(1, one)).toBe(true);
      expect(rig.evtchn.setGlobalVirqHandler(1, VIRQ_TIMER)).toBe(-EINVAL);
    });

    test('a VIRQ that nobody bound is lost', () => {
      rig.evtchn.vcpuVirq(1, 0, VIRQ_DEBUG);
      rig.evtchn.globalVirq(VIRQ_CONSOLE);
      expect(rig.did()).toEqual(['pend 1:0 dropped', 'pend 0:0 dropped']);
    });

    test('closing unbinds the VIRQ, so that it can be bound again', () => {
      const port = rig.evtchn.bindVirq(1, VIRQ_CONSOLE, 0);
      rig.evtchn.bindVcpu(1, port, 1);
      rig.evtchn.close(1, port);
      expect(rig.evtchn.bindVirq(1, VIRQ_CONSOLE, 0)).toBe(port);
    });
  });

  describe('pirqs', () => {
    test('errors come in this order: range, permission, bound already, no port, physical', () => {
      rig = new Rig(abi, { maxPort: 2 });
      expect(rig.evtchn.bindPirq(1, 16)).toBe(-EINVAL);
      expect(rig.evtchn.bindPirq(1, FORBIDDEN_PIRQ)).toBe(-EPERM);
      expect(rig.evtchn.bindPirq(1, 3)).toBe(1);
      expect(rig.evtchn.bindPirq(1, 3)).toBe(-EEXIST);
      expect(rig.evtchn.bindPirq(1, BUSY_PIRQ)).toBe(-EBUSY);
      expect(rig.evtchn.bindPirq(1, 4), 'the port of the failed call was given back').toBe(2);
      expect(rig.evtchn.bindPirq(1, BUSY_PIRQ)).toBe(-ENOSPC);
    });

    test('a physical interrupt pends the port at its notify vCPU', () => {
      const port = rig.evtchn.bindPirq(1, 3);
      rig.evtchn.bindVcpu(1, port, 1);
      expect(rig.did()).toEqual(['affinity 1 pirq 3 vcpu 1']);
      rig.evtchn.guestPirq(1, 3);
      expect(rig.notified()).toEqual(['kick 1.1']);
    });

    test('a vCPU that moves takes its pirqs along, the one bound last first', () => {
      for (const pirq of [3, 4, 5]) rig.evtchn.bindPirq(1, pirq);
      rig.evtchn.close(1, 2);
      rig.did();
      rig.evtchn.movePirqs(1, 0);
      expect(rig.did()).toEqual(['affinity 1 pirq 5 vcpu 0', 'affinity 1 pirq 3 vcpu 0']);
      rig.evtchn.movePirqs(1, 1);
      expect(rig.did()).toEqual([]);
    });

    test('closing unbinds the physical interrupt', () => {
      const port = rig.evtchn.bindPirq(1, 3);
      rig.evtchn.close(1, port);
      expect(rig.did()).toEqual(['unbind 1 pirq 3']);
      expect(rig.evtchn.bindPirq(1, 3)).toBe(port);
    });
  });

  describe('sending', () => {
    test('the peer becomes pending and its vCPU is kicked', () => {
      const { from, to } = rig.pair(0, 1);
      expect(rig.evtchn.send(0, from)).toBe(0);
      expect(rig.did()).toEqual([`pend 1:${to} pended`, 'kick 1.0']);
      expect(rig.handle(1)).toEqual([to]);
    });

    test('on an unbound port the event is lost without an error', () => {
      const port = rig.evtchn.allocUnbound(1, DOMID_SELF, 0);
      expect(rig.evtchn.send(1, port)).toBe(0);
      expect(rig.did()).toEqual(['pend 0:0 dropped']);
      const early = rig.evtchn.allocUnbound(1, DOMID_SELF, 7);
      expect(rig.evtchn.send(1, early)).toBe(0);
      expect(rig.did(), 'domain 7 is not there yet').toEqual(['pend 1:0 dropped']);
    });

    test('an IPI pends its own port; a VIRQ, a pirq or a free port cannot be sent on', () => {
      const ipi = rig.evtchn.bindIpi(1, 1);
      expect(rig.evtchn.send(1, ipi)).toBe(0);
      expect(rig.notified()).toEqual(['kick 1.1']);
      for (const port of [rig.evtchn.bindVirq(1, VIRQ_TIMER, 0), rig.evtchn.bindPirq(1, 3), 40, 0, 5000]) {
        expect(rig.evtchn.send(1, port)).toBe(-EINVAL);
      }
    });

    test('a port that is pending coalesces: nobody is kicked', () => {
      const { from, to } = rig.pair(0, 1);
      rig.evtchn.send(0, from);
      rig.vcpu(1).upcallPending = 0;
      rig.did();
      rig.evtchn.send(0, from);
      expect(rig.did()).toEqual([`pend 1:${to} coalesced`]);
    });

    test('a vCPU is kicked only when its upcall goes from 0 to 1', () => {
      const [a, b] = [rig.pair(0, 1), rig.pair(0, 1)];
      rig.evtchn.send(0, a.from);
      rig.evtchn.send(0, b.from);
      expect(rig.notified()).toEqual(['kick 1.0']);
      expect(rig.handle(1)).toEqual([a.to, b.to]);
    });

    test('a masked port becomes pending, but kicks nobody', () => {
      const { from, to } = rig.pair(0, 1);
      rig.guest(1).mask(to);
      rig.evtchn.send(0, from);
      expect(rig.did()).toEqual([`pend 1:${to} pended`]);
      expect(rig.pending(1, to)).toBe(true);
    });
  });

  describe('masks', () => {
    test('unmasking by hypercall brings the kick; by the guest alone it does not', () => {
      const { from, to } = rig.pair(0, 1);
      rig.guest(1).mask(to);
      rig.evtchn.send(0, from);
      rig.guest(1).unmask(to);
      expect(rig.notified()).toEqual([]);
      rig.guest(1).mask(to);
      expect(rig.evtchn.unmask(1, to)).toBe(0);
      expect(rig.notified()).toEqual(['kick 1.0']);
    });

    test("the kick of an unmask goes to the port's notify vCPU", () => {
      const { from, to } = rig.pair(0, 1);
      rig.guest(1).mask(to);
      rig.evtchn.send(0, from);
      rig.evtchn.bindVcpu(1, to, 1);
      rig.evtchn.unmask(1, to);
      expect(rig.notified()).toEqual(['kick 1.1']);
    });

    test("on a free port and on one of Xen's unmask answers 0 and leaves the mask", () => {
      const port = rig.evtchn.xenAlloc(1, 0, 0);
      for (const p of [port, 9]) {
        rig.guest(1).mask(p);
        expect(rig.evtchn.unmask(1, p)).toBe(0);
      }
      if (abi === '2-level') expect(rig.evtchn.domain(1).shared.evtchnMask.members()).toEqual([port, 9]);
      else expect(rig.word(1, 9)).toBe(xen.EVTCHN_FIFO_MASKED);
    });
  });

  describe('the notify vCPU', () => {
    test('per-vCPU VIRQs and IPIs cannot be moved; unbound ports and global VIRQs can', () => {
      const { evtchn } = rig;
      const fixed = [evtchn.bindVirq(1, VIRQ_TIMER, 0), evtchn.bindIpi(1, 0), 40];
      const movable = [evtchn.allocUnbound(1, DOMID_SELF, 0), evtchn.bindVirq(1, VIRQ_CONSOLE, 0)];
      for (const port of fixed) expect(evtchn.bindVcpu(1, port, 1)).toBe(-EINVAL);
      for (const port of movable) expect(evtchn.bindVcpu(1, port, 1)).toBe(0);
      expect(evtchn.bindVcpu(1, 5000, 2), 'the vCPU is checked first').toBe(-ENOENT);
    });

    test('a moved port kicks its new vCPU from then on', () => {
      const { from, to } = rig.pair(0, 1);
      rig.evtchn.bindVcpu(1, to, 1);
      rig.evtchn.send(0, from);
      expect(rig.notified()).toEqual(['kick 1.1']);
    });
  });

  describe('closing', () => {
    test('frees the own end, clears its pending bit and takes the notify vCPU back to 0', () => {
      const { from, to } = rig.pair(0, 1);
      rig.evtchn.bindVcpu(1, to, 1);
      rig.guest(1).mask(to);
      rig.evtchn.send(0, from);
      rig.did();
      expect(rig.evtchn.close(1, to)).toBe(0);
      expect(rig.did()).toEqual([`discard 1:${to}`]);
      expect(rig.evtchn.status(1, DOMID_SELF, to)).toMatchObject({ r: 0, status: 0, vcpu: 0 });
      expect(rig.evtchn.domain(1).portOps.isPending(rig.evtchn.domain(1).ports[to]!)).toBe(false);
      expect(rig.evtchn.domain(1).portOps.isMasked(rig.evtchn.domain(1).ports[to]!)).toBe(true);
    });

    test('leaves the peer unbound towards the closer, with its vCPU, pending bit and mask', () => {
      const { from, to } = rig.pair(0, 1);
      rig.evtchn.bindVcpu(1, to, 1);
      rig.guest(1).mask(to);
      rig.evtchn.send(0, from);
      rig.evtchn.close(0, from);
      expect(rig.evtchn.status(1, DOMID_SELF, to)).toMatchObject({ status: 1, dom: 0, vcpu: 1 });
      expect(rig.pending(1, to)).toBe(true);
      expect(rig.evtchn.portIsMasked(1, to)).toBe(true);
    });

    test('a free, reserved or invalid port answers EINVAL', () => {
      for (const port of [0, 9, 5000]) expect(rig.evtchn.close(1, port)).toBe(-EINVAL);
    });
  });

  describe("Xen's own ports", () => {
    test('a send to one calls Xen; the guest can neither look at, close nor move it', () => {
      const mine = rig.evtchn.xenAlloc(1, 1, 2);
      const theirs = rig.evtchn.bindInterdomain(2, 1, mine);
      rig.did();
      expect(rig.evtchn.send(2, theirs)).toBe(0);
      expect(rig.did()).toEqual([`xen 1:${mine} vcpu 1`]);
      expect(rig.evtchn.status(1, DOMID_SELF, mine).r).toBe(-EACCES);
      expect(rig.evtchn.status(2, 1, mine).r, 'before permission').toBe(-EACCES);
      expect(rig.evtchn.close(1, mine)).toBe(-EINVAL);
      expect(rig.evtchn.bindVcpu(1, mine, 0)).toBe(-EINVAL);
      expect(rig.evtchn.send(1, mine)).toBe(-EINVAL);
    });

    test('Xen signals the peer, and closes its port itself', () => {
      const mine = rig.evtchn.xenAlloc(1, 0, 2);
      rig.evtchn.xenNotify(1, mine);
      expect(rig.did()).toEqual(['pend 2:0 dropped']);
      const theirs = rig.evtchn.bindInterdomain(2, 1, mine);
      rig.handle(2);
      rig.did();
      rig.evtchn.xenNotify(1, mine);
      expect(rig.did()).toEqual([`pend 2:${theirs} pended`, 'kick 2.0']);
      rig.evtchn.xenFree(1, mine);
      expect(rig.evtchn.status(2, DOMID_SELF, theirs)).toMatchObject({ status: 1, dom: 1 });
    });
  });

  describe('polling', () => {
    test('a vCPU with an upcall pending and not masked does not block', () => {
      const port = rig.evtchn.bindIpi(1, 0);
      rig.evtchn.send(1, port);
      const other = rig.evtchn.bindIpi(1, 0);
      expect(rig.evtchn.poll(1, 0, [other])).toEqual({ r: 0, blocks: false });
      rig.vcpu(1).upcallMask = 1;
      expect(rig.evtchn.poll(1, 0, [other])).toEqual({ r: 0, blocks: true });
    });

    test('a port that is pending ends the poll at once, masked or not', () => {
      const port = rig.evtchn.bindIpi(1, 0);
      rig.guest(1).mask(port);
      rig.evtchn.send(1, port);
      expect(rig.evtchn.poll(1, 0, [port])).toEqual({ r: 0, blocks: false });
    });

    test('a poll of one port ends with an event there, masked or not, and not with others', () => {
      const [a, b] = [rig.evtchn.bindIpi(1, 1), rig.evtchn.bindIpi(1, 1)];
      rig.guest(1).mask(b);
      expect(rig.evtchn.poll(1, 0, [b]).blocks).toBe(true);
      rig.evtchn.send(1, a);
      expect(rig.notified()).toEqual(['kick 1.1']);
      expect(rig.evtchn.polling(1)).toEqual([0]);
      rig.evtchn.send(1, b);
      expect(rig.notified()).toEqual(['wake 1.0']);
      expect(rig.evtchn.polling(1)).toEqual([]);
    });

    test.each([0, 2])('a poll of %i ports ends with any event of the domain', (count) => {
      const ports = Array.from({ length: count }, () => rig.evtchn.bindIpi(1, 1));
      const other = rig.evtchn.bindIpi(1, 1);
      rig.evtchn.poll(1, 0, ports);
      rig.evtchn.send(1, other);
      expect(rig.notified()).toContain('wake 1.0');
    });

    test('a kick ends the poll of the vCPU it goes to', () => {
      const [mine, other] = [rig.evtchn.bindIpi(1, 0), rig.evtchn.bindIpi(1, 1)];
      rig.evtchn.poll(1, 0, [other]);
      rig.evtchn.send(1, mine);
      expect(rig.notified()).toEqual(['kick 1.0', 'wake 1.0']);
    });

    test('an event that is coalesced wakes no poller', () => {
      const [a, b] = [rig.evtchn.bindIpi(1, 1), rig.evtchn.bindIpi(1, 1)];
      rig.evtchn.send(1, a);
      rig.evtchn.poll(1, 0, [b, b]);
      rig.did();
      rig.evtchn.send(1, a);
      expect(rig.did()).toEqual([`pend 1:${a} coalesced`]);
    });

    test('the timeout wakes a poller, and nobody else', () => {
      rig.evtchn.pollTimeout(1, 0);
      expect(rig.did()).toEqual([]);
      rig.evtchn.poll(1, 0, []);
      rig.evtchn.pollTimeout(1, 0);
      expect(rig.did()).toEqual(['wake 1.0']);
    });

    test('a port that is free or invalid, and more than 128 ports, are refused', () => {
      const port = rig.evtchn.bindIpi(1, 0);
      for (const ports of [[9], [5000], Array<number>(129).fill(port)]) {
        expect(rig.evtchn.poll(1, 0, ports)).toEqual({ r: -EINVAL, blocks: false });
      }
    });
  });

  describe('status', () => {
    test('tells the kind and what it is bound to', () => {
      const { evtchn } = rig;
      const { from, to } = rig.pair(0, 1);
      const look = (port: number) => evtchn.status(1, DOMID_SELF, port);
      expect(look(to)).toMatchObject({ status: 2, dom: 0, port: from });
      expect(look(evtchn.allocUnbound(1, DOMID_SELF, DOMID_SELF))).toMatchObject({ status: 1, dom: 1 });
      expect(look(evtchn.bindPirq(1, 3))).toMatchObject({ status: 3, pirq: 3 });
      expect(look(evtchn.bindVirq(1, VIRQ_DEBUG, 1))).toMatchObject({ status: 4, virq: 1, vcpu: 1 });
      expect(look(evtchn.bindIpi(1, 1))).toMatchObject({ status: 5, vcpu: 1 });
    });

    test("domain 0 may look at others' ports, they not at its", () => {
      rig.pair(0, 1);
      expect(rig.evtchn.status(0, 1, 1).r).toBe(0);
      expect(rig.evtchn.status(1, 0, 1).r).toBe(-EPERM);
      expect(rig.evtchn.status(1, 0, 5000).r, 'the port is checked first').toBe(-EINVAL);
      expect(rig.evtchn.status(0, 9, 1).r).toBe(-ESRCH);
    });
  });

  describe('reset', () => {
    test("closes the guest's ports, keeps Xen's, and goes back to 2-level", () => {
      const mine = rig.evtchn.xenAlloc(1, 0, 2);
      const ipi = rig.evtchn.bindIpi(1, 0);
      expect(rig.evtchn.reset(1, DOMID_SELF)).toBe(0);
      expect(rig.evtchn.channels(1).map((c) => c.port)).toEqual([mine]);
      expect(rig.evtchn.bindIpi(1, 0)).toBe(ipi);
      expect(rig.evtchn.domain(1).portOps.abi).toBe('2-level');
    });

    test('another domain would have to be paused', () => {
      expect(rig.evtchn.reset(0, 1)).toBe(-EINVAL);
      expect(rig.evtchn.reset(1, 0)).toBe(-EPERM);
      expect(rig.evtchn.reset(1, 9)).toBe(-ESRCH);
    });

    test('can be preempted after ports that are multiples of 64, and must then be continued', () => {
      for (let port = 1; port <= 140; port++) rig.evtchn.bindIpi(1, 0);
      let asked = 0;
      expect(rig.evtchn.reset(1, DOMID_SELF, () => ++asked === 1)).toBe(-ERESTART);
      expect(rig.evtchn.channels(1)[0]!.port).toBe(65);
      expect(rig.evtchn.reset(1, DOMID_SELF)).toBe(-EBUSY);
      expect(rig.evtchn.resetCont(1, DOMID_SELF, () => ++asked === 3)).toBe(-ERESTART);
      expect(rig.evtchn.resetCont(1, DOMID_SELF)).toBe(0);
      expect(rig.evtchn.channels(1)).toEqual([]);
      expect(rig.evtchn.resetCont(1, DOMID_SELF)).toBe(-EBUSY);
    });
  });

  describe('a domain that dies', () => {
    test('closes its ports from the top down; peers are unbound towards it', () => {
      const [a, b] = [rig.pair(1, 0), rig.pair(1, 0)];
      rig.evtchn.send(0, a.to);
      rig.evtchn.send(0, b.to);
      rig.did();
      rig.evtchn.destroy(1);
      expect(rig.did()).toEqual([`discard 1:${b.from}`, `discard 1:${a.from}`]);
      expect(rig.evtchn.status(0, DOMID_SELF, a.to)).toMatchObject({ status: 1, dom: 1 });
      expect(rig.evtchn.channels(1)).toEqual([]);
    });

    test('gets no new ports, and loses the global VIRQs it handled', () => {
      const console = rig.evtchn.bindVirq(0, VIRQ_CONSOLE, 0);
      rig.evtchn.setGlobalVirqHandler(1, VIRQ_CONSOLE);
      rig.evtchn.destroy(1);
      expect(rig.evtchn.allocUnbound(0, 1, 0)).toBe(-EINVAL);
      rig.did();
      rig.evtchn.globalVirq(VIRQ_CONSOLE);
      expect(rig.pending(0, console)).toBe(true);
    });
  });
});

describe('the 2-level ABI alone', () => {
  test('a port in a selected word brings no second kick, even if the upcall was cleared', () => {
    const rig = new Rig('2-level');
    const [a, b] = [rig.pair(0, 1), rig.pair(0, 1)];
    rig.evtchn.send(0, a.from);
    rig.vcpu(1).upcallPending = 0; // but the selector stays
    rig.did();
    rig.evtchn.send(0, b.from);
    expect(rig.notified()).toEqual([]);
    expect(rig.vcpu(1).pendingSel.members()).toEqual([0]);
  });

  test('a port in another word selects it; the upcall still being up, nobody is kicked', () => {
    const rig = new Rig('2-level');
    const ipi = rig.evtchn.bindIpi(1, 0);
    rig.evtchn.allocUnbound(0, DOMID_SELF, 1);
    const far = rig.evtchn.bindInterdomain(1, 0, 1, 130);
    rig.evtchn.send(1, ipi);
    expect(far).toBe(130);
    expect(rig.vcpu(1).pendingSel.members()).toEqual([0, 2]);
    expect(rig.notified()).toEqual(['kick 1.0']);
  });

  test("a word has as many bits as the guest's long: 4096 ports, or 1024", () => {
    for (const [wordBits, ports] of [
      [64, 4096],
      [32, 1024],
    ] as const) {
      const rig = new Rig('2-level', { wordBits, maxPort: 1 << 20 });
      expect(rig.evtchn.allocUnbound(1, DOMID_SELF, 1, ports - 1)).toBe(ports - 1);
      expect(rig.evtchn.allocUnbound(1, DOMID_SELF, 1, ports)).toBe(-ENOSPC);
      rig.evtchn.bindInterdomain(1, 1, ports - 1, ports - 2);
      expect(rig.vcpu(1).pendingSel.members()).toEqual([wordBits - 1]);
    }
  });

  test('an unmask wakes no poller', () => {
    const rig = new Rig('2-level');
    const port = rig.evtchn.bindIpi(1, 1);
    rig.guest(1).mask(port);
    rig.evtchn.send(1, port);
    rig.evtchn.poll(1, 0, []);
    rig.did();
    rig.evtchn.unmask(1, port);
    expect(rig.notified()).toEqual(['kick 1.1']);
  });

  test('there are no priorities', () => {
    const rig = new Rig('2-level');
    expect(rig.evtchn.setPriority(1, 9, 3), 'whatever the port').toBe(-ENOSYS);
    expect(rig.evtchn.setPriority(1, 5000, 3)).toBe(-EINVAL);
    expect(rig.evtchn.expandArray(1, 1)).toBe(-xen.EOPNOTSUPP);
  });
});

describe('the FIFO ABI alone', () => {
  const { EVTCHN_FIFO_LINKED: LINKED, EVTCHN_FIFO_PENDING: PENDING } = xen;

  test('events are handled in the order they came, the lower priority number first', () => {
    const rig = new Rig('fifo');
    const ports = [1, 2, 3, 4].map(() => rig.evtchn.bindIpi(1, 0));
    rig.evtchn.setPriority(1, 4, 2);
    for (const port of [3, 1, 4, 2]) rig.evtchn.send(1, ports[port - 1]!);
    expect(rig.handle(1)).toEqual([4, 3, 1, 2]);
  });

  test('a new priority counts from the next linking on', () => {
    const rig = new Rig('fifo');
    rig.evtchn.bindIpi(1, 0);
    rig.evtchn.bindIpi(1, 0);
    rig.evtchn.send(1, 1);
    rig.evtchn.send(1, 2);
    rig.evtchn.setPriority(1, 2, 0);
    expect(rig.handle(1)).toEqual([1, 2]);
    rig.evtchn.send(1, 1);
    rig.evtchn.send(1, 2);
    expect(rig.handle(1)).toEqual([2, 1]);
  });

  test('errors of set_priority: the port, its use, the value', () => {
    const rig = new Rig('fifo');
    const port = rig.evtchn.bindIpi(1, 0);
    expect(rig.evtchn.setPriority(1, 5000, 99)).toBe(-EINVAL);
    expect(rig.evtchn.setPriority(1, 9, 99)).toBe(-EACCES);
    expect(rig.evtchn.setPriority(1, port, 16)).toBe(-EINVAL);
    expect(rig.evtchn.setPriority(1, port, 15)).toBe(0);
  });

  test('the first control block takes the whole domain to FIFO; pending ports wait for their word', () => {
    const rig = new Rig('2-level');
    const [a, b] = [rig.evtchn.bindIpi(1, 0), rig.evtchn.bindIpi(1, 0)];
    rig.guest(1).mask(a);
    rig.evtchn.send(1, a);
    rig.evtchn.initControl(1, 0, 0, 0);
    expect(rig.pending(1, a)).toBe(false);
    rig.did();
    rig.evtchn.send(1, b);
    rig.evtchn.send(1, b);
    expect(rig.did(), 'kept, nothing to be seen').toEqual(['pend 1:2 pended', 'pend 1:2 coalesced']);
    rig.evtchn.expandArray(1, 1);
    expect(rig.pending(1, a) && rig.pending(1, b)).toBe(true);
    expect(rig.evtchn.portIsMasked(1, a), 'the mask is not carried over').toBe(false);
    expect(rig.notified()).toEqual(['kick 1.0']);
  });

  test('control blocks: once per vCPU, aligned, within an existing page', () => {
    const rig = new Rig('2-level');
    expect(rig.evtchn.initControl(1, 2, 0, 0)).toBe(-ENOENT);
    expect(rig.evtchn.initControl(1, 0, 0, 4)).toBe(-EINVAL);
    expect(rig.evtchn.initControl(1, 0, 0, 4096 - 64)).toBe(-EINVAL);
    expect(rig.evtchn.initControl(1, 0, 99, 0)).toBe(-EINVAL);
    expect(rig.evtchn.domain(1).portOps.abi, 'a failed call leaves the ABI').toBe('2-level');
    expect(rig.evtchn.initControl(1, 0, 0, 4096 - 72)).toBe(0);
    expect(rig.evtchn.initControl(1, 0, 1, 0)).toBe(-EINVAL);
  });

  test('without a control block on the vCPU the event is dropped, not even pending', () => {
    const rig = new Rig('2-level');
    const port = rig.evtchn.bindIpi(1, 1);
    rig.evtchn.initControl(1, 0, 0, 0);
    rig.evtchn.expandArray(1, 1);
    rig.evtchn.send(1, port);
    expect(rig.did()).toEqual([`pend 1:${port} dropped`]);
    expect(rig.pending(1, port)).toBe(false);
  });

  test('nor is what was kept, if the vCPU has none when the page comes: it is lost', () => {
    const rig = new Rig('2-level');
    const port = rig.evtchn.bindIpi(1, 1);
    rig.evtchn.initControl(1, 0, 0, 0);
    rig.evtchn.send(1, port);
    rig.did();
    rig.evtchn.expandArray(1, 1);
    expect(rig.did()).toEqual([`discard 1:${port}`]);
    expect(rig.pending(1, port)).toBe(false);
  });

  test('what was latched fires again after reset and a new start, on ports that are free by then', () => {
    const rig = new Rig('2-level');
    const port = rig.evtchn.bindIpi(1, 0);
    rig.evtchn.send(1, port);
    rig.switchToFifo(1);
    expect(rig.guest(1).popAll(0)).toMatchObject([{ port, handled: true }]);
    rig.evtchn.reset(1, DOMID_SELF);
    rig.guest(1).forget();
    rig.did();
    rig.switchToFifo(1);
    expect(rig.evtchn.channels(1)).toEqual([]);
    expect(rig.did()).toEqual([`pend 1:${port} again`, 'kick 1.0']);
  });

  test('a second event goes behind the tail without a kick, unless the guest has unlinked the tail', () => {
    const rig = new Rig('fifo');
    const [a, b] = [rig.evtchn.bindIpi(1, 0), rig.evtchn.bindIpi(1, 0)];
    rig.evtchn.send(1, a);
    rig.evtchn.send(1, b);
    expect(rig.notified()).toEqual(['kick 1.0']);
    expect(rig.word(1, a)).toBe((PENDING | LINKED | b) >>> 0);
    rig.handle(1);
    rig.handle(1); // the upcall ends with nothing ready
    rig.evtchn.send(1, a);
    expect(rig.notified()).toEqual(['kick 1.0']);
    expect(rig.evtchn.domain(1).fifo!.controlBlock(0)![xen.FIFO_CONTROL_HEAD + 7]).toBe(a);
  });

  test("a port that moves away from being its old queue's tail leaves that queue without one", () => {
    const rig = new Rig('fifo');
    const port = rig.evtchn.bindIpi(1, 0);
    rig.evtchn.send(1, port);
    rig.handle(1);
    expect(rig.evtchn.domain(1).fifo!.tailOf(0, 7)).toBe(port);
    rig.evtchn.setPriority(1, port, 3);
    rig.evtchn.send(1, port);
    expect(rig.evtchn.domain(1).fifo!.tailOf(0, 7)).toBe(0);
    expect(rig.evtchn.domain(1).fifo!.tailOf(0, 3)).toBe(port);
  });

  test('a closed port that is still linked is not handed out again', () => {
    const rig = new Rig('fifo');
    const port = rig.evtchn.bindIpi(1, 0);
    rig.evtchn.send(1, port);
    rig.evtchn.close(1, port);
    expect(rig.evtchn.bindIpi(1, 0)).toBe(port + 1);
    expect(rig.evtchn.allocUnbound(1, DOMID_SELF, 0, port)).toBe(-EBUSY);
    expect(rig.handle(1), 'the guest passes over it').toEqual([]);
    expect(rig.evtchn.bindIpi(1, 0)).toBe(port);
  });

  test('unmask links a pending port anew, though nothing was sent', () => {
    const rig = new Rig('fifo');
    const [a, b] = [rig.evtchn.bindIpi(1, 0), rig.evtchn.bindIpi(1, 0)];
    rig.guest(1).mask(a);
    rig.evtchn.send(1, a);
    rig.evtchn.send(1, b);
    rig.evtchn.unmask(1, a);
    expect(rig.did().at(-1), 'no new raise').toBe('kick 1.0');
    expect(rig.handle(1)).toEqual([b, a]);
  });

  test('more than 128 pages of event words there cannot be', () => {
    const rig = new Rig('fifo');
    for (let page = 1; page < 128; page++) expect(rig.evtchn.expandArray(1, 2)).toBe(0);
    expect(rig.evtchn.expandArray(1, 2)).toBe(-ENOSPC);
    expect(rig.evtchn.expandArray(2, 99)).toBe(-EINVAL);
  });
});

describe('Xen 3.4', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig('2-level', { profile: '3.4' });
  });

  test('knows no FIFO', () => {
    expect(rig.evtchn.initControl(1, 0, 0, 0)).toBe(-ENOSYS);
    expect(rig.evtchn.expandArray(1, 1)).toBe(-ENOSYS);
    expect(rig.evtchn.setPriority(1, 1, 1)).toBe(-ENOSYS);
    expect(rig.evtchn.knows(xen.EVTCHNOP_reset)).toBe(true);
    expect(rig.evtchn.knows(xen.EVTCHNOP_init_control)).toBe(false);
  });

  test('VIRQ 13 is a global one like any other', () => {
    expect(rig.evtchn.bindVirq(1, VIRQ_XENPMU, 1)).toBe(-EINVAL);
    expect(rig.evtchn.bindVirq(1, VIRQ_XENPMU, 0)).toBe(1);
    expect(rig.evtchn.bindVirq(1, VIRQ_XENOPROF, 1)).toBe(2);
  });

  test('unmask acts on any port that exists, free ones too', () => {
    const { shared } = rig.evtchn.domain(1);
    shared.evtchnMask.set(9);
    shared.evtchnPending.set(9);
    expect(rig.evtchn.unmask(1, 9)).toBe(0);
    expect(rig.notified()).toEqual(['kick 1.0']);
    expect(shared.evtchnMask.has(9)).toBe(false);
  });

  test('ports come in buckets of 128, made only when all are taken, and only the ABI limits them', () => {
    rig = new Rig('2-level', { profile: '3.4', maxPort: 5, wordBits: 32 });
    expect(rig.evtchn.unmask(1, 127)).toBe(0);
    expect(rig.evtchn.unmask(1, 128)).toBe(-EINVAL);
    for (let port = 1; port < 1024; port++) expect(rig.evtchn.bindIpi(1, 0)).toBe(port);
    expect(rig.evtchn.bindIpi(1, 0)).toBe(-ENOSPC);
  });

  test('naming another domain, or oneself by number, is refused before the port is looked at', () => {
    expect(rig.evtchn.allocUnbound(1, 1, 0)).toBe(-EPERM);
    expect(rig.evtchn.allocUnbound(1, DOMID_SELF, 0)).toBe(1);
    expect(rig.evtchn.status(1, 0, 5000).r).toBe(-EPERM);
    expect(rig.evtchn.status(1, 9, 1).r).toBe(-ESRCH);
  });

  test("status tells of Xen's ports, which still cannot be closed", () => {
    const port = rig.evtchn.xenAlloc(1, 0, 2);
    expect(rig.evtchn.status(1, DOMID_SELF, port)).toMatchObject({ r: 0, status: 1, dom: 2 });
    expect(rig.evtchn.close(1, port)).toBe(-EINVAL);
  });

  test('domain 0 resets a running domain, in one go', () => {
    for (let port = 1; port <= 140; port++) rig.evtchn.bindIpi(1, 0);
    expect(rig.evtchn.reset(0, 1, () => true)).toBe(0);
    expect(rig.evtchn.channels(1)).toEqual([]);
    expect(rig.evtchn.resetCont(1, DOMID_SELF)).toBe(-ENOSYS);
  });

  test('a poll looks at the pending bit of any port, in use or not', () => {
    expect(rig.evtchn.poll(1, 0, [9])).toEqual({ r: 0, blocks: true });
    rig.evtchn.domain(1).shared.evtchnPending.set(9);
    expect(rig.evtchn.poll(1, 1, [9])).toEqual({ r: 0, blocks: false });
    expect(rig.evtchn.poll(1, 1, [4096])).toEqual({ r: -EINVAL, blocks: false });
  });

  test('pirqs stay where they are when their port or vCPU moves', () => {
    const port = rig.evtchn.bindPirq(1, 3);
    expect(rig.evtchn.bindVcpu(1, port, 1)).toBe(0);
    rig.evtchn.movePirqs(1, 1);
    expect(rig.did()).toEqual([]);
    rig.evtchn.guestPirq(1, 3);
    expect(rig.notified()).toEqual(['kick 1.1']);
  });

  test("a global VIRQ is domain 0's for good", () => {
    const port = rig.evtchn.bindVirq(0, VIRQ_CONSOLE, 0);
    expect(rig.evtchn.setGlobalVirqHandler(1, VIRQ_CONSOLE)).toBe(-ENOSYS);
    rig.evtchn.globalVirq(VIRQ_CONSOLE);
    expect(rig.pending(0, port)).toBe(true);
  });

  test('a dying domain closes its ports from the lowest up, and then has none', () => {
    const [a, b] = [rig.pair(1, 0), rig.pair(1, 0)];
    rig.evtchn.send(0, b.to);
    rig.evtchn.send(0, a.to);
    rig.did();
    rig.evtchn.destroy(1);
    expect(rig.did()).toEqual([`discard 1:${a.from}`, `discard 1:${b.from}`]);
    expect(rig.evtchn.status(0, 1, a.from).r).toBe(-EINVAL);
    expect(rig.evtchn.allocUnbound(0, 1, 0)).toBe(-EINVAL);
  });
});
