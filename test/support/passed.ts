/** A host with one HVM guest that has been given a function with messages and a device on a line that dom0 uses too. */
import { buildMachine, type Machine, takeSnapshot } from '../../engine/index.ts';
import { parseScenario } from '../../engine/scenario/load.ts';

export type Host = readonly [xen: '3.4' | '4.17', dom0: string, guest: string];

export const HOSTS: readonly Host[] = [
  ['4.17', 'linux-6.1', 'linux-6.1'],
  ['4.17', 'linux-6.1', 'linux-2.6.36'],
  ['3.4', 'linux-2.6.3x-xen', 'linux-2.6.36'],
];

export interface Passed {
  /** of the device on the line, and of the function */
  readonly stuck?: boolean;
  readonly vfStuck?: boolean;
  /** dom0 has a device on the line too */
  readonly shared?: boolean;
  /** so has a second guest, whose device is never stuck */
  readonly second?: boolean;
  /** further lines of the scenario */
  readonly more?: string;
}

export function passedScenario([xen, dom0, guest]: Host, options: Passed = {}): string {
  const { stuck = false, vfStuck = false, shared = true, second = false, more = '' } = options;
  const usb = "    - {driver: line, name: 'uhci_hcd:usb3', gsi: 23, level: true, as: usb}\n";
  const guest2 = `  - {type: hvm, kernel: ${guest}, cpus: [1], rings: 0, queues: 0, devices: [
      {driver: passthrough, name: hba, gsi: 23}]}
`;
  const keys = ['dom1.vf', 'dom1.hba', 'rtc', ...(shared ? ['usb'] : []), ...(second ? ['dom2.hba'] : [])];
  return `
name: quiet
title: a guest with devices of its own
xen: '${xen}'
cpus: 2
dom0:
  kernel: ${dom0}
  vcpus: 1
  cpus: [0]
  devices:
    - {driver: line, name: rtc0, gsi: 8, as: rtc}
${shared ? usb : ''}guests:
  - type: hvm
    kernel: ${guest}
    vcpus: 2
    cpus: [1]
    rings: 0
    queues: 0
    devices:
      - {driver: passthrough, name: vf, messages: 2, stuck: ${vfStuck}}
      - {driver: passthrough, name: hba, gsi: 23, stuck: ${stuck}}
${second ? guest2 : ''}keys: [${keys.map((device) => `{device: ${device}}`).join(', ')}]
${more}`;
}

export function passedMachine(host: Host, options: Passed = {}, at = 101.5e6): Machine {
  const machine = buildMachine(parseScenario(passedScenario(host, options), 'passed.yaml'), 42);
  machine.runUntil(at);
  return machine;
}

/** Interrupts that a domain's handler of this name has had. */
export function handled(machine: Machine, domain: number, action: string): number {
  const { rows } = takeSnapshot(machine).domains[domain]!.interrupts;
  return rows
    .filter((r) => r.actions.includes(action))
    .flatMap((r) => r.counts)
    .reduce((a, b) => a + b, 0);
}

/** What the books say of a source's raises, all destinations together: `delivered 2, masked 1`. */
export function told(machine: Machine, source: string): string {
  const sums = new Map<string, number>();
  for (const a of takeSnapshot(machine).books) {
    if (a.source !== source) continue;
    const { delivered, coalesced, pending, ignored } = a;
    for (const [what, n] of Object.entries({ delivered, coalesced, pending, ...ignored })) {
      if (n > 0) sums.set(what, (sums.get(what) ?? 0) + n);
    }
  }
  return [...sums].map(([what, n]) => `${what} ${n}`).join(', ');
}

/** Accounts that do not add up, and pending bits of which the books say otherwise. */
export function amiss(machine: Machine): string[] {
  const wrong = takeSnapshot(machine).books.filter((a) => {
    const ignored = Object.values(a.ignored).reduce((n, x) => n + x, 0);
    return a.raised !== a.delivered + a.coalesced + ignored + a.pending;
  });
  return [...wrong.map((a) => JSON.stringify(a)), ...machine.platform.pendingMismatch()];
}
