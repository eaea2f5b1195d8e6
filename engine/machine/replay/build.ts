/** From a recorded trace to a machine of the same kind, which is told what the real one was told. */
import { printable, UserError } from '../../core/errors.ts';
import type { RecordedSource, TraceCapture } from '../../import/capture.ts';
import { kvmSchema } from '../../scenario/kvm-schema.ts';
import { xenSchema } from '../../scenario/xen-schema.ts';
import { buildKvm } from '../build-kvm.ts';
import { buildXen } from '../build-xen.ts';
import type { Machine } from '../machine.ts';

const MOST_CPUS = 256;
/** keys that fire devices */
const KEYS = 10;
/** pins of a Xen host's IOAPIC here: interrupts below are lines */
const PINS = 24;
/** the interval timer and the cascade: no device is there */
const NOT_DEVICES: readonly number[] = [0, 2];

/** @throws UserError if there is nothing in it that a machine could be made of */
export function replayMachine(capture: TraceCapture, seed: number): Machine {
  const { file, cpus, guests, system } = capture;
  const most = Math.max(cpus, capture.dom0Vcpus, ...guests.map((g) => g.vcpus));
  if (most > MOST_CPUS) {
    throw new UserError(
      `${printable(file, Infinity)}: ${most} CPUs; machines here have ${MOST_CPUS} at most`,
    );
  }
  return system === 'kvm' ? kvmMachine(capture, seed) : xenMachine(capture, seed);
}

function titleOf({ file, length, format }: TraceCapture): string {
  return `${printable(file)}, ${Number((length / 1e9).toFixed(3))} s of ${format}`;
}

function kvmMachine(capture: TraceCapture, seed: number): Machine {
  const { guests, cpus, apicv } = capture;
  const scenario = kvmSchema.parse({
    name: 'imported',
    title: 'imported',
    kvm: '6.1',
    cpus,
    apicv,
    vms: guests.map(({ vcpus, x2apic }) => ({
      vcpus,
      x2apic: x2apic || apicv,
      ...(!x2apic && !apicv && { timer: 'lapic' }),
    })),
  });
  const keys = guests.flatMap(({ sources }, n) => fired(sources).map((s) => `vm${n + 1}.${s.name}`));
  const title = titleOf(capture);
  return buildKvm(
    { ...scenario, title, keys: keys.slice(0, KEYS).map((device) => ({ device })) },
    seed,
    capture,
  );
}

function xenMachine(capture: TraceCapture, seed: number): Machine {
  const { guests, cpus, irqs, dom0Vcpus } = capture;
  const devices = irqs
    .filter(({ number }) => !NOT_DEVICES.includes(number))
    .map(({ name, number }) =>
      number < PINS ? { driver: 'line', name, gsi: number } : { driver: 'msix', name, messages: 1 },
    );
  const scenario = xenSchema.parse({
    name: 'imported',
    title: 'imported',
    xen: '4.17',
    cpus,
    'ioapic-pins': PINS,
    dom0: { vcpus: dom0Vcpus, devices: devices.slice(0, MOST_CPUS) },
    guests: guests.map(({ vcpus }) => ({ type: 'hvm', vcpus, rings: 0, queues: 0 })),
  });
  const keys = [
    ...guests.flatMap(({ sources }, n) => fired(sources).map((s) => `dom${n + 1}.${s.name}`)),
    ...devices.map((d) => d.name),
  ];
  const title = titleOf(capture);
  return buildXen(
    { ...scenario, title, keys: keys.slice(0, KEYS).map((device) => ({ device })) },
    seed,
    capture,
  );
}

/** What a user may fire as well, the busiest first. */
function fired(sources: readonly RecordedSource[]): RecordedSource[] {
  return sources
    .filter(({ kind }) => kind === 'line' || kind === 'message' || kind === 'event')
    .sort((a, b) => b.raises - a.raises);
}
