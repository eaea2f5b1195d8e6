/** Function calls between CPUs: who gets which IPI. */
import { expect, test } from 'vitest';
import { KERNELS } from '../../engine/guest/linux/profiles.ts';
import { KernelRig } from '../support/kernel-rig.ts';

const modern = KERNELS['linux-6.1'];
const old = KERNELS['linux-2.6.18-xen'];

/** IPIs each CPU got after CPU 0 called all others so many times. */
function broadcast(profile: typeof modern, vcpus: number, calls = 1) {
  const rig = new KernelRig(profile, vcpus);
  const a = rig.channel('a', 1_000, (cpu) => {
    for (let i = 0; i < calls; i++) rig.kernel.calls.many(cpu);
  });
  rig.run(1e6, [[1e5, () => rig.send(a)]]);
  const counts = (name: string) => rig.cpus.map((_, cpu) => rig.irqCount(`${name}${cpu}`, cpu));
  return { rig, counts };
}

test('with several others it is the broadcast', () => {
  const { counts } = broadcast(modern, 4);
  expect(counts('callfunc')).toEqual([0, 1, 1, 1]);
  expect(counts('callfuncsingle')).toEqual([0, 0, 0, 0]);
});

test('with one other CPU it is a single call: the broadcast of two virtual CPUs stays at 0', () => {
  const { counts } = broadcast(modern, 2);
  expect(counts('callfunc')).toEqual([0, 0]);
  expect(counts('callfuncsingle')).toEqual([0, 1]);
});

test('2.6.18 has no single calls', () => {
  const { counts } = broadcast(old, 2);
  expect(counts('callfunc')).toEqual([0, 1]);
});

test('a CPU that has calls queued already gets no further IPI; all of them run', () => {
  const rig = new KernelRig(modern, 2);
  const ran: number[] = [];
  const fn = rig.kernel.calls.register((_, arg) => ran.push(arg));
  const a = rig.channel('a', 1_000, (cpu) => {
    for (let i = 0; i < 5; i++) rig.kernel.calls.single(1, i, fn, cpu);
  });
  // CPU 1 sleeps: it wakes only after all five are queued
  rig.run(1e6, [[1e5, () => rig.send(a)]]);
  expect(ran).toEqual([0, 1, 2, 3, 4]);
  expect(rig.irqCount('callfuncsingle1', 1)).toBe(1);
});

test('CAL counts both kinds', () => {
  const { rig } = broadcast(modern, 4, 1);
  const cal = rig.kernel.interruptsFile().arch.find((r) => r.label === 'CAL')!;
  expect(cal.counts).toEqual([0, 1, 1, 1]);
});
