/** Ports that are closed while linked, and events that have no event word yet: what Xen does, and did before it was mended. */
import { describe, expect, test } from 'vitest';
import { buildMachine, type Machine, takeSnapshot } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

const MS = 1_000_000;

/** A guest whose virtual CPU 0 has more events than time, and a driver that reopens its channel after 10 ms. */
function machineOf(channels: number, more = '', guest = ''): Machine {
  const text = `
name: reopening
title: t
xen: '4.17'
${more}
dom0: {vcpus: 1, cpus: [0]}
guests:
  - {rings: 0, queues: 0, vcpus: 2, cpus: [1, 2], channels: ${channels}, max-event-channels: 4000 ${guest}}
workloads:
  - {what: chatter, domain: 1, channels: 30, vcpu: 0, handler: 20, pattern: {kind: poisson, rate: 300000}}
  - {what: reopen, domain: 1, from: 0.01}
`;
  return buildMachine(parseScenario(text, 'test'), 3);
}

const look = (machine: Machine) => takeSnapshot(machine).domains[1]!;

function rowOf(machine: Machine, name: string) {
  const { row, port } = look(machine).irqStates.find((s) => s.row.actions.includes(name))!;
  return { counts: row.counts, port };
}

/** How the ports stand, each change, from before the driver begins to long after it. */
function history(machine: Machine) {
  const seen: { closed: readonly number[]; kept: number[]; first: number | null; last: number | null }[] = [];
  for (let us = 10_000; us < 10_900; us += 6) {
    machine.runUntil(us * 1_000);
    const { closedBusy = [], channels, irqStates } = look(machine);
    const portOf = (name: string) => irqStates.find((s) => s.row.actions.includes(name))!.port;
    const now = {
      closed: closedBusy,
      kept: channels.filter((c) => c.kept).map((c) => c.port),
      first: portOf('reopen-first'),
      last: portOf('reopen-last'),
    };
    if (JSON.stringify(now) === JSON.stringify(seen.at(-1))) continue;
    seen.push(now);
    expect(machine.platform.pendingMismatch()).toEqual([]);
  }
  machine.runUntil(16 * MS);
  return seen;
}

describe('a port that is closed while its event word is linked', () => {
  test('is not given out before its queue has been read', () => {
    const machine = machineOf(30);
    const [before, closed, ...later] = history(machine);
    const port = before!.first!;
    expect(before).toEqual({ closed: [], kept: [], first: port, last: null });
    expect(closed).toEqual({ closed: [port], kept: [], first: null, last: null });
    const end = later.at(-1)!;
    expect(end).toEqual({ closed: [], kept: [], first: expect.any(Number), last: port + 1 });
    // each was told of its new channel where it is to be
    expect(rowOf(machine, 'reopen-last').counts).toEqual([0, 1]);
    expect(rowOf(machine, 'reopen-first').counts).toEqual([2, 0]);
  });

  test('with two levels is free at once: there are no links', () => {
    const machine = machineOf(30, '', ', fifo: false');
    const seen = history(machine);
    expect(seen.flatMap((s) => s.closed)).toEqual([]);
    expect(seen.at(-1)!.last).toBe(seen[0]!.first);
    expect(rowOf(machine, 'reopen-last').counts).toEqual([0, 1]);
  });

  test('once was: its next owner is told by the queue that it stands in, on the wrong virtual CPU', () => {
    const machine = machineOf(30, 'busy-ports: false');
    const seen = history(machine);
    expect(seen.at(-1)!.last).toBe(seen[0]!.first);
    expect(rowOf(machine, 'reopen-last').counts).toEqual([1, 0]);
  });
});

describe('an event for which there is no event word', () => {
  /** so many that the driver's first channel has port 1023 */
  const CHANNELS = 1006;

  test('is kept until the guest has added the page', () => {
    const machine = machineOf(CHANNELS);
    const seen = history(machine);
    expect(seen[0]!.first).toBe(1023);
    expect(seen.flatMap((s) => s.kept)).toEqual([1024]);
    expect(seen.at(-1)!.last).toBe(1024);
    expect(rowOf(machine, 'reopen-last').counts).toEqual([0, 1]);
    // that it is marked then is no further raise
    const accounts = takeSnapshot(machine).books.filter((b) => b.destination === 'dom1:1024');
    expect(accounts.map(({ raised, delivered, coalesced }) => [raised, delivered, coalesced])).toEqual([
      [1, 1, 0],
    ]);
  });

  test('once was lost, and the books say so', () => {
    const machine = machineOf(CHANNELS, 'keeps-pending: false');
    const lost = () =>
      takeSnapshot(machine)
        .books.filter((b) => b.destination === 'dom1:1024')
        .reduce((n, b) => n + Object.values(b.ignored).reduce((a, c) => a + c, 0), 0);
    const seen = history(machine);
    expect(seen.flatMap((s) => s.kept)).toEqual([]);
    expect(rowOf(machine, 'reopen-last').counts).toEqual([0, 0]);
    expect(lost()).toBe(1);
  });
});

test('copies taken between the steps of the driver go on as the machine does', () => {
  const machine = machineOf(30);
  machine.runUntil(10 * MS);
  const copies = Array.from({ length: 5 }, () => {
    machine.runUntil(machine.clock.now + 0.03 * MS);
    const copy = machineOf(30);
    copy.restore(JSON.parse(JSON.stringify(machine.save())));
    expect(look(copy)).toEqual(look(machine));
    return copy;
  });
  const end = machine.clock.now + 0.6 * MS;
  const [own, ...others] = [machine, ...copies].map((m) => {
    m.runUntil(end);
    return JSON.stringify(m.save());
  });
  for (const other of others) expect(other).toBe(own);
});
