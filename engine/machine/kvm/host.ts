/** A KVM host while it is put together: the bare machine, its kernel, KVM in it, and the virtual machines. */

import type { SourceId } from '../../core/books.ts';
import type { LinuxCpu } from '../../guest/linux/entry.ts';
import { NativeKernel } from '../../guest/linux/native.ts';
import { KERNELS } from '../../guest/linux/profiles.ts';
import type { Thread } from '../../guest/linux/threads.ts';
import type { Disk } from '../../guest/linux/xen-drivers/block.ts';
import { domainOf, FROM_GUEST, packetOf } from '../../guest/linux/xen-drivers/net.ts';
import type { HaltPollOptions } from '../../hv/kvm/halt-poll.ts';
import { POSTED_INTR_VECTOR } from '../../hv/kvm/host.ts';
import { Kvm } from '../../hv/kvm/kvm.ts';
import { INTEL_LAPIC } from '../../hw/x86/lapic-options.ts';
import { msiDestination } from '../../hw/x86/msi.ts';
import { TSC_KHZ } from '../../hw/x86/physical-lapic.ts';
import { vmName } from '../../scenario/kvm-rules.ts';
import type { KvmScenario } from '../../scenario/kvm-schema.ts';
import { timing } from '../../timing.ts';
import type { Workshop } from '../machine.ts';
import { Board } from './board.ts';
import { type Fired, HostDevices } from './host-devices.ts';
import { VmParts } from './vm.ts';

const RESCHEDULE_VECTOR = 0xfd;

/** Parameters of the module, as that version has them: 2.6.36 does not poll. */
function haltPollOf(s: KvmScenario): HaltPollOptions {
  return {
    most: s['halt-poll-ns'] ?? (s.kvm === '6.1' ? 200_000 : 0),
    grow: s['halt-poll-ns-grow'],
    growStart: s['halt-poll-ns-grow-start'],
    shrink: s['halt-poll-ns-shrink'],
  };
}

export class KvmHost {
  readonly board: Board;
  readonly kernel: NativeKernel;
  readonly kvm: Kvm;
  readonly devices: HostDevices;
  readonly vms: VmParts[] = [];
  readonly everyCpu: readonly number[];
  /** of the virtual CPUs, by their index */
  readonly threads: Thread[] = [];
  /** the first disk has a partition to swap to; undefined: there is no disk */
  readonly swap: { submit(cpu: LinuxCpu, tag: number): void } | undefined;
  /** per machine: jobs that a packet on its way will tell QEMU of, in order */
  private readonly console: [job: number, journey: number][][] = [];
  /** opened when there is such work first */
  private kvmWork: SourceId | undefined;

  constructor(
    readonly shop: Workshop,
    readonly scenario: KvmScenario,
  ) {
    const { parts, books, trace } = shop;
    this.everyCpu = Array.from({ length: scenario.cpus }, (_, i) => i);
    this.board = new Board(shop, scenario.cpus);
    const { board } = this;
    const modern = scenario.kvm === '6.1';
    this.kernel = new NativeKernel({
      id: 'host',
      domain: 0,
      profile: KERNELS[scenario.host.kernel],
      vcpus: board.processors,
      books,
      trace,
      parts,
      nrIrqs: 24 * 17 + 16 + 8 * scenario.cpus,
      x2apic: modern,
      timer: modern ? 'tsc-deadline' : 'lapic',
      tscKhz: TSC_KHZ,
      apicCycle: INTEL_LAPIC.busCycle,
      ...(scenario.host.idle === 'mwait' && {
        wakeFromMwait: (cpu: number, from: LinuxCpu) => {
          const processor = board.processors[cpu]!;
          if (processor.idle) processor.monitorStore(from.now);
          return processor.idle;
        },
      }),
      slot: (cpu, vector) => board.slot(cpu, vector),
      destination: (cpu, vector) => board.destination(cpu, vector),
    });
    board.processors.forEach((p, i) => {
      p.entry = this.kernel.cpus[i]!;
    });
    this.kvm = new Kvm(
      shop,
      {
        version: scenario.kvm,
        ackOnExit: scenario['ack-on-exit'] ?? modern,
        apicv: scenario.apicv,
        posted: scenario.posted,
        preemptionTimer: scenario['preemption-timer'] ?? modern,
        ept: scenario.ept,
        sviUpdate: scenario['svi-update'],
        haltPoll: haltPollOf(scenario),
        resample: scenario.resample,
      },
      board.wiring,
    );
    this.connect();
    this.devices = new HostDevices(shop, board, this.kernel, (cpu, packet) => this.bridge(cpu, packet));
    this.bootHost();
    this.swap = this.swapDevice();
    scenario.vms.forEach((spec, i) => {
      this.console.push([]);
      this.vms.push(new VmParts(this, spec, i + 1, vmName(spec, i)));
    });
    this.kvm.ready(shop);
    shop.parts.add({
      id: 'console',
      save: () => this.console,
      restore: (state) => {
        (state as unknown as [number, number][][]).forEach((jobs, i) => {
          this.console[i]!.splice(0, Infinity, ...jobs);
        });
      },
    });
    for (const vm of this.vms) vm.boot();
    for (const v of this.kvm.vcpus) this.kvm.exits.drop(v.index);
    this.makeThreads();
  }

