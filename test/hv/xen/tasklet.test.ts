/** Tasklets: which softirq runs them, where, and in which order. */
import { describe, expect, test } from 'vitest';
import { ms, us } from '../../../engine/core/clock.ts';
import type { XenProfile } from '../../../engine/hv/xen/softirq.ts';
import { HvRig } from '../../support/hv-rig.ts';

/** Domain 0 computes on CPU 0; CPU 1 idles. Tasklets tell where and when they ran. */
function host(profile: XenProfile) {
  const rig = new HvRig({ profile, cpus: 2, domains: [{ vcpus: [[0]] }, { vcpus: [[1]] }] });
  const { tasklets } = rig.xen;
  const ran: { name: string; cpu: number; at: number; journey: number }[] = [];
  const make = (name: string, inSoftirq = true) =>
    tasklets.add(name, inSoftirq, (cpu) => {
      ran.push({ name, cpu: cpu.cpu, at: rig.clock.now, journey: rig.shop.books.journey });
      cpu.charge(us(1));
    });
  rig.guest().compute(us(200));
  rig.start();
  rig.run(ms(3));
  const softirqs = (name: string, cpu = 0) =>
    rig.xen.inspect().cpus[cpu]!.softirqs.find((s) => s.name === name)!.count;
  return { rig, tasklets, ran, make, softirqs, cpus: rig.cpus };
}

describe.each<XenProfile>(['3.4', '4.17'])('on %s', (profile) => {
  test('one that is scheduled runs once, in the TASKLET softirq of that CPU', () => {
    const h = host(profile);
    const before = h.softirqs('TASKLET', 1);
    h.tasklets.scheduleOn(h.cpus[1]!, h.make('a'));
    h.rig.run(us(50));
    expect(h.ran.map((r) => [r.name, r.cpu])).toEqual([['a', 1]]);
    expect(h.softirqs('TASKLET', 1) - before).toBe(1);
  });

  test('each takes a softirq of its own, in the order they were scheduled', () => {
    const h = host(profile);
    const before = h.softirqs('TASKLET');
    for (const name of ['a', 'b', 'c']) h.tasklets.scheduleOn(h.cpus[0]!, h.make(name));
    h.rig.run(us(50));
    expect(h.ran.map((r) => r.name)).toEqual(['a', 'b', 'c']);
    expect(h.softirqs('TASKLET') - before).toBe(3);
  });

  test('one that waits already runs once', () => {
    const h = host(profile);
    const [a, b] = [h.make('a'), h.make('b')];
    for (const t of [a, b, a]) h.tasklets.scheduleOn(h.cpus[0]!, t);
    h.rig.run(us(50));
    // 3.4 leaves it where it is, 4.17 puts it at the end
    expect(h.ran.map((r) => r.name)).toEqual(profile === '3.4' ? ['a', 'b'] : ['b', 'a']);
  });

  test('it runs in the name of the raise that it was scheduled for', () => {
    const h = host(profile);
    const journey = h.rig.shop.books.begin(h.rig.source('card'));
    h.tasklets.scheduleOn(h.cpus[0]!, h.make('a'));
    h.rig.xen.beginOwn();
    h.rig.run(us(50));
    expect(h.ran[0]!.journey).toBe(journey);
  });

  test('what waits travels', () => {
    const [a, b] = [host(profile), host(profile)];
    for (const h of [a, b]) h.make('x', false);
    const [first, second] = [a.make('y'), b.make('y')];
    expect(first.index).toBe(second.index);
    a.tasklets.scheduleOn(a.cpus[0]!, first);
    b.rig.shop.parts.restore(JSON.parse(JSON.stringify(a.rig.shop.parts.save())));
    b.rig.run(us(50));
    expect(b.ran.map((r) => r.name)).toEqual(['y']);
  });
});

test('3.4: whoever comes to the softirq first works off the one list, the other finds nothing', () => {
  const h = host('3.4');
  const before = [h.softirqs('TASKLET', 0), h.softirqs('TASKLET', 1)] as const;
  h.tasklets.scheduleOn(h.cpus[0]!, h.make('a'));
  h.tasklets.scheduleOn(h.cpus[1]!, h.make('b'));
  h.rig.run(us(50));
  expect(h.ran.map((r) => r.name)).toEqual(['a', 'b']);
  const ran = [0, 1].map((cpu) => h.ran.filter((r) => r.cpu === cpu).length);
  const softirqs = [0, 1].map((cpu) => h.softirqs('TASKLET', cpu) - before[cpu]!);
  expect([ran.sort(), softirqs.sort()]).toEqual([
    [0, 2],
    [1, 2],
  ]);
});

describe('4.17: work for the idle virtual CPU', () => {
  test('comes by SCHEDULE, not TASKLET, and another SCHEDULE brings the guest back', () => {
    const h = host('4.17');
    const before = [h.softirqs('SCHEDULE'), h.softirqs('TASKLET')] as const;
    h.tasklets.scheduleOn(h.cpus[0]!, h.make('a', false));
    h.rig.run(us(50));
    expect(h.ran.map((r) => r.name)).toEqual(['a']);
    expect([h.softirqs('SCHEDULE') - before[0], h.softirqs('TASKLET') - before[1]]).toEqual([2, 0]);
    expect(h.rig.guest().v.state).toBe('running');
  });

  test('3.4 does it in the softirq like any other', () => {
    const h = host('3.4');
    const before = h.softirqs('TASKLET');
    h.tasklets.scheduleOn(h.cpus[0]!, h.make('a', false));
    h.rig.run(us(50));
    expect(h.softirqs('TASKLET') - before).toBe(1);
  });
});
