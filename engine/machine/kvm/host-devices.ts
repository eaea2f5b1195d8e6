/** The hardware of a KVM host and its drivers, in the order in which they are found. */
import type { SourceId } from '../../core/books.ts';
import { us } from '../../core/clock.ts';
import type { Tracepoint } from '../../core/trace.ts';
import { Disk } from '../../devices/disk.ts';
import { Nic } from '../../devices/nic.ts';
import { DiskDriver } from '../../guest/linux/drivers/disk.ts';
import { NicDriver } from '../../guest/linux/drivers/nic.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import type { IrqDesc, Work } from '../../guest/linux/irq-core.ts';
import type { NativeKernel } from '../../guest/linux/native.ts';
import type { HostDeviceSpec } from '../../scenario/kvm-schema.ts';
import { timing } from '../../timing.ts';
import type { Workshop } from '../machine.ts';
import { MessageRegister } from '../message-register.ts';
import type { Board } from './board.ts';

/** A device as keys and workloads know it. */
export interface Fired {
  readonly name: string;
  readonly title: string;
  /** the answer is the journey of what it raised first */
  fire(): number;
}

const READ_STATUS: Work = { cost: () => timing.shortHandler, run: () => {} };

export class HostDevices {
  readonly fired = new Map<string, Fired>();
  readonly disks = new Map<string, DiskDriver>();
  nic: { readonly card: Nic; readonly driver: NicDriver } | undefined;
  /** by interrupt number of the host's kernel: raises it as its device does */
  readonly raises = new Map<number, () => number>();
  private nextFunction = 3;
  private readonly tpRaise: Tracepoint;

  /** @param deliver what becomes of packets from the wire */
  constructor(
    private readonly shop: Workshop,
    private readonly board: Board,
    private readonly kernel: NativeKernel,
    private readonly deliver: (cpu: LinuxCpu, packet: number) => void,
  ) {
    this.tpRaise = shop.trace.point('irq_raise', 'irq', 'source');
  }

  probe(spec: HostDeviceSpec): void {
    switch (spec.driver) {
      case 'line':
        this.line(spec.as ?? spec.name, spec.name, spec.gsi, spec.level);
        return;
      case 'i8042':
        this.line('mouse', 'i8042', spec.aux, false, 'PS/2 mouse');
        this.line('kbd', 'i8042', spec.kbd, false, 'keyboard');
        return;
      case 'nvme':
        this.nvme(spec);
        return;
      case 'ahci': {
        const device = this.function(spec.name);
        const [raise, ready] = this.message(device, 0);
        this.reach(spec.as ?? spec.name, () => this.kernel.controllers.rowsOf(device), [spec.name]);
        const disk = this.disk(spec.as ?? spec.name, [raise], spec);
        ready(spec.name, disk.interrupt(0));
        return;
      }
      case 'e1000e':
        this.e1000e(spec);
        return;
      case 'msix': {
        const device = this.function();
        const messages = Array.from({ length: spec.messages }, (_, n) => this.message(device, n));
        for (const [, ready] of messages) ready(spec.name, READ_STATUS);
        this.register(spec.as ?? spec.name, spec.name, messages[0]![0]);
        this.reach(spec.as ?? spec.name, () => this.kernel.controllers.rowsOf(device), [spec.name]);
      }
    }
  }

  /** Bus, device and function: where its name tells, as `ahci[0000:00:1f.2]` does, or the next free device. */
  private function(name = ''): number {
    const [, bus, device, fn] = /\[[0-9a-f]{4}:([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])\]$/.exec(name) ?? [];
    if (bus === undefined) return this.nextFunction++ << 3;
    const hex = (digits: string) => Number.parseInt(digits, 16);
    return (hex(bus) << 8) | (hex(device!) << 3) | hex(fn!);
  }

  private register(name: string, title: string, raise: () => number): void {
    this.fired.set(name, { name, title, fire: raise });
  }

  private line(name: string, action: string, gsi: number, level: boolean, title = action): void {
    const { board, shop } = this;
    const source = shop.books.sourceOf(name);
    const work: Work = {
      cost: () => timing.shortHandler,
      run: () => {
        board.ioapic.setIrq(gsi, false);
      },
    };
    this.kernel.controllers.requestGsi(gsi, { level, name: action, work: level ? work : READ_STATUS });
    const raise = () => {
      const journey = this.begin(source, gsi);
      if (!level) board.ioapic.setIrq(gsi, false);
      const destination = shop.books.destinationOf(`host gsi ${gsi}`);
      const reached = board.ioapic.setIrq(gsi, true);
      if (reached === 0) shop.books.coalesce(destination);
      else if (reached < 0) shop.books.ignore(destination, 'masked');
      return journey;
    };
    if (!this.raises.has(gsi)) this.raises.set(gsi, raise);
    this.register(name, title, raise);
    this.reach(name, () => [gsi]);
  }

