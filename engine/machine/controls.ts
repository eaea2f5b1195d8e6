/** What people do to the interrupts of a machine's domains, beside firing its devices. Each platform has its own. */

import type { IrqDesc } from '../guest/linux/irq-core.ts';
import type { LinuxKernel } from '../guest/linux/kernel.ts';
import type { Outcome } from './commands.ts';

/** What cannot be done is refused in a few words, before anything has changed. */
export interface Controls {
  /** @param cpu whose, where each CPU has its own */
  raise(domain: string, irq: number | string, cpu: number): Outcome;
  mask(domain: string, irq: number, masked: boolean): Outcome;
  affinity(domain: string, irq: number, cpus: readonly number[]): Outcome;
  /** Of event channels; absent where there are none. */
  priority?(domain: string, irq: number, priority: number): Outcome;
  /** Of machines of KVM. */
  autoEoi?(domain: string, vcpu: number, on: boolean): Outcome;
  reclaim?(domain: string, vcpu: number): Outcome;
  ipi(domain: string, from: number, to: number): Outcome;
  nmi(domain: string, vcpu: number): Outcome;
}

export function refuse(why: string): Outcome {
  return { refused: why };
}

/** @param journey 0: nothing was raised */
export function raised(journey: number): Outcome {
  return journey === 0 ? {} : { journey };
}

/** A row that /proc/interrupts shows. */
export function rowOf(kernel: LinuxKernel, irq: number): IrqDesc | undefined {
  return kernel.shownDescs().find((desc) => desc.irq === irq);
}

export function noDomain(name: string): Outcome {
  return refuse(`there is no domain ${name}`);
}

export function noRow(name: string, irq: number | string): Outcome {
  return refuse(`${name} has no irq ${irq}`);
}

/** Of rows without a number: what they count, nobody raises from outside. */
export function ownRow(label: string): Outcome {
  return refuse(`${label} counts what a CPU does by itself: nothing outside raises it`);
}

/** What is wrong with a list of CPUs for a domain that has so many; undefined: nothing. */
export function wrongCpus(name: string, cpus: readonly number[], most: number): string | undefined {
  if (cpus.length === 0) return 'no CPU is named';
  const wrong = cpus.find((cpu) => !Number.isInteger(cpu) || cpu < 0 || cpu >= most);
  if (wrong === undefined) return undefined;
  return `${name} has no CPU ${wrong}: there ${most === 1 ? 'is CPU 0' : `are 0 to ${most - 1}`}`;
}
