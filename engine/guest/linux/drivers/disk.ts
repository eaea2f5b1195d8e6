/**
 * Drivers of real disks: NVMe, whose queues each have their own interrupt and CPU (drivers/nvme/host/pci.c),
 * and the one-interrupt controllers, AHCI and ATA (drivers/ata). A request that completes on another CPU than
 * it was made on is finished there by a single function call (block/blk-mq.c).
 */
import type { Part, Plain } from '../../../core/state.ts';
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { LinuxKernel } from '../kernel.ts';
import type { Disk } from '../xen-drivers/block.ts';

/** What the driver sees of the device. */
export interface DiskHardware {
  readonly queues: number;
  /** puts a command in a queue */
  start(queue: number, command: number): void;
  /** commands of the queue that are done, taken off */
  reap(queue: number): number[];
  /** how many are done */
  done(queue: number): number;
}

const BLOCK_SOFTIRQ = 4;
const COMMAND = { submit: 1_500, complete: 1_200 } as const;

interface Command {
  readonly cpu: number;
  readonly owner: number;
  readonly tag: number;
}

export class DiskDriver implements Disk, Part {
  readonly id: string;
  private readonly owners: ((cpu: LinuxCpu, tag: number) => void)[] = [];
  private commands = new Map<number, Command>();
  private next = 1;
  private readonly callback: number;

  constructor(
    private readonly kernel: LinuxKernel,
    name: string,
    private readonly hardware: DiskHardware,
  ) {
    this.id = `${kernel.id}.disk.${name}`;
    this.callback = kernel.calls.register((cpu, command) => this.finish(cpu, command));
    kernel.init.parts.add(this);
  }

  owner(complete: (cpu: LinuxCpu, tag: number) => void): number {
    this.owners.push(complete);
    return this.owners.length - 1;
  }

  submit(cpu: LinuxCpu, owner: number, tag: number): void {
    const command = this.next++;
    this.commands.set(command, { cpu: cpu.cpu, owner, tag });
    this.hardware.start(cpu.cpu % this.hardware.queues, command);
  }

  /** The interrupt of one queue. */
  interrupt(queue: number): Work {
    return {
      cost: () => COMMAND.complete * (1 + this.hardware.done(queue)),
      run: (cpu) => {
        for (const command of this.hardware.reap(queue)) {
          const { cpu: origin } = this.commands.get(command)!;
          if (origin === cpu.cpu) this.finishHere(cpu, command);
          else this.kernel.calls.single(origin, command, this.callback, cpu);
        }
      },
    };
  }

  /** Where the device has one queue, or the kernel is old, the softirq finishes requests. */
  private finishHere(cpu: LinuxCpu, command: number): void {
    if (this.hardware.queues === 1 || this.kernel.profile.numbering === 'bindcount') {
      cpu.raiseSoftirq(BLOCK_SOFTIRQ);
    }
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
