/** Devices of a virtual machine with one line or one message and nothing behind it: whoever makes them raises them. */
import type { Books, SourceId } from '../../core/books.ts';
import type { Part, Plain } from '../../core/state.ts';
import type { Work } from '../../guest/linux/irq-core.ts';
import type { KvmHost } from './host.ts';
import type { VmParts } from './vm.ts';

/** Where a device sends its message, as the guest's kernel has told it; what came while it was masked waits. */
class OwnMessage implements Part {
  private address = 0;
  private data = 0;
  private masked = true;
  private readonly held: number;

  constructor(
    readonly id: string,
    private readonly parts: VmParts,
    private readonly source: SourceId,
    private readonly books: Books,
  ) {
    this.held = books.addSlots(1);
  }

  readonly compose = (address: number, data: number, masked: boolean): void => {
    Object.assign(this, { address, data, masked });
    if (!masked && this.books.holds(this.held)) this.parts.vm.letGo(this.held, () => this.send());
  };

  readonly raise = (): void => {
    if (this.masked) this.parts.vm.maskedMessage(this.source, 0, this.held);
    else this.send();
  };

  private send(): void {
    this.parts.vm.message(this.source, this.address, 0, this.data);
  }

  save(): Plain {
    return [this.address, this.data, Number(this.masked)];
  }

  restore(state: Plain): void {
    const [address, data, masked] = state as [number, number, number];
    Object.assign(this, { address, data, masked: masked === 1 });
  }
}

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
  const message = shop.parts.add(new OwnMessage(`${full}.message`, parts, books.sourceOf(full), books));
  const desc = controllers.allocMsi(parts.freeSlot(), 0, message.compose, [vcpu]);
  controllers.request(desc, name, work);
  shop.reaches.set(full, { domain: parts.number, irqs: () => [desc.irq] });
  return message.raise;
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
  const wire = parts.wire(line.gsi, line.name);
  return (high) => wire.set(high);
}
