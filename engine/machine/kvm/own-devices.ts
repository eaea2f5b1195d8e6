/** Devices of a virtual machine with one line or one message and nothing behind it: whoever makes them raises them. */
import type { Work } from '../../guest/linux/irq-core.ts';
import { MessageRegister } from '../message-register.ts';
import type { KvmHost } from './host.ts';
import type { VmParts } from './vm.ts';

/**
 * A device with one message, for this virtual CPU. What comes back sends it: from code of the host, as vhost does by an
 * irqfd, or from nowhere.
 */
export function ownMessage(
  { shop }: KvmHost,
  parts: VmParts,
  name: string,
  vcpu: number,
  work: Work,
): () => void {
  const { books } = shop;
  const { controllers } = parts.kernel;
  const full = `${parts.name}.${name}`;
  const { vm } = parts;
  const source = books.sourceOf(full);
  const held = books.addSlots(1);
  const send = () => vm.message(source, to.address, 0, to.data);
  const to: MessageRegister = shop.parts.add(
    new MessageRegister(`${full}.message`, () => {
      if (books.holds(held)) vm.letGo(held, send);
    }),
  );
  const raise = () => {
    if (to.masked) vm.maskedMessage(source, 0, held);
    else send();
  };
  const desc = controllers.allocMsi(parts.slotFor(raise), 0, to.write, [vcpu]);
  controllers.request(desc, name, work);
  shop.reaches.set(full, { domain: parts.number, irqs: () => [desc.irq] });
  return raise;
}

/** A device on the line of a GSI, aimed at this virtual CPU. What comes back sets the line. */
export function ownLine(
  { shop }: KvmHost,
  parts: VmParts,
  line: { readonly name: string; readonly gsi: number; readonly level: boolean },
  vcpu: number,
  work: Work,
): (high: boolean) => void {
  const { kernel, number } = parts;
  const full = `${parts.name}.${line.name}`;
  const desc = kernel.requestGsi(line.gsi, { level: line.level, name: line.name, work, cpus: [vcpu] });
  // the timer's is aimed at the first CPU since early boot: it moves when it comes
  if (kernel.controllers.targetOf(line.gsi)?.cpu !== vcpu) desc.moveTo = [vcpu];
  shop.reaches.set(full, { domain: number, irqs: () => [line.gsi] });
  const wire = parts.wire(line.gsi, line.name, () => {
    wire.set(true);
    wire.set(false);
  });
  return (high) => wire.set(high);
}