  /** Which rows of the host a device ends in, and in whose names it raises. */
  private reach(name: string, irqs: () => readonly number[], sources: readonly string[] = [name]): void {
    this.shop.reaches.set(name, { domain: 0, irqs, sources });
  }

  /** A device asks for an interrupt, known to the host by this number. */
  private begin(source: SourceId, irq: number): number {
    const { books, trace, clock } = this.shop;
    const journey = books.begin(source);
    trace.emit(this.tpRaise, clock.now, journey, -1, irq, source);
    return journey;
  }

  /** A message of a function: how to raise it, and what makes it ready. */
  private message(
    device: number,
    index: number,
    cpus?: readonly number[],
  ): [raise: () => number, ready: (name: string, work: Work) => IrqDesc] {
    const { board, kernel, shop } = this;
    const { books } = shop;
    const held = books.addSlots(1);
    const destination = books.destinationOf('host msi');
    // the pending bit of the table: it is sent once it may be
    const to: MessageRegister = shop.parts.add(
      new MessageRegister(`msi.${device}.${index}`, () => {
        if (books.handOn(held)) board.message(to.address, to.data);
      }),
    );
    const desc = kernel.controllers.allocMsi(device, index, to.write, cpus);
    let source = -1;
    const raise = () => {
      const journey = this.begin(source, desc.irq);
      if (to.masked) books.pend(held, destination);
      else board.message(to.address, to.data);
      return journey;
    };
    this.raises.set(desc.irq, raise);
    const ready = (name: string, work: Work) => {
      source = shop.books.sourceOf(name);
      kernel.controllers.request(desc, name, work);
      return desc;
    };
    return [raise, ready];
  }

  private disk(
    name: string,
    raises: (() => number)[],
    spec: { readonly least: number; readonly extra: number },
  ): DiskDriver {
    const { shop } = this;
    const service = { least: us(spec.least), extra: us(spec.extra) };
    const disk = shop.parts.add(new Disk(name, shop.clock, shop.rng.stream(name), raises, service));
    const driver = new DiskDriver(this.kernel, name, disk);
    this.disks.set(name, driver);
    this.fired.set(name, { name, title: 'disk', fire: () => disk.fire() });
    return driver;
  }

  /** The admin queue's message, then one for each I/O queue, spread over the CPUs. */
  private nvme(spec: Extract<HostDeviceSpec, { driver: 'nvme' }>): void {
    const device = this.function();
    const { cpuCount } = this.kernel;
    const [, adminReady] = this.message(device, 0);
    const queues = Array.from({ length: Math.min(spec.queues, cpuCount) }, (_, n) =>
      this.message(device, n + 1, [n]),
    );
    const driver = this.disk(
      spec.as ?? spec.name,
      queues.map(([raise]) => raise),
      spec,
    );
    const names = queues.map((_, n) => `${spec.name}q${n + 1}`);
    // the first message is the admin queue's
    this.reach(spec.as ?? spec.name, () => this.kernel.controllers.rowsOf(device).slice(1), names);
    adminReady(`${spec.name}q0`, READ_STATUS);
    queues.forEach(([, ready], n) => {
      ready(`${spec.name}q${n + 1}`, driver.interrupt(n));
    });
  }

  private e1000e(spec: Extract<HostDeviceSpec, { driver: 'e1000e' }>): void {
    const { shop } = this;
    const name = spec.as ?? spec.name;
    const device = this.function();
    const [rx, rxReady] = this.message(device, 0);
    const [tx, txReady] = this.message(device, 1);
    const [, otherReady] = this.message(device, 2);
    const card = shop.parts.add(new Nic(name, shop.clock, rx, tx, us(spec.moderation)));
    const driver = new NicDriver(this.kernel, name, card, this.deliver);
    const names = [`${spec.name}-rx-0`, `${spec.name}-tx-0`];
    this.reach(name, () => this.kernel.controllers.rowsOf(device).slice(0, 2), names);
    rxReady(`${spec.name}-rx-0`, driver.rxInterrupt);
    txReady(`${spec.name}-tx-0`, driver.txInterrupt);
    otherReady(spec.name, READ_STATUS);
    this.nic = { card, driver };
    this.fired.set(name, { name, title: 'network card', fire: () => card.fire(0) });
  }

  /** The message of a function that is given to a machine: its handler hands it on. The answer raises it. */
  remapped(name: string, handler: () => void): () => number {
    const [raise, ready] = this.message(this.function(), 0);
    ready(name, { cost: () => timing.shortHandler, run: handler });
    return raise;
  }
}
