/** Disks by virtio (drivers/block/virtio_blk.c): a queue, or one for each group of CPUs. */
import { BLK, BLK_F_MQ, blockRequest } from '../../../abi/virtio.ts';
import type { Plain } from '../../../core/state.ts';
import type { LinuxCpu } from '../entry.ts';
import type { NativeKernel } from '../native.ts';
import { type Io, ioOf } from './io.ts';
import { RequestDriver } from './requests.ts';
import { groupOf, spread, type VirtioPlace, VirtioTransport } from './virtio.ts';

const COMPLETE = 1_200;
/** sectors of each request: a page of memory */
const SECTORS = 8;
const NUM_QUEUES = 34;

export class VirtioBlkDriver extends RequestDriver {
  private readonly transport: VirtioTransport;
  /** per queue: the commands of its descriptors, and those that found it full */
  private readonly tokens: number[][];
  private readonly waiting: number[][];

  constructor(
    private readonly native: NativeKernel,
    name: string,
    place: VirtioPlace,
    protected readonly queues: number,
  ) {
    super(native, name);
    this.tokens = Array.from({ length: queues }, () => []);
    this.waiting = this.tokens.map(() => []);
    const specs = this.tokens.map((_, n) => ({
      name: `req.${n}`,
      callback: (cpu: LinuxCpu) => this.done(cpu, n),
      cost: () => COMPLETE * this.transport.queues[n]!.waiting,
      cpus: spread(native.cpuCount, queues, n),
    }));
    this.transport = new VirtioTransport(native, name, place, specs, (cpu) => this.changed(cpu));
  }

  probe(): void {
    this.transport.probe([BLK_F_MQ]);
    this.transport.readConfig(ioOf(this.native.cpus[0]!), NUM_QUEUES, 2);
  }

  /** virtio_queue_rq on the CPU's own queue. */
  protected start(cpu: LinuxCpu, command: number): void {
    const n = groupOf(this.native.cpuCount, this.queues, cpu.cpu);
    this.queue(ioOf(cpu), n, [command]);
  }

  /** Requests that come together are notified together; a full queue is tried again when something is done. */
  private queue(io: Io, n: number, commands: readonly number[]): void {
    const queue = this.transport.queues[n]!;
    for (const command of commands) {
      if (queue.free.length === 0) this.waiting[n]!.push(command);
      else this.tokens[n]![queue.add(blockRequest(BLK.in, SECTORS))] = command;
    }
    this.transport.kick(io, n);
  }

  /** virtblk_done. */
  private done(cpu: LinuxCpu, n: number): void {
    const queue = this.transport.queues[n]!;
    do {
      queue.disableCallbacks();
      for (let head = queue.take(); head >= 0; head = queue.take())
        this.completed(cpu, this.tokens[n]![head]!);
    } while (!queue.enableCallbacks());
    if (this.waiting[n]!.length > 0) this.queue(ioOf(cpu), n, this.waiting[n]!.splice(0));
  }

  /** virtblk_config_changed: how large is it now? */
  private changed(cpu: LinuxCpu): void {
    this.transport.readConfig(ioOf(cpu), 0, 4);
  }

  override save(): Plain {
    return [super.save(), this.tokens.map((t) => Array.from(t, (n) => n ?? 0)), this.waiting];
  }

  override restore(state: Plain): void {
    const [base, tokens, waiting] = state as [Plain, number[][], number[][]];
    super.restore(base);
    tokens.forEach((t, n) => {
      this.tokens[n] = [...t];
      this.waiting[n] = [...waiting[n]!];
    });
  }
}
