/**
 * What holds on a running host after every single event: who runs where, who waits, where the time went, and
 * that nothing is seen before it has happened.
 */
import { describe, expect, test } from 'vitest';
import type { Xen } from '../../engine/hv/xen/x86/xen.ts';
import { buildMachine, builtinScenarios, type Machine, type Scenario } from '../../engine/index.ts';
import { isXenX86 } from '../../engine/scenario/kinds.ts';

function xenOf(machine: Machine): Xen {
  return (machine.platform as unknown as { host: { xen: Xen } }).host.xen;
}

/**
 * How long one may wait although a CPU idles. Both schedulers leave work lying: credit2 tells a CPU up to 50 us
 * before its runner's ratelimit is over, which then runs on for another 500; credit tells no other idle CPU of
 * the second one that wakes on an idle CPU, so that it may wait for the first one's turn of 30 ms.
 */
const LEFT_LYING = { credit2: 600_000, credit: 31_000_000 };

class Watch {
  readonly wrong: string[] = [];
  private readonly xen: Xen;
  private readonly local: number[];
  private readonly spent: number[][];
  /** by virtual CPU: since when it waits although a CPU it may run on idles; -1 if it does not */
  private readonly neglected: number[];

  constructor(private readonly machine: Machine) {
    this.xen = xenOf(machine);
    this.local = this.xen.cpus.map(() => 0);
    this.spent = this.xen.cpus.map(() => [0, 0, 0]);
    this.neglected = this.xen.vcpus.map(() => -1);
  }

  private complain(text: string): void {
    this.wrong.push(`event ${this.machine.clock.events}, ${this.machine.clock.now} ns: ${text}`);
  }

  check(): void {
    this.places();
    this.queues();
    this.times();
    this.neglect();
  }

  /** Each running virtual CPU is current on exactly one CPU, any other on none. */
  private places(): void {
    const { cpus, vcpus } = this.xen;
    for (const v of vcpus) {
      const on = cpus.filter((cpu) => cpu.current === v);
      if (on.length !== (v.state === 'running' ? 1 : 0))
        this.complain(`${v.name} ${v.state} on ${on.length} CPUs`);
      if (on.length === 1 && on[0] !== v.cpu) this.complain(`${v.name} is not where it thinks`);
      if (v.state === 'blocked' && !v.blocked && v.paused === 0)
        this.complain(`${v.name} blocked without being so`);
      if (v.state === 'runnable' && v.blocked) this.complain(`${v.name} runnable although it has blocked`);
      if (!v.mayRunOn(v.cpu)) this.complain(`${v.name} on CPU ${v.cpu.cpu}, outside its affinity`);
    }
  }

  private queues(): void {
    const waiting = this.xen.sched.scheduler.waiting().sort((a, b) => a - b);
    const runnable = this.xen.vcpus.filter((v) => v.state === 'runnable').map((v) => v.index);
    if (String(waiting) !== String(runnable)) this.complain(`queued ${waiting}, runnable ${runnable}`);
  }

  private times(): void {
    const { now } = this.machine.clock;
    for (const cpu of this.xen.cpus) {
      const n = cpu.cpu;
      if (cpu.time < this.local[n]!) this.complain(`CPU${n} went back from ${this.local[n]} to ${cpu.time}`);
      this.local[n] = cpu.time;
      const spent = [cpu.guestTime(), cpu.xenTime(), cpu.idleTime()];
      if (spent.some((ns, i) => ns < this.spent[n]![i]!))
        this.complain(`CPU${n}: ${this.spent[n]} -> ${spent}`);
      if (spent[0]! + spent[1]! + spent[2]! !== now) this.complain(`CPU${n}: ${spent} are not ${now}`);
      this.spent[n] = spent;
    }
  }

  /** Nobody waits for long while a CPU that he may run on idles. */
  private neglect(): void {
    const { now } = this.machine.clock;
    const most = LEFT_LYING[this.xen.sched.scheduler.name as keyof typeof LEFT_LYING];
    const idle = this.xen.cpus.filter((cpu) => cpu.idle);
    for (const v of this.xen.vcpus) {
      const n = v.index;
      if (v.state !== 'runnable' || !idle.some((cpu) => v.mayRunOn(cpu))) this.neglected[n] = -1;
      else if (this.neglected[n]! < 0) this.neglected[n] = now;
      else if (now - this.neglected[n]! > most) this.complain(`${v.name} waits, a CPU idles`);
    }
  }

