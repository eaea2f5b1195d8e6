/** Work for HVM guests that Xen leaves to a tasklet: events that pend while interrupts are off, INIT and SIPI. */
import { describe, expect, test } from 'vitest';
import type { TraceRecord } from '../../engine/core/trace.ts';
import { type Machine, takeSnapshot } from '../../engine/index.ts';
import { Workshop } from '../../engine/machine/machine.ts';
import { boot } from '../../engine/machine/xen/boot.ts';
import { XenHost } from '../../engine/machine/xen/host.ts';
import { parseScenario } from '../../engine/scenario/load.ts';
import type { XenScenario } from '../../engine/scenario/xen-schema.ts';
import { HOSTS, passedMachine } from '../support/passed.ts';
import { xenMachine, xenText } from '../support/xen-scenario.ts';

function machineOf(xen: string, guest: string, workloads = ''): Machine {
  return xenMachine(xen, { guests: [guest], workloads });
}

/** Records of these tracepoints from now up to a time. */
function records(machine: Machine, until: number, ...names: string[]): TraceRecord[] {
  const out: TraceRecord[] = [];
  const { trace } = machine.shop;
  while (machine.clock.now < until) {
    const seen = trace.written;
    if (!machine.step()) break;
    for (const r of trace.records(seen + 1)) if (names.includes(r.point.name)) out.push(r);
  }
  return out;
}

describe('events of a PVHVM guest', () => {
  const GUEST = '{type: hvm, vcpus: 2, cpus: [1, 2], rings: 0, devices: [{driver: i8042}]}';
  const machine = machineOf('4.17', GUEST, '{what: xenstore, domain: 1, rate: 200}');
  machine.runUntil(2e7);
  const tasklets = () => machine.platform.xen!().softirqs.find((s) => s.name === 'TASKLET')!.counts;
  const before = tasklets();
  const all = records(
    machine,
    1e8,
    'send_timer_event',
    'assert_evtchn_irq_tasklet',
    'hvm_assert_evtchn_irq',
    'evtchn_send',
  );
  const journeyed = (name: string) => all.filter((r) => r.point.name === name);

  test('a VIRQ is sent with interrupts off: its virtual CPU is told in the TASKLET softirq of that CPU', () => {
    const deferred = journeyed('assert_evtchn_irq_tasklet');
    const timers = journeyed('send_timer_event').filter((r) => r.args[0] === 1);
    expect(deferred.length).toBeGreaterThan(10);
    expect(deferred.every((r) => timers.some((t) => t.journey === r.journey && t.cpu === r.cpu))).toBe(true);
    for (const r of deferred) {
      const told = all.find((x) => x.point.name === 'hvm_assert_evtchn_irq' && x.journey === r.journey)!;
      expect([told.cpu, told.args[1]]).toEqual([r.cpu, r.args[1]]);
      expect(told.seq).toBeGreaterThan(r.seq);
    }
    const after = tasklets();
    for (const cpu of [1, 2]) expect(after[cpu]! - before[cpu]!).toBeGreaterThan(5);
  });

  test('an event that a domain sends is told at once', () => {
    const sent = journeyed('evtchn_send').filter((r) => r.args[0] === 0);
    expect(sent.length).toBeGreaterThan(3);
    for (const { journey } of sent) {
      expect(all.some((r) => r.point.name === 'assert_evtchn_irq_tasklet' && r.journey === journey)).toBe(
        false,
      );
    }
  });
});

test('3.4 tells at once, and has no such tasklet', () => {
  const guest = '{type: hvm, kernel: linux-2.6.36, vcpus: 1, cpus: [1], devices: [{driver: i8042}]}';
  const machine = machineOf('3.4', guest);
  expect(records(machine, 5e7, 'assert_evtchn_irq_tasklet')).toEqual([]);
});

