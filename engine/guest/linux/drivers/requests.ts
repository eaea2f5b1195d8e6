/**
 * Requests of a disk between those who make them and its driver (block/blk-mq.c). A request that completes on another
 * CPU than it was made on is finished there by a single function call.
 */
import type { Part, Plain } from '../../../core/state.ts';
import type { LinuxCpu } from '../entry.ts';
import type { LinuxKernel } from '../kernel.ts';
import type { Disk } from '../xen-drivers/block.ts';

const BLOCK_SOFTIRQ = 4;

interface Command {
  readonly cpu: number;
  readonly owner: number;
  readonly tag: number;
}

export abstract class RequestDriver implements Disk, Part {
  readonly id: string;
  private readonly owners: ((cpu: LinuxCpu, tag: number) => void)[] = [];
  private commands = new Map<number, Command>();
  private next = 1;
  private readonly callback: number;

  constructor(
    protected readonly kernel: LinuxKernel,
    name: string,
  ) {
    this.id = `${kernel.id}.disk.${name}`;
    this.callback = kernel.calls.register((cpu, command) => this.finish(cpu, command));
    kernel.init.parts.add(this);
  }

  /** Queues of the hardware. */
  protected abstract get queues(): number;
  /** The queue_rq of the driver: a command for the hardware. */
  protected abstract start(cpu: LinuxCpu, command: number): void;

  owner(complete: (cpu: LinuxCpu, tag: number) => void): number {
    this.owners.push(complete);
    return this.owners.length - 1;
  }

  submit(cpu: LinuxCpu, owner: number, tag: number): void {
    const command = this.next++;
    this.commands.set(command, { cpu: cpu.cpu, owner, tag });
    this.start(cpu, command);
  }

  /** blk_mq_complete_request: the hardware is done with it. */
  protected completed(cpu: LinuxCpu, command: number): void {
    const { cpu: origin } = this.commands.get(command)!;
    if (origin !== cpu.cpu) {
      this.kernel.calls.single(origin, command, this.callback, cpu);
      return;
    }
    // where the device has one queue, or the kernel is old, the softirq finishes requests
    if (this.queues === 1 || this.kernel.profile.numbering === 'bindcount') cpu.raiseSoftirq(BLOCK_SOFTIRQ);
    this.finish(cpu, command);
  }

  private finish(cpu: LinuxCpu, command: number): void {
    const { owner, tag } = this.commands.get(command)!;
    this.commands.delete(command);
    this.owners[owner]!(cpu, tag);
  }

  save(): Plain {
    return {
      next: this.next,
      commands: [...this.commands].map(([n, c]) => [n, c.cpu, c.owner, c.tag]),
    };
  }

  restore(state: Plain): void {
    const s = state as { next: number; commands: [number, number, number, number][] };
    this.next = s.next;
    this.commands = new Map(s.commands.map(([n, cpu, owner, tag]) => [n, { cpu, owner, tag }]));
  }
}
