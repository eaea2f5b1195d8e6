/** A KVM host whose machines are those of a recording: their lines and messages, and what their virtual CPUs did. */
import type { NativeLinuxCpu } from '../../guest/linux/native-entry.ts';
import { DEVICE_NOT_AVAILABLE, type KvmCpu } from '../../hv/kvm/instructions.ts';
import type { RecordedGuest, RecordedSource, TraceCapture } from '../../import/capture.ts';
import type { KvmHost } from '../kvm/host.ts';
import { ownLine, ownMessage } from '../kvm/own-devices.ts';
import type { VmParts } from '../kvm/vm.ts';
import { housekeeping } from '../loops.ts';
import { type GuestActs, GuestScript } from './guest-script.ts';
import { Outside, type Outsider } from './outside.ts';

/** where a write only takes time */
const DELAY_PORT = 0x80;

const hardware = (cpu: unknown) => (cpu as NativeLinuxCpu).hardware as KvmCpu;

const ACTS: GuestActs = {
  fpu: (cpu) => void hardware(cpu).fault(DEVICE_NOT_AVAILABLE),
  cpuid: (cpu) => hardware(cpu).cpuid(),
  page: (cpu) => hardware(cpu).touch(),
  port: (cpu) => hardware(cpu).out(DELAY_PORT, 0),
};

export function replayKvm(host: KvmHost, { guests, length }: TraceCapture): void {
  housekeeping(host.shop, host.kernel);
  const outsiders: Outsider[] = [];
  guests.forEach((guest, n) => {
    const vm = host.vms[n]!;
    const script = new GuestScript(host.shop, vm.kernel, guest, ACTS);
    for (const source of guest.sources) {
      const act = deviceOf(host, vm, guest, source, script);
      if (act) outsiders.push({ source, act });
    }
  });
  host.shop.parts.add(new Outside(host.shop.clock, outsiders, length));
}

/** What raises it in the machine; undefined: the machine itself does. */
function deviceOf(
  host: KvmHost,
  vm: VmParts,
  { vcpus }: RecordedGuest,
  source: RecordedSource,
  script: GuestScript,
): ((high: boolean) => void) | undefined {
  const { name, number, level } = source;
  const vcpu = Math.min(source.vcpu, vcpus - 1);
  switch (source.kind) {
    case 'line': {
      const set = ownLine(host, vm, { name, gsi: number, level }, vcpu, script.handler(source));
      register(vm, name, `line of GSI ${number}`, () => {
        set(true);
        set(false);
      });
      return set;
    }
    case 'message': {
      const send = ownMessage(host, vm, name, vcpu, script.handler(source));
      register(vm, name, `message with vector 0x${number.toString(16)}`, send);
      return send;
    }
    default:
      return undefined;
  }
}

/** The user may fire it as well. */
function register(vm: VmParts, name: string, title: string, act: () => void): void {
  const full = `${vm.name}.${name}`;
  vm.fired.set(full, { name: full, title, fire: () => vm.journeyOf(act) });
}