describe('INIT and SIPI', () => {
  const INIT = 0xc500;
  const INIT_ENDS = 0x8500;
  const SIPI = 0x699;
  const GUEST = '{type: hvm, kernel: linux-2.6.36, vcpus: 2, cpus: [1, 2], devices: [{driver: i8042}]}';

  /** Commands that the guest's first CPU sends to its second while it runs, at these times in ms. */
  function host(xen: string, commands: readonly (readonly [at: number, icr: number])[]): XenHost {
    const text = xenText(xen, { guests: [GUEST], workloads: '{what: compute, domain: 1, share: 0.5}' });
    const made = new XenHost(new Workshop(1), parseScenario(text, 't.yaml') as XenScenario);
    boot(made);
    const { kernel } = made.domains[1]!.hvm!;
    commands.forEach(([at, icr], n) => {
      const thread = kernel.thread(`command${n}`, 0, {
        cost: () => 1_000,
        run: (on) => {
          kernel.writeIcr(icr, 2, on);
          return false;
        },
      });
      const timer = kernel.time.timer(0, (on) => kernel.wake(thread, on));
      timer.expires = at * 1e6;
    });
    made.xen.start();
    return made;
  }

  const second = ({ xen }: XenHost) => xen.hvm[1]!.chips.vcpus[1]!;
  const points = ({ shop }: XenHost) =>
    [...shop.trace.records()].filter((r) => r.point.name === 'vlapic_init_sipi_action').length;

  test.each(['4.17', '3.4'])('at boot the first CPU starts the others through its local APIC (%s)', (xen) => {
    const made = host(xen, []);
    expect(second(made)).toMatchObject({ initialised: true, down: false, startedBy: 0x99 });
    const sent = [...made.shop.trace.records()].filter((r) => r.point.name === 'vlapic_ipi');
    expect(sent.map((r) => r.args)).toEqual([INIT, INIT_ENDS, SIPI, SIPI].map((icr) => [1, 0, icr]));
    // 4.17 leaves each to its tasklet
    expect(points(made)).toBe(xen === '4.17' ? 4 : 0);
    const machine = machineOf(xen, GUEST);
    const icr = takeSnapshot(machine).domains[1]!.x86!.lapics[0]!.registers;
    expect(icr.find(([name]) => name === 'ICR')?.[1]).toBe(SIPI);
  });

  test('4.17: the sender waits for the tasklet of the idle virtual CPU', () => {
    const made = host('4.17', [[20, INIT]]);
    const { clock } = made.shop;
    const sender = made.xen.vcpus.find((v) => v.name === 'dom1.0')!;
    let waited = 0;
    while (clock.now < 5e7) {
      clock.step();
      if (sender.paused === 0) continue;
      waited++;
      expect(made.xen.hvm[1]!.chips.vcpus[0]!.commands).toBe(true);
    }
    expect(waited).toBeGreaterThan(0);
    expect([sender.paused, points(made)]).toEqual([0, 5]);
    expect(second(made)).toMatchObject({ initialised: false, down: true });
  });

  test.each(['4.17', '3.4'])('an INIT takes a CPU that runs down, a SIPI starts it again (%s)', (xen) => {
    const made = host(xen, [
      [20, INIT],
      [60, SIPI],
    ]);
    const { clock } = made.shop;
    const target = made.xen.vcpus.find((v) => v.name === 'dom1.1')!;
    clock.runUntil(3.5e7);
    const { running: ran } = target.runstate.times(clock.now);
    const { state } = target;
    expect([state, target.paused]).toEqual(['blocked', 1]);
    expect(second(made)).toMatchObject({ initialised: false, down: true });
    clock.runUntil(5.5e7);
    expect(target.runstate.times(clock.now).running).toBe(ran);
    clock.runUntil(1e8);
    expect([target.paused, second(made).down]).toEqual([0, false]);
    for (const a of made.shop.books.accounts()) {
      const ignored = Object.values(a.ignored).reduce((n, m) => n + m, 0);
      expect(a.raised).toBe(a.delivered + a.coalesced + a.pending + ignored);
    }
  });
});

test('a vector that is requested while its last request is on its way into the guest comes once more', () => {
  const workloads = ['dom1.vf', 'dom1.hba', 'usb']
    .map((device) => `  - {what: device, device: ${device}, pattern: {kind: poisson, rate: 20000}}\n`)
    .join('');
  const machine = passedMachine(HOSTS[2]!, { more: `workloads:\n${workloads}` }, 1e6);
  let looks = 0;
  while (machine.clock.now < 4e8) {
    machine.step();
    if (machine.clock.events % 3 !== 0) continue;
    const wrong = machine.platform.pendingMismatch();
    if (wrong.length > 0) expect([machine.clock.now, wrong]).toEqual([]);
    looks++;
  }
  expect(looks).toBeGreaterThan(10_000);
});
