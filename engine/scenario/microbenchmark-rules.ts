/** What a microbenchmark needs of the guest that it runs in. */
import type { MicrobenchmarkName } from './microbenchmarks.ts';

export interface MicrobenchmarkSpec {
  readonly run: MicrobenchmarkName;
  readonly vcpu: number;
}

/**
 * The key of it that is wrong, and what would be right; undefined: it can run.
 * @param guest how it is called in complaints, and how many virtual CPUs it has
 */
export function microbenchmarkMistake(
  { run, vcpu }: MicrobenchmarkSpec,
  guest: { readonly name: string; readonly vcpus: number },
): readonly [key: string, message: string] | undefined {
  const { name, vcpus } = guest;
  if (vcpu >= vcpus) {
    return ['vcpu', `${name} has no virtual CPU ${vcpu}, expected 0${vcpus > 1 ? ` to ${vcpus - 1}` : ''}`];
  }
  if (run === 'ipi' && vcpu + 1 >= vcpus) {
    return ['vcpu', `${name} has no virtual CPU behind ${vcpu} to send an IPI to, expected a lower one`];
  }
  return undefined;
}
