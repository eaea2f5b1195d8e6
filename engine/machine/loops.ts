/** What goes on in any kernel: arrivals from outside, closed loops and housekeeping inside. */
import { ms, type Ns, seconds, us } from '../core/clock.ts';
import { Arrivals, type Pattern } from '../devices/workload.ts';
import type { LinuxCpu } from '../guest/linux/entry.ts';
import type { Work } from '../guest/linux/irq-core.ts';
import type { LinuxKernel } from '../guest/linux/kernel.ts';
import type { Thread } from '../guest/linux/threads.ts';
import type { KernelTimer } from '../guest/linux/time.ts';
import { timing } from '../timing.ts';
import type { Workshop } from './machine.ts';

/** check_interval of the machine check poll. */
const MCE_POLL: Ns = seconds(300);

/** A handler that does nothing but take its time. */
export const QUIET: Work = { cost: () => timing.shortHandler, run: () => {} };

/** An idle workload looks so often whether it is to go on. */
export const LOOK: Ns = ms(100);

/** @param what happens, for people */
export function arrivals(
  shop: Workshop,
  name: string,
  what: string,
  pattern: Pattern,
  happen: () => void,
): void {
  const source = shop.sources.add({
    name,
    what,
    rate: pattern.rate,
    unit: 'a second',
    changed: (before) => flow.changed(before),
  });
  const stream = shop.rng.stream(name);
  const flow = shop.parts.add(new Arrivals(name, shop.clock, stream, pattern, () => source.rate, happen));
  flow.start();
}

/** What is to come comes so much sooner or later; the CPU sees it when it next looks at its timers. */
function hurry(timers: readonly KernelTimer[], now: Ns, factor: number): void {
  if (!(factor > 0 && factor < Infinity)) return;
  for (const timer of timers) {
    if (timer.expires < Infinity)
      timer.expires = now + Math.max(1, Math.round((timer.expires - now) * factor));
  }
}

/** A thread that a timer wakes at random times; on each CPU of the domain in turn. */
export function periodically(
  shop: Workshop,
  kernel: LinuxKernel,
  name: string,
  what: string,
  rate: number,
  cost: Ns,
  act: (cpu: LinuxCpu) => void,
): void {
  const rng = shop.rng.stream(`${kernel.id}.${name}`);
  const timers: KernelTimer[] = [];
  const source = shop.sources.add({
    name,
    what,
    rate,
    unit: 'a second',
    changed: (before) => hurry(timers, shop.clock.now, before / source.rate),
  });
  const gap = () => Math.round(rng.exponential((1e9 / source.rate) * kernel.cpuCount));
  for (const { cpu } of kernel.cpus) {
    const thread = kernel.thread(`${name}/${cpu}`, cpu, {
      cost: () => cost,
      run: (on) => {
        act(on);
        kernel.time.set(timer, on.now + (source.rate > 0 ? gap() : LOOK), on);
        return false;
      },
    });
    const timer = kernel.time.timer(cpu, (on) => {
      if (source.rate > 0) kernel.wake(thread, on);
      else kernel.time.set(timer, on.now + LOOK, on);
    });
    timers.push(timer);
    timer.expires = gap();
  }
}

/** A thread of the first CPU that does nothing else, so often in a second, from a moment on. */
export function flood(
  shop: Workshop,
  kernel: LinuxKernel,
  name: string,
  what: string,
  { rate, from }: { readonly rate: number; readonly from: number },
  act: (cpu: LinuxCpu) => void,
): void {
  const source = shop.sources.add({ name, what, rate, unit: 'a second', changed: () => {} });
  const thread = kernel.thread(name, 0, {
    cost: () => (source.rate > 0 ? Math.max(1, Math.round(1e9 / source.rate)) : us(1)),
    run: (on) => {
      if (source.rate > 0) {
        act(on);
        return true;
      }
      kernel.time.set(timer, on.now + LOOK, on);
      return false;
    },
  });
  const timer = kernel.time.timer(0, (on) => kernel.wake(thread, on));
  timer.expires = seconds(from);
}

/** Work of a driver's that the kernel's worker on a CPU does (schedule_work). */
export interface Scheduled {
  /** wakes the worker of this CPU */
  wakeWorker: (cpu: LinuxCpu) => void;
  /** @returns false: there was none */
  work(cpu: LinuxCpu): boolean;
}