  /** What is queued for a CPU comes no earlier than its own time. */
  queued(): void {
    const { queue } = this.machine.clock.save() as { queue: [string, number][] };
    for (const [name, when] of queue) {
      const match = /^cpu(\d+)\.(stretch|xen)$/.exec(name);
      const cpu = match && this.xen.cpus[Number(match[1])]!;
      if (cpu && when < cpu.time) this.complain(`${name} at ${when}, its CPU is at ${cpu.time}`);
    }
  }

  /** Every virtual CPU's time on a CPU is somebody's: guests ran in it, and Xen on their behalf. */
  totals(): void {
    const { now } = this.machine.clock;
    const { cpus, vcpus } = this.xen;
    const sum = (ns: number[]) => ns.reduce((a, b) => a + b, 0);
    const onCpu = sum(vcpus.map((v) => v.runstate.times(now).running));
    const guests = sum(cpus.map((cpu) => cpu.guestTime()));
    const idle = sum(cpus.map((cpu) => cpu.idleTime()));
    if (onCpu < guests || onCpu + idle > now * cpus.length) {
      this.complain(`virtual CPUs had ${onCpu}, guests ran ${guests}, ${idle} were idle`);
    }
  }
}

/**
 * The hops of each journey, as far as they are still kept, in the order they were written. A guest on VMX may leave more
 * than once within an event, which then tells the times of its own CPU: only hops on one CPU are in order. So it is with an
 * EOI that another CPU is asked for while the handler is at its end.
 */
function hopsBackInTime(machine: Machine, onVmx: boolean): string[] {
  const last = new Map<string, { time: number; name: string }>();
  const wrong: string[] = [];
  for (const { journey: number, time, cpu, point } of machine.shop.trace.records()) {
    if (number === 0) continue;
    const apart = onVmx || point.name === 'flush_ready_eoi';
    const journey = apart ? `${number} on CPU${cpu}` : `${number}`;
    const before = last.get(journey);
    if (before && time < before.time) {
      wrong.push(`journey ${journey}: ${before.name} at ${before.time}, then ${point.name} at ${time}`);
    }
    last.set(journey, { time, name: point.name });
  }
  return wrong;
}

function onVmx(scenario: Scenario): boolean {
  return isXenX86(scenario) && scenario.guests.some((g) => g.type !== 'pv');
}

const xenScenarios = builtinScenarios().filter(isXenX86);

const overcommitted: Scenario[] = xenScenarios.map((s) => ({
  ...s,
  name: `${s.name}-2-cpus`,
  cpus: 2,
  dom0: { ...s.dom0, vcpus: 2 },
}));

describe.each([...xenScenarios, ...overcommitted])('$name', (scenario) => {
  test.each([1, 2, 3])('with seed %i, after each of many events', (seed) => {
    const machine = buildMachine(scenario, seed);
    const watch = new Watch(machine);
    for (let i = 1; i <= 30_000 && watch.wrong.length === 0; i++) {
      machine.step();
      watch.check();
      if (i % 97 === 0) watch.queued();
      if (i % 1_000 === 0) watch.totals();
      if (i % 211 === 0)
        machine.fire(machine.platform.fireables[i % machine.platform.fireables.length]!.name);
    }
    expect(watch.wrong).toEqual([]);
    expect(hopsBackInTime(machine, onVmx(scenario))).toEqual([]);
  });

  test('the path of a fired interrupt goes forward in time, hop by hop', () => {
    const machine = buildMachine(scenario, 5);
    machine.runUntil(1e8);
    for (const { name } of machine.platform.fireables) {
      machine.fire(name);
      const { journey } = machine.lastFired!;
      machine.runUntil(machine.clock.now + 5e6);
      const records = machine.shop.trace.journey(journey);
      expect(records.length, name).toBeGreaterThan(1);
      for (const cpu of onVmx(scenario) ? new Set(records.map((r) => r.cpu)) : [undefined]) {
        const at = records.filter((r) => cpu === undefined || r.cpu === cpu).map((r) => r.time);
        expect(at, name).toEqual([...at].sort((a, b) => a - b));
      }
    }
  });
});
