/** Xen hosts from a few words: a dom0 with one disk, and guests. */
import { buildMachine, type Machine } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

export interface XenParts {
  readonly cpus?: number;
  /** a dom0 of one virtual CPU on CPU0, of the kernel of Xen's time, unless it says otherwise */
  readonly dom0?: string;
  /** YAML, a guest each */
  readonly guests: readonly string[];
  /** YAML, with commas between */
  readonly workloads?: string;
  readonly keys?: string;
}

export function xenText(
  xen: string,
  { cpus = 3, dom0, guests, workloads = '', keys = '' }: XenParts,
): string {
  const kernel = xen === '3.4' ? 'linux-2.6.18-xen' : 'linux-6.1';
  return `
name: t
title: t
xen: '${xen}'
cpus: ${cpus}
dom0: {devices: [{driver: ata, name: disk, gsi: 14}], ${dom0 ?? `vcpus: 1, cpus: [0], kernel: ${kernel}`}}
guests: [${guests.join(', ')}]
keys: [${keys}]
workloads: [${workloads}]
`;
}

export function xenMachine(xen: string, parts: XenParts): Machine {
  return buildMachine(parseScenario(xenText(xen, parts), 't.yaml'), 1);
}