  /** What KVM has of the host's kernel. */
  private connect(): void {
    const { kernel, kvm, board } = this;
    const cpuOf = (on: { readonly processor: number }) => kernel.cpus[on.processor]!;
    const { books } = this.shop;
    const notification = books.sourceOf('posted interrupts');
    kvm.host = {
      wake: (vcpu, on) => {
        const thread = this.threads[vcpu]!;
        kernel.wake(thread, cpuOf(on));
        if (!board.wiring.here && board.processors[thread.cpu]!.idle) this.fromNowhere(thread.cpu);
      },
      reschedule: (cpu, on) => {
        if (board.wiring.here) kernel.sendIpi('resched', cpu, cpuOf(on));
        else this.fromNowhere(cpu);
      },
      journeyOf: (cpu, vector) => {
        const slot = board.slot(cpu, vector);
        return books.holds(slot) ? books.journeyIn(slot) : 0;
      },
      needResched: (cpu) => kernel.cpus[cpu]!.needResched(),
      singleTaskRunning: (cpu) => kernel.cpus[cpu]!.runq.length === 0,
      spinOver: (vcpu) => kernel.cpus[this.threads[vcpu]!.cpu]!.stored(kvm.now),
      sendIpi: (cpu, vector, on) => {
        const { source, journey } = books;
        books.source = notification;
        kernel.sendVector(vector, cpu, cpuOf(on));
        books.source = source;
        books.journey = journey;
      },
      readPage: (vcpu, on) => this.swap!.submit(cpuOf(on), vcpu),
      hrtimer: (run) => {
        const timer = kernel.time.hrtimer((cpu) => run(board.processors[cpu.cpu]!));
        return {
          set: (when, on) => kernel.time.setHard(timer, when, cpuOf(on)),
          cancel: () => kernel.time.cancelHard(timer),
        };
      },
    };
    kvm.posted.notify = (cpu, vector) => {
      books.source = notification;
      board.bus.send(null, cpu, false, 0, vector, true, false, 0, false);
    };
    kvm.posted.acknowledged = (cpu) => {
      books.deliver(board.slot(cpu, POSTED_INTR_VECTOR));
    };
    kernel.posted.wakeup = (cpu) => kvm.posted.wakeupHandler(board.processors[cpu.cpu]!);
  }

  /**
   * A reschedule interrupt that no CPU sends: work of KVM that happens at its time without a thread of its own, the
   * PIT's ticks and level interrupts that were put off.
   */
  private fromNowhere(cpu: number): void {
    const { books } = this.shop;
    const { source, journey } = books;
    this.kvmWork ??= books.sourceOf('kvm work');
    books.begin(this.kvmWork);
    this.board.bus.send(null, cpu, false, 0, RESCHEDULE_VECTOR, true, false, 0, false);
    books.source = source;
    books.journey = journey;
  }

  private bootHost(): void {
    const { kernel } = this;
    kernel.controllers.start();
    for (const cpu of kernel.cpus) kernel.startCpu(cpu);
    kernel.controllers.requestTimer('timer', kernel.time.interrupt);
    for (const spec of this.scenario.host.devices) this.devices.probe(spec);
  }

