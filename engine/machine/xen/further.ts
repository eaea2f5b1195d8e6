/** Event channels of a guest beyond those of its split drivers: for full tables, and for chatter (chatter.ts). */
import type { Ns } from '../../core/clock.ts';
import type { Work } from '../../guest/linux/irq-core.ts';
import { NoSpace } from '../../guest/linux/irq-info.ts';
import type { XenGuest } from '../../guest/linux/xen-side.ts';
import { timing } from '../../timing.ts';

/** By channel. */
export type Used = ReadonlyMap<number, number | undefined>;

/** One of them, with the handler that its driver in the guest has. */
export class FurtherChannel implements Work {
  port = 0;
  takes: Ns = timing.shortHandler;

  cost(): Ns {
    return this.takes;
  }

  run(): void {}
}

/**
 * The guest makes them, each for dom0; when none is left the kernel says so once and goes on without.
 * @param used those of which something comes, and whom they are to notify if they are not spread: their driver trusts dom0, and
 *   lets events through at once
 */
export function furtherChannels(kernel: XenGuest, count: number, used: Used): FurtherChannel[] {
  const late = kernel.profile.lateEoi;
  const all = kernel.cpus.map((c) => c.cpu);
  const channels: FurtherChannel[] = [];
  for (let i = 0; i < count; i++) {
    const channel = new FurtherChannel();
    try {
      const desc = kernel.events.allocUnbound(0, late && !used.has(i));
      const vcpu = used.get(i);
      kernel.irqs.request(desc, { name: `channel${i}`, work: channel }, vcpu === undefined ? all : [vcpu]);
      channel.port = desc.port;
    } catch (error) {
      if (!(error instanceof NoSpace)) throw error;
      kernel.log.push(`channel${i}: ${error.message}`);
      break;
    }
    channels.push(channel);
  }
  return channels;
}
