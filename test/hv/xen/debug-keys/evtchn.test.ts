/** Debug key e: the tables a real Xen 4.17 printed, bound anew port by port, print as they were. */
import { expect, test } from 'vitest';
import { debugKeyE, EventChannels, type EvtchnOutput, xen } from '../../../../engine/index.ts';
import { capture } from '../../../support/captures.ts';
import { Rig } from '../../../support/evtchn-rig.ts';

/** A row of the table: number, bits, and the fields behind by their letter. */
interface Row {
  readonly dom: number;
  readonly port: number;
  readonly pending: boolean;
  readonly masked: boolean;
  readonly f: { readonly [letter: string]: number };
}

function parse(text: string): Row[] {
  const rows: Row[] = [];
  let dom = -1;
  for (const line of text.split('\n')) {
    const heading = /information for domain (\d+):/.exec(line);
    if (heading) dom = Number(heading[1]);
    const row = /^\(XEN\) +(\d+) \[(.)\/(.)\/.{6}\]: (.*)$/.exec(line);
    if (!row) continue;
    const f = Object.fromEntries(row[4]!.split(' ').map((w) => [w[0]!, Number(w.slice(2))]));
    rows.push({ dom, port: Number(row[1]), pending: row[2] === '1', masked: row[3] === '1', f });
  }
  return rows;
}

const SILENT: EvtchnOutput = {
  kick() {},
  wake() {},
  xenConsumer() {},
  pirqBind: () => 0,
  pirqUnbind() {},
  pirqAffinity() {},
  pended() {},
  discarded() {},
};

/** Binds one port as the row says; the peer of an interdomain port may come later. */
function bind(evtchn: EventChannels, { dom, port, f }: Row): void {
  const peer = f.s === xen.ECS_INTERDOMAIN && evtchn.domain(f.d!).ports[f.p!]?.state === xen.ECS_UNBOUND;
  const bound = () => {
    switch (f.s) {
      case xen.ECS_INTERDOMAIN:
        if (f.x === 1) return evtchn.xenAlloc(dom, f.n!, f.d!);
        if (peer) return evtchn.bindInterdomain(dom, f.d!, f.p!);
        return evtchn.allocUnbound(0, dom, f.d!);
      case xen.ECS_PIRQ:
        return evtchn.bindPirq(dom, f.p!);
      case xen.ECS_VIRQ:
        return evtchn.bindVirq(dom, f.v!, evtchn.virqIsGlobal(f.v!) ? 0 : f.n!);
      default:
        return evtchn.bindIpi(dom, f.n!);
    }
  };
  expect(bound()).toBe(port);
  if (f.x === 0) evtchn.bindVcpu(dom, port, f.n!);
}

test.each(['xen-q35', 'hvm-pc'])('%s', (name) => {
  const text = capture(`xen-x86/${name}.debug-key-e.txt`);
  const rows = parse(text);
  const domains = [...new Set(rows.map((r) => r.dom))];
  expect(rows.length).toBeGreaterThan(80);

  const evtchn = new EventChannels(SILENT, { profile: '4.17' });
  for (const id of domains) {
    evtchn.addDomain({
      id,
      vcpus: 4,
      maxPort: 1023,
      nrPirqs: 648,
      privileged: id === 0,
      shared: new xen.SharedInfo(id, 4, 64),
      memory: new xen.GuestMemory(id),
      pirqToIrq: (pirq) => rows.find((r) => r.dom === id && r.f.s === xen.ECS_PIRQ && r.f.p === pirq)!.f.i!,
    });
    evtchn.initControl(id, 0, 0, 0);
    evtchn.expandArray(id, 1);
  }
  // Xen's own ports must be there before somebody binds to them
  for (const id of [...domains].reverse()) {
    for (const row of rows.filter((r) => r.dom === id)) bind(evtchn, row);
  }
  for (const { dom, port, pending, masked, f } of rows) {
    if (f.x === 1) continue;
    const flags = (pending ? xen.EVTCHN_FIFO_PENDING : 0) | (masked ? xen.EVTCHN_FIFO_MASKED : 0);
    evtchn.domain(dom).fifo!.eventPage(port)![port] = flags;
  }
  expect(debugKeyE(evtchn, domains)).toBe(text);
});

test('a linked port shows the next of its queue; pollers are listed', () => {
  const rig = new Rig('fifo');
  rig.evtchn.bindIpi(1, 0);
  rig.evtchn.bindIpi(1, 0);
  rig.evtchn.allocUnbound(1, xen.DOMID_SELF, 2);
  rig.evtchn.send(1, 1);
  rig.evtchn.send(1, 2);
  rig.evtchn.poll(1, 1, []);
  expect(debugKeyE(rig.evtchn, [1])).toBe(
    [
      "(XEN) 'e' pressed -> dumping event-channel info",
      '(XEN) Event channel information for domain 1:',
      '(XEN) Polling vCPUs: {1}',
      '(XEN)     port [p/m/s]',
      '(XEN)        1 [1/0/  2   ]: s=6 n=0 x=0',
      '(XEN)        2 [1/0/  0   ]: s=6 n=0 x=0',
      '(XEN)        3 [0/0/  -   ]: s=2 n=0 x=0 d=2',
      '',
    ].join('\n'),
  );
});

test('before its event word exists a port shows a question mark and counts as masked', () => {
  const rig = new Rig('2-level');
  rig.evtchn.bindIpi(1, 0);
  rig.evtchn.initControl(1, 0, 0, 0);
  expect(debugKeyE(rig.evtchn, [1])).toContain('(XEN)        1 [0/1/?     ]: s=6 n=0 x=0\n');
});

test('2-level shows the selector bit of the notify vCPU', () => {
  const rig = new Rig('2-level');
  rig.evtchn.bindIpi(1, 0);
  rig.evtchn.bindIpi(1, 1);
  rig.evtchn.send(1, 1);
  rig.evtchn.poll(1, 1, []);
  rig.vcpu(1).upcallPending = 0;
  rig.evtchn.poll(1, 0, [2]);
  const text = debugKeyE(rig.evtchn, [1]);
  expect(text).toContain('(XEN) Polling vCPUs: {0-1}\n');
  expect(text).toContain('(XEN)        1 [1/0/1]: s=6 n=0 x=0\n');
  expect(text).toContain('(XEN)        2 [0/0/0]: s=6 n=1 x=0\n');
});

test('Xen 3.4 words it its own way', () => {
  const rig = new Rig('2-level', { profile: '3.4' });
  rig.evtchn.bindVirq(1, xen.VIRQ_TIMER, 1);
  rig.evtchn.bindPirq(1, 3);
  rig.evtchn.xenAlloc(1, 0, 2);
  rig.evtchn.vcpuVirq(1, 1, xen.VIRQ_TIMER);
  rig.evtchn.poll(1, 0, [2]);
  expect(debugKeyE(rig.evtchn, [1])).toBe(
    [
      "(XEN) 'e' pressed -> dumping event-channel info",
      '(XEN) Domain 1 polling vCPUs: 00000001',
      '(XEN) Event channel information for domain 1:',
      '(XEN)        1[1/0]: s=5 n=1 v=0 x=0',
      '(XEN)        2[0/0]: s=4 n=0 p=3 x=0',
      '(XEN)        3[0/0]: s=2 n=0 d=2 x=1',
      '',
    ].join('\n'),
  );
});
