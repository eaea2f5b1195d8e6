/**
 * Table II of Dall, Li, Lim, Nieh and Koloventzos, "ARM Virtualization: Performance and Architectural Implications", ISCA
 * 2016, in cycles, without its column of KVM on ARM. Transcribed from memory, by two readers independently.
 */
import type { MicrobenchmarkName } from '../../engine/index.ts';

export const SOURCE =
  'Dall et al., "ARM Virtualization: Performance and Architectural Implications", ISCA 2016';
export const CAVEAT = 'The published figures were transcribed from memory.';

/** As the table calls its rows. */
export const TITLES: Readonly<Record<MicrobenchmarkName, string>> = {
  hypercall: 'Hypercall',
  trap: 'Interrupt controller trap',
  ipi: 'Virtual IPI',
  completion: 'Virtual IRQ completion',
  switch: 'VM switch',
  'io-out': 'I/O latency out',
  'io-in': 'I/O latency in',
};

type Column = Readonly<Record<MicrobenchmarkName, number>>;

/** By system. */
export const PUBLISHED: Readonly<Record<string, Column>> = {
  'KVM x86': {
    hypercall: 1_300,
    trap: 2_384,
    ipi: 5_230,
    completion: 1_556,
    switch: 4_812,
    'io-out': 560,
    'io-in': 18_923,
  },
  'Xen x86': {
    hypercall: 1_228,
    trap: 1_734,
    ipi: 5_562,
    completion: 1_464,
    switch: 10_534,
    'io-out': 11_262,
    'io-in': 10_050,
  },
  'Xen ARM': {
    hypercall: 376,
    trap: 1_356,
    ipi: 5_978,
    completion: 71,
    switch: 8_799,
    'io-out': 16_491,
    'io-in': 15_650,
  },
};
