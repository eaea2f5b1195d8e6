/** What a domain does to its own interrupts, on any host of Xen: found by its name, refused where it runs no more. */
import type { LinuxKernel } from '../../guest/linux/kernel.ts';
import type { Outcome } from '../commands.ts';
import { type Controls, noDomain, refuse } from '../controls.ts';
import { GuestControls } from '../guest-controls.ts';

export const XEN = 'Xen';

interface Parts {
  readonly domain: { readonly id: number };
  readonly kernel: LinuxKernel;
}

export abstract class DomainControls<P extends Parts> implements Controls {
  /** by domain */
  private readonly guests: readonly GuestControls[];

  constructor(private readonly domains: readonly P[]) {
    this.guests = domains.map(
      (parts) => new GuestControls(parts.kernel, `dom${parts.domain.id}`, (cpu) => this.wake(parts, cpu)),
    );
  }

  abstract raise(domain: string, irq: number | string, cpu: number): Outcome;
  abstract ipi(domain: string, from: number, to: number): Outcome;
  abstract nmi(domain: string, vcpu: number): Outcome;

  /** What has ended the domain, or Xen, as a refusal. */
  protected abstract over(parts: P): Outcome | undefined;

  /** A virtual CPU that idles is interrupted, as if another one had woken a process on it. */
  protected abstract wake(parts: P, cpu: number): void;

  protected find(name: string): P | undefined {
    return this.domains.find(({ domain }) => `dom${domain.id}` === name);
  }

  protected inside(domain: string, act: (guest: GuestControls) => Outcome): Outcome {
    if (domain === XEN) return refuse(`${XEN} has no processes: its own interrupts stay as they are`);
    const parts = this.find(domain);
    if (!parts) return noDomain(domain);
    return this.over(parts) ?? act(this.guests[parts.domain.id]!);
  }

  mask(domain: string, irq: number, masked: boolean): Outcome {
    return this.inside(domain, (guest) => guest.mask(irq, masked));
  }

  affinity(domain: string, irq: number, cpus: readonly number[]): Outcome {
    return this.inside(domain, (guest) => guest.affinity(irq, cpus));
  }

  priority(domain: string, irq: number, priority: number): Outcome {
    return this.inside(domain, (guest) => guest.priority(irq, priority));
  }
}
