/**
 * Drivers of real disks: NVMe, whose queues each have their own interrupt and CPU (drivers/nvme/host/pci.c),
 * and the one-interrupt controllers, AHCI and ATA (drivers/ata).
 */
import type { LinuxCpu } from '../entry.ts';
import type { Work } from '../irq-core.ts';
import type { LinuxKernel } from '../kernel.ts';
import { RequestDriver } from './requests.ts';

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

const COMPLETE = 1_200;

export class DiskDriver extends RequestDriver {
  constructor(
    kernel: LinuxKernel,
    name: string,
    private readonly hardware: DiskHardware,
  ) {
    super(kernel, name);
  }

  protected get queues(): number {
    return this.hardware.queues;
  }

  protected start(cpu: LinuxCpu, command: number): void {
    this.hardware.start(cpu.cpu % this.hardware.queues, command);
  }

  /** The interrupt of one queue. */
  interrupt(queue: number): Work {
    return {
      cost: () => COMPLETE * (1 + this.hardware.done(queue)),
      run: (cpu) => {
        for (const command of this.hardware.reap(queue)) this.completed(cpu, command);
      },
    };
  }
}
