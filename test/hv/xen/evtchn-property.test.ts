/** Whatever is done, what Xen tells the books agrees with what is pending, and a kick is never lost. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Abi, Rig } from '../../support/evtchn-rig.ts';

const ACTIONS = [
  'send',
  'send',
  'send',
  'handle',
  'mask',
  'unmask',
  'close',
  'bind',
  'ipi',
  'move',
  'priority',
];

const steps = fc.array(
  fc.record({
    action: fc.constantFrom(...ACTIONS),
    dom: fc.integer({ min: 0, max: 2 }),
    port: fc.integer({ min: 1, max: 8 }),
    n: fc.integer({ min: 0, max: 2 }),
  }),
  { maxLength: 120 },
);

/** Raises that are pending, by `domain:port`, as the books are told. */
class Told {
  readonly pending = new Set<string>();

  read(lines: readonly string[]): void {
    for (const line of lines) {
      const [what, where, outcome] = line.split(' ') as [string, string, string];
      if (what === 'discard') this.take(where);
      if (what !== 'pend') continue;
      if (outcome === 'pended') expect(this.pending.has(where), `${where} pends twice`).toBe(false);
      if (outcome === 'coalesced') expect(this.pending.has(where), `${where} has nothing to join`).toBe(true);
      if (outcome === 'pended') this.pending.add(where);
    }
  }

  take(where: string): void {
    expect(this.pending.delete(where), `${where} was not pending`).toBe(true);
  }
}

function act(
  rig: Rig,
  told: Told,
  { action, dom, port, n }: { action: string; dom: number; port: number; n: number },
) {
  const { evtchn } = rig;
  switch (action) {
    case 'send':
      evtchn.send(dom, port);
      break;
    case 'handle':
      for (const v of [0, 1]) for (const p of rig.handle(dom, v)) told.take(`${dom}:${p}`);
      break;
    case 'mask':
      rig.guest(dom).mask(port);
      break;
    case 'unmask':
      evtchn.unmask(dom, port);
      break;
    case 'close':
      evtchn.close(dom, port);
      break;
    case 'bind':
      evtchn.bindInterdomain(dom, n, evtchn.allocUnbound(0, n, dom));
      break;
    case 'ipi':
      evtchn.bindIpi(dom, n & 1);
      break;
    case 'move':
      evtchn.bindVcpu(dom, port, n & 1);
      break;
    default:
      evtchn.setPriority(dom, port, n);
  }
}

test.each<Abi>(['2-level', 'fifo'])('%s: what is pending is what the books were told', (abi) => {
  fc.assert(
    fc.property(steps, (list) => {
      const rig = new Rig(abi, { maxPort: 20 });
      const told = new Told();
      for (const step of list) {
        act(rig, told, step);
        told.read(rig.did());
        for (const dom of [0, 1, 2]) {
          for (let port = 1; port <= 20; port++) {
            expect(rig.pending(dom, port), `${dom}:${port}`).toBe(told.pending.has(`${dom}:${port}`));
          }
        }
      }
    }),
    { numRuns: 150, seed: 1 },
  );
});

test.each<Abi>(['2-level', 'fifo'])('%s: a vCPU with work to do has its upcall pending', (abi) => {
  fc.assert(
    fc.property(steps, (list) => {
      const rig = new Rig(abi, { maxPort: 20 });
      const told = new Told();
      for (const step of list) act(rig, told, step.action === 'handle' ? { ...step, action: 'send' } : step);
      const upcalls = [0, 1, 2].flatMap((d) => [0, 1].map((v) => rig.vcpu(d, v).upcallPending));
      [0, 1, 2].forEach((d) => {
        [0, 1].forEach((v) => {
          if (rig.handle(d, v).length > 0) expect(upcalls[d * 2 + v], `dom${d}.${v}`).toBe(1);
        });
      });
    }),
    { numRuns: 150, seed: 2 },
  );
});

test('the rig really reaches kicks, discards and coalescing', () => {
  const rig = new Rig('2-level');
  rig.evtchn.bindIpi(1, 0);
  rig.evtchn.send(1, 1);
  rig.evtchn.send(1, 1);
  rig.evtchn.close(1, 1);
  expect(rig.did()).toEqual(['pend 1:1 pended', 'kick 1.0', 'pend 1:1 coalesced', 'discard 1:1']);
});