  private swapDevice() {
    const [disk] = this.devices.disks.values();
    if (!disk) return undefined;
    const { kvm, board } = this;
    const owner = disk.owner((cpu, vcpu) => kvm.vcpus[vcpu]!.pages.arrived(board.processors[cpu.cpu]!));
    return { submit: (cpu: LinuxCpu, vcpu: number) => disk.submit(cpu, owner, vcpu) };
  }

  /** A thread for each virtual CPU. */
  private makeThreads(): void {
    const { kvm, kernel, board } = this;
    for (const { vm, allowed, name } of this.vms) {
      for (const v of vm.vcpus) {
        const work = {
          cost: () => (v.halt.polling ? v.halt.left : timing.hostGate),
          spins: () => v.halt.polling,
          run: (cpu: LinuxCpu) => kvm.run.step(v, board.processors[cpu.cpu]!),
          preempted: () => kvm.run.preempted(v),
        };
        const thread = kernel.thread(`${name} CPU ${v.vcpu}/KVM`, v.on.processor, work, allowed);
        this.threads[v.index] = thread;
      }
    }
  }

  /** Everything begins to run. */
  start(): void {
    for (const processor of this.board.processors) processor.start();
    for (const thread of this.threads) this.kernel.wake(thread, this.kernel.cpus[thread.cpu]!);
  }

  /** The CPU whose code runs; the first one outside. */
  cpuHere(): LinuxCpu {
    return this.kernel.cpus[this.kvm.here.processor]!;
  }

  /** A device of the host, or `vm1.kbd`. */
  fired(name: string): Fired | undefined {
    for (const { fired } of [this.devices, ...this.vms]) {
      const device = fired.get(name);
      if (device) return device;
    }
    return undefined;
  }

  disk(name: string | undefined): Disk {
    const { disks } = this.devices;
    return (name === undefined ? [...disks.values()][0] : disks.get(name))!;
  }

  // the network

  /** A packet from the wire: for a machine's card, for QEMU, or for the host itself. */
  private bridge(cpu: LinuxCpu, packet: number): void {
    const number = domainOf(packet);
    const vm = this.vms[number - 1];
    if (!vm) return;
    if (packet & FROM_GUEST) {
      const next = this.console[number - 1]!.shift();
      if (next) vm.qemu.post(next[0], 0, 0, cpu, next[1]);
    } else vm.receivers[0]?.(packet, cpu);
  }

  /** A machine sends a packet. */
  transmit(packet: number): void {
    this.devices.nic?.driver.xmit(packet);
  }

  /** Something for QEMU to do, said over the network; the answer is the journey of that packet's interrupt. */
  toQemu(vm: VmParts, job: number): number {
    const { nic } = this.devices;
    if (!nic) {
      const journey = this.shop.books.begin(this.shop.books.sourceOf('user'));
      vm.qemu.post(job, 0, 0, this.cpuHere(), journey);
      return journey;
    }
    // what the card has no room for is lost, and QEMU never hears of it
    const { full } = nic.card;
    const journey = nic.card.fire(packetOf(vm.number, 0, FROM_GUEST));
    if (!full) this.console[vm.number - 1]!.push([job, journey]);
    return journey;
  }

  // devices given to a machine

  /**
   * How a message of such a device comes: posted by the IOMMU, or as an interrupt of the host whose handler signals
   * an irqfd. The answer raises it.
   */
  passedThrough(
    vm: VmParts,
    name: string,
    to: { readonly address: number; readonly data: number; readonly masked: boolean },
  ): () => number {
    const { books, trace, clock } = this.shop;
    const source = books.sourceOf(`${vm.name}.${name}`);
    const tpRaise = trace.point('irq_raise', 'irq', 'source');
    if (this.kvm.options.posted) {
      return () => {
        const journey = books.begin(source);
        trace.emit(tpRaise, clock.now, journey, -1, -1, source);
        const v = vm.vm.vcpus[msiDestination(to.address, 0, false)];
        if (v && !to.masked) this.kvm.posted.fromDevice(v, to.data & 0xff);
        else books.ignore(books.destinationOf(`${vm.name} msi`), 'masked');
        return journey;
      };
    }
    return this.devices.remapped(`vfio-msix[${name}]`, () => {
      this.kvm.carried = books.journey;
      vm.vm.message(source, to.address, 0, to.data);
      this.kvm.carried = 0;
    });
  }
}
