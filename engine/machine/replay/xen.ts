/**
 * A Xen host whose guests on VMX are those of a recording: event channels and messages that raise what was raised, what their
 * virtual CPUs did, and the physical interrupts of the host.
 */
import type { NativeLinuxCpu } from '../../guest/linux/native-entry.ts';
import { DEVICE_NOT_AVAILABLE, type HvmCpu } from '../../hv/xen/x86/hvm-cpu.ts';
import type { RecordedSource, TraceCapture } from '../../import/capture.ts';
import { housekeeping, QUIET } from '../loops.ts';
import type { Reach } from '../machine.ts';
import { MessageRegister } from '../message-register.ts';
import type { X86Running } from '../xen/boot.ts';
import type { Fired } from '../xen/devices.ts';
import { EventRows } from '../xen/event-rows.ts';
import type { DomainParts, XenHost } from '../xen/host.ts';
import { type GuestActs, GuestScript } from './guest-script.ts';
import { Outside, type Outsider } from './outside.ts';

const hardware = (cpu: unknown) => (cpu as NativeLinuxCpu).hardware as HvmCpu;

/** The trace does not tell which ports and pages: what leaves for those is not done. */
const ACTS: GuestActs = {
  fpu: (cpu) => void hardware(cpu).fault(DEVICE_NOT_AVAILABLE),
  cpuid: (cpu) => hardware(cpu).cpuid(),
  page: () => {},
  port: () => {},
};

export function replayXen(host: XenHost, running: X86Running, { guests, irqs, length }: TraceCapture): void {
  housekeeping(host.shop, host.dom0.kernel, running.mcelog);
  const outsiders: Outsider[] = [];
  const events = new EventRows(host.xen);
  guests.forEach((guest, n) => {
    const parts = host.domains[n + 1]!;
    const script = new GuestScript(host.shop, parts.kernel, guest, ACTS);
    for (const source of guest.sources) {
      const act =
        source.kind === 'event'
          ? channel(host, parts, source, script, events)
          : source.kind === 'message'
            ? message(host, parts, source, script)
            : undefined;
      if (act) outsiders.push({ source, act });
    }
  });
  for (const source of irqs) {
    const device = host.devices.get(source.name);
    if (device) outsiders.push({ source, act: () => void device.fire() });
  }
  host.shop.parts.add(new Outside(host.shop.clock, outsiders, length));
}

/** An event channel from dom0, for one virtual CPU. */
function channel(
  host: XenHost,
  parts: DomainParts,
  source: RecordedSource,
  script: GuestScript,
  events: EventRows,
): (() => void) | undefined {
  const { kernel, domain } = parts;
  if (!('events' in kernel)) return undefined;
  const dom0 = host.dom0.kernel;
  const desc = kernel.events.allocUnbound(0, false);
  kernel.irqs.request(desc, { name: source.name, work: script.handler(source) }, [source.vcpu]);
  const back = dom0.events.bindInterdomain(domain.id, desc.port, false);
  const title = `dom${domain.id}.${source.name}`;
  dom0.irqs.request(back, { name: title, work: QUIET }, [0]);
  const fire = () => events.send(0, back.port).journey ?? 0;
  // sends are booked by the port that they are made at
  const reach = { domain: domain.id, irqs: () => [desc.irq], sources: [`dom0:${back.port}`] };
  register(host, { name: title, title: 'event channel of dom0', fire }, reach);
  return () => void fire();
}

/** A vector of one virtual CPU's local APIC, as a device's message brings it. */
function message(
  host: XenHost,
  { domain, hvm, kernel }: DomainParts,
  source: RecordedSource,
  script: GuestScript,
): (() => void) | undefined {
  if (!hvm?.pc || !('controllers' in kernel)) return undefined;
  const { books } = host.shop;
  const title = `dom${domain.id}.${source.name}`;
  const id = host.source(title);
  const destination = books.destinationOf(`dom${domain.id} messages`);
  const held = books.addSlots(1);
  const send = () => {
    if (hvm.hvm.irq.injectMsi(to.address, 0, to.data) < 0) books.ignore(destination, 'not accepted');
  };
  const to: MessageRegister = host.shop.parts.add(
    new MessageRegister(`${title}.message`, () => {
      if (books.handOn(held)) send();
    }),
  );
  const desc = kernel.controllers.allocMsi(hvm.pc.freeSlot(), 0, to.write, [source.vcpu]);
  kernel.controllers.request(desc, source.name, script.handler(source));
  const fire = () => {
    const journey = books.begin(id);
    if (to.masked) books.pend(held, destination);
    else send();
    return journey;
  };
  const what = `message with vector 0x${source.number.toString(16)}`;
  register(host, { name: title, title: what, fire }, { domain: domain.id, irqs: () => [desc.irq] });
  return () => void fire();
}

/** The user may fire it as well. */
function register(host: XenHost, fired: Fired, reach: Reach): void {
  host.devices.set(fired.name, fired);
  host.shop.reaches.set(fired.name, reach);
}
