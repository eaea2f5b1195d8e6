/** What goes on in any kernel: arrivals from outside, closed loops and housekeeping inside. */
import { ms, type Ns, seconds, us } from '../core/clock.ts';
import { Arrivals, type Pattern } from '../devices/workload.ts';
import type { LinuxCpu } from '../guest/linux/entry.ts';
import type { LinuxKernel } from '../guest/linux/kernel.ts';
import type { Thread } from '../guest/linux/threads.ts';
import type { Workshop } from './machine.ts';

/** check_interval of the machine check poll. */
const MCE_POLL: Ns = seconds(300);

export function arrivals(shop: Workshop, name: string, pattern: Pattern, happen: () => void): void {
  shop.parts.add(new Arrivals(name, shop.clock, shop.rng.stream(name), pattern, happen)).start();
}

/** A thread that a timer wakes at random times; on each CPU of the domain in turn. */
export function periodically(
  shop: Workshop,
  kernel: LinuxKernel,
  name: string,
  rate: number,
  cost: Ns,
  act: (cpu: LinuxCpu) => void,
): void {
  const rng = shop.rng.stream(`${kernel.id}.${name}`);
  const gap = () => Math.round(rng.exponential((1e9 / rate) * kernel.cpuCount));
  for (const { cpu } of kernel.cpus) {
    const thread = kernel.thread(`${name}/${cpu}`, cpu, {
      cost: () => cost,
      run: (on) => {
        act(on);
        kernel.time.set(timer, on.now + gap(), on);
        return false;
      },
    });
    const timer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
    timer.expires = gap();
  }
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
  const think = (): Ns => Math.round(rng.exponential(spec.think * 1e6));
  const completed = (cpu: LinuxCpu, job: number) => {
    const timer = timers[job]!;
    if (spec.think === 0) kernel.wake(jobs[job]!, cpu);
    else kernel.time.set(timer, cpu.now + think(), cpu);
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
    const timer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
    timer.expires = think() + us(job);
    return timer;
  });
}

/** A thread on one CPU that computes in slices of up to 5 ms and sleeps in between. */
export function compute(shop: Workshop, kernel: LinuxKernel, name: string, cpu: number, share: number): void {
  const rng = shop.rng.stream(`${kernel.id}.${name}`);
  let slice = 0;
  const thread = kernel.thread(name, cpu, {
    cost: () => {
      slice = us(200 + rng.below(4_800));
      return slice;
    },
    run: (on) => {
      if (share >= 1) return true;
      kernel.time.set(timer, on.now + Math.round((slice * (1 - share)) / share), on);
      return false;
    },
  });
  const timer = kernel.time.timer(cpu, (on) => kernel.wake(thread, on));
  timer.expires = us(rng.below(5_000));
  shop.parts.add({
    id: `${kernel.id}.${name}.slice`,
    save: () => slice,
    restore: (state) => {
      slice = state as number;
    },
  });
}