/** What every kernel does: workers once a second on each CPU; on x86 machine check polls every five minutes. */
export function housekeeping(shop: Workshop, kernel: LinuxKernel, scheduled?: Scheduled): void {
  const rng = shop.rng.stream(`${kernel.id}.kworker`);
  const workers: Thread[] = [];
  if (scheduled) scheduled.wakeWorker = (on) => kernel.wake(workers[on.cpu]!, on);
  for (const { cpu } of kernel.cpus) {
    const worker = kernel.thread(`kworker/${cpu}:1`, cpu, {
      cost: () => us(10 + rng.below(40)),
      run: (on) => {
        if (scheduled?.work(on)) return false;
        kernel.time.set(timer, on.now + seconds(1) - ms(rng.below(20)), on);
        return false;
      },
    });
    workers.push(worker);
    const timer = kernel.time.timer(cpu, (on) => kernel.wake(worker, on));
    timer.expires = ms(20 + rng.below(980));
    // timers of subsystems that run now and then and wake nobody
    const quiet = kernel.time.timer(cpu, (on) => {
      kernel.time.set(quiet, on.now + Math.round(rng.exponential(ms(45))), on);
    });
    quiet.expires = ms(rng.below(45) + 1);
    if (kernel.profile.arch.endsWith('arm64')) continue;
    kernel.countArch('MCP', cpu);
    const poll = kernel.time.timer(cpu, (on) => {
      kernel.countArch('MCP', on.cpu);
      kernel.time.set(poll, on.now + MCE_POLL, on);
    });
    poll.expires = MCE_POLL;
  }
}

/**
 * Closed loop: each job submits, waits for the disk, thinks, and submits again.
 * @param spec think: mean time in ms
 * @param submitter of the kernel's way to its disk, given what is to happen when a job's request is complete
 */
export function diskLoop(
  shop: Workshop,
  kernel: LinuxKernel,
  spec: { readonly jobs: number; readonly think: number },
  name: string,
  submitter: (completed: (cpu: LinuxCpu, job: number) => void) => (cpu: LinuxCpu, job: number) => void,
): void {
  const rng = shop.rng.stream(`${kernel.id}.${name}`);
  const jobs: Thread[] = [];
  const first = spec.think === 0 ? Infinity : (spec.jobs * 1e3) / spec.think;
  // at most, as the disk takes its time too
  const source = shop.sources.add({
    name,
    what: `${kernel.id} disk, ${spec.jobs} ${spec.jobs === 1 ? 'job' : 'jobs'}`,
    rate: first,
    unit: 'a second',
    changed: (before) => hurry(timers, shop.clock.now, before / source.rate),
  });
  const thinkMs = () => (source.rate === first ? spec.think : (spec.jobs * 1e3) / source.rate);
  const think = (): Ns => Math.round(rng.exponential(thinkMs() * 1e6));
  const completed = (cpu: LinuxCpu, job: number) => {
    const timer = timers[job]!;
    if (source.rate === Infinity) kernel.wake(jobs[job]!, cpu);
    else kernel.time.set(timer, cpu.now + (source.rate > 0 ? think() : LOOK), cpu);
  };
  const submit = submitter(completed);
  const timers = Array.from({ length: spec.jobs }, (_, job) => {
    const cpu = job % kernel.cpuCount;
    const thread = kernel.thread(`${name}.job${job}`, cpu, {
      cost: () => us(8 + rng.below(12)),
      run: (on) => {
        submit(on, job);
        return false;
      },
    });
    jobs.push(thread);
    // completions arrive on the ring's CPU; the job's own timer brings it back to its CPU
    const timer = kernel.time.timer(cpu, (on) => {
      if (source.rate > 0) kernel.wake(thread, on);
      else kernel.time.set(timer, on.now + LOOK, on);
    });
    timer.expires = think() + us(job);
    return timer;
  });
}

/** A thread on each CPU that computes in slices of up to 5 ms and sleeps in between. @param nameOf the one on a CPU */
export function compute(
  shop: Workshop,
  kernel: LinuxKernel,
  name: string,
  nameOf: (cpu: number) => string,
  share: number,
): void {
  const source = shop.sources.add({
    name,
    what: `${kernel.id} computes`,
    rate: share * 100,
    unit: 'percent',
  });
  const shareNow = () => (source.rate === share * 100 ? share : source.rate / 100);
  for (const { cpu } of kernel.cpus) computeOn(shop, kernel, nameOf(cpu), cpu, shareNow);
}

export function computeOn(
  shop: Workshop,
  kernel: LinuxKernel,
  name: string,
  cpu: number,
  share: () => number,
): void {
  const rng = shop.rng.stream(`${kernel.id}.${name}`);
  let slice = 0;
  const thread = kernel.thread(name, cpu, {
    cost: () => {
      slice = us(200 + rng.below(4_800));
      return slice;
    },
    run: (on) => {
      const part = share();
      if (part >= 1) return true;
      const rest = part > 0 ? Math.round((slice * (1 - part)) / part) : LOOK;
      kernel.time.set(timer, on.now + rest, on);
      return false;
    },
  });
  const timer = kernel.time.timer(cpu, (on) => {
    if (share() > 0) kernel.wake(thread, on);
    else kernel.time.set(timer, on.now + LOOK, on);
  });
  timer.expires = us(rng.below(5_000));
  shop.parts.add({
    id: `${kernel.id}.${name}.slice`,
    save: () => slice,
    restore: (state) => {
      slice = state as number;
    },
  });
}
