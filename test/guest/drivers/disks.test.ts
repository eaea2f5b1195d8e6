/** Disk drivers on a native kernel: IDE channels of a PIIX, and virtio with one queue or several. */
import { describe, expect, test } from 'vitest';
import { LAYOUT } from '../../../engine/abi/virtio.ts';
import { Stream } from '../../../engine/core/rng.ts';
import { AtaChannel } from '../../../engine/devices/pc/ata.ts';
import { type BlockDevice, TimedBackend } from '../../../engine/devices/pc/backend.ts';
import { VirtioBlk } from '../../../engine/devices/pc/virtio-blk.ts';
import { AtaPiix, AtaPort } from '../../../engine/guest/linux/drivers/ata-piix.ts';
import { ioOf } from '../../../engine/guest/linux/drivers/io.ts';
import type { RequestDriver } from '../../../engine/guest/linux/drivers/requests.ts';
import { VirtioBlkDriver } from '../../../engine/guest/linux/drivers/virtio-blk.ts';
import { KERNELS } from '../../../engine/guest/linux/profiles.ts';
import { DriverRig } from '../../support/driver-rig.ts';

/** A disk whose requests all take 100 us. */
function backend(r: DriverRig, name: string) {
  const rng = r.add(new Stream(1, name));
  return r.add(new TimedBackend(name, r.clock, rng, { least: 100_000, extra: 0 }));
}

/** Who makes requests and hears of their end. */
function user(r: DriverRig, disk: RequestDriver) {
  const done: [tag: number, cpu: number][] = [];
  const owner = disk.owner((cpu, tag) => done.push([tag, cpu.cpu]));
  const submit = (cpu: number, ...tags: number[]) => {
    for (const tag of tags) disk.submit(r.kernel.cpus[cpu]!, owner, tag);
  };
  return { done, submit };
}

describe('ata_piix', () => {
  function rig(cpus = 1) {
    const r = new DriverRig(KERNELS['linux-6.1'], cpus);
    const channels = [14, 15].map((pin, n) => {
      const b = backend(r, `disk${n}`);
      const channel = r.add(new AtaChannel(`ide${n}`, r.line(pin), b));
      b.attach(channel as BlockDevice);
      r.bus.addPorts(n === 0 ? 0x1f0 : 0x170, 8, channel.commandBlock);
      r.bus.addPorts(n === 0 ? 0x3f6 : 0x376, 1, channel.controlBlock);
      r.bus.addPorts(0xc040 + 8 * n, 8, channel.busMaster);
      return channel;
    });
    const ports = [
      new AtaPort(r.kernel, 'ata0', { command: 0x1f0, control: 0x3f6, busMaster: 0xc040 }),
      new AtaPort(r.kernel, 'ata1', { command: 0x170, control: 0x376, busMaster: 0xc048 }),
    ];
    const driver = new AtaPiix(ports);
    for (const gsi of [14, 15]) {
      r.kernel.controllers.requestGsi(gsi, { level: false, name: 'ata_piix', work: driver.interrupt });
    }
    driver.probe(ioOf(r.kernel.cpus[0]!));
    r.run(10);
    r.took();
    return Object.assign(r, { channels, ports, driver, users: ports.map((p) => user(r, p)) });
  }

  test('a command by DMA: task file, table, start', () => {
    const r = rig();
    r.users[0]!.submit(0, 1);
    const first = ['in 1f7', 'out 1f6 e0', 'in 3f6', 'in 1f7'];
    const upper = ['out 1f1 0', 'out 1f2 0', 'out 1f3 0', 'out 1f4 0', 'out 1f5 0'];
    const lower = ['out 1f1 0', 'out 1f2 8', 'out 1f3 0', 'out 1f4 0', 'out 1f5 0'];
    const setup = ['out 1f6 e0', 'in 1f7', 'out c044 70000', 'in c040', 'out c040 8'];
    const start = ['out 1f7 25', 'in 3f6', 'in c040', 'out c040 9'];
    expect(r.took()).toEqual([...first, ...upper, ...lower, ...setup, ...start]);
  });

  test('its interrupt: bus master status, stop, both status registers, acknowledgement', () => {
    const r = rig();
    r.users[0]!.submit(0, 7);
    r.took();
    r.run(1_000);
    expect(r.took()).toEqual([
      'in c042',
      'in c040',
      'out c040 8',
      'in 3f6',
      'in 3f6',
      'in 1f7',
      'in c042',
      'out c042 64',
    ]);
    expect([r.users[0]!.done, r.kernel.irqs.descs[14]!.counts]).toEqual([[[7, 0]], [1]]);
    expect(r.channels[0]!.inspect()).toMatchObject({ intrq: false, bmStatus: 0x60 });
  });

  test('commands of a channel go one after the other, channels at once', () => {
    const r = rig();
    r.users[0]!.submit(0, 1, 2, 3);
    r.users[1]!.submit(0, 4);
    r.run(150);
    expect([r.users[0]!.done.length, r.users[1]!.done.length]).toEqual([1, 1]);
    r.run(1_000);
    expect(r.users[0]!.done.map(([tag]) => tag)).toEqual([1, 2, 3]);
    expect([14, 15].map((irq) => r.kernel.irqs.descs[irq]!.counts[0])).toEqual([3, 1]);
  });

  test('an owner that asks for more when something ends is served', () => {
    const r = rig();
    let left = 5;
    const owner = r.ports[0]!.owner((cpu, tag) => {
      if (--left > 0) r.ports[0]!.submit(cpu, owner, tag);
    });
    r.ports[0]!.submit(r.kernel.cpus[0]!, owner, 1);
    r.run(10_000);
    expect([left, r.kernel.irqs.descs[14]!.counts]).toEqual([0, [5]]);
  });

  test("INTRQ without a command is nobody's", () => {
    const r = rig();
    r.channels[0]!.fire();
    r.run(100);
    expect([r.took(), r.kernel.irqs.descs[14]!.unhandled]).toEqual([[], 1]);
  });

  test('a request ends on the CPU that made it', () => {
    const r = rig(2);
    r.users[0]!.submit(1, 1);
    r.run(1_000);
    expect(r.users[0]!.done).toEqual([[1, 1]]);
    expect(r.kernel.interruptsFile().arch.find((a) => a.label === 'CAL')!.counts).toEqual([0, 1]);
  });

  test('a copy goes on as the original does', () => {
    const [a, b] = [rig(), rig()];
    a.users[0]!.submit(0, 1, 2);
    a.run(120);
    b.parts.restore(a.save());
    for (const r of [a, b]) r.run(1_000);
    expect(b.users[0]!.done).toEqual([[2, 0]]);
    expect(b.save()).toEqual(a.save());
  });
});

describe('virtio_blk', () => {
  interface Options {
    readonly cpus?: number;
    readonly queues?: number;
    readonly msix?: boolean;
    readonly kernel?: keyof typeof KERNELS;
  }

  function rig({ cpus = 1, queues = 1, msix = true, kernel = 'linux-6.1' }: Options = {}) {
    const r = new DriverRig(KERNELS[kernel]!, cpus);
    const b = backend(r, 'disk');
    const place = { devfn: 6 << 3, msixBase: 0xfebd_0000, base: 0xfe00_0000, memory: r.memory };
    const device = r.add(new VirtioBlk('virtio1', { ...place, intx: r.line(11), send: r.send }, queues, b));
    b.attach(device);
    r.addFunction(device.fn);
    const driver = new VirtioBlkDriver(
      r.kernel,
      'virtio1',
      { devfn: 6 << 3, memory: r.memory, gsi: 11, msix },
      queues,
    );
    driver.probe();
    r.run(10);
    r.took();
    return Object.assign(r, { device, driver, ...user(r, driver) });
  }

  const NOTIFY = (0xfe00_0000 + LAYOUT.notify).toString(16);

  test("has a row for its configuration and one for each queue, as the function's messages", () => {
    const r = rig({ cpus: 4, queues: 4 });
    const rows = r.kernel.interruptsFile().rows.filter((row) => row.chip === 'PCI-MSI');
    expect(rows.map((row) => [row.irq, row.hwirq, row.name, row.actions[0]])).toEqual([
      [24, 98_304, 'edge', 'virtio1-config'],
      [25, 98_305, 'edge', 'virtio1-req.0'],
      [26, 98_306, 'edge', 'virtio1-req.1'],
      [27, 98_307, 'edge', 'virtio1-req.2'],
      [28, 98_308, 'edge', 'virtio1-req.3'],
    ]);
  });

  test('a request is one store, its end one interrupt without any access', () => {
    const r = rig();
    r.submit(0, 5);
    expect(r.took()).toEqual([`store ${NOTIFY} 0`]);
    r.run(1_000);
    expect([r.took(), r.done, r.count('virtio1-req.0')]).toEqual([[], [[5, 0]], 1]);
  });

  test('each CPU uses the queue of its group, whose interrupt comes to that group', () => {
    const r = rig({ cpus: 4, queues: 2 });
    for (let cpu = 0; cpu < 4; cpu++) {
      r.submit(cpu, cpu);
      r.run(1_000);
    }
    expect(r.done.sort()).toEqual([0, 1, 2, 3].map((n) => [n, n]));
    const counts = [0, 1].map((n) => r.row(`virtio1-req.${n}`).counts);
    expect(counts.map((c) => c.reduce((a, b) => a + b, 0))).toEqual([2, 2]);
    expect([counts[0]!.slice(2), counts[1]!.slice(0, 2)]).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('what ends together is one interrupt', () => {
    const r = rig();
    r.submit(0, 1, 2, 3, 4);
    r.run(1_000);
    expect([r.done.length, r.count('virtio1-req.0')]).toEqual([4, 1]);
  });

  test('more requests than descriptors wait for their turn', () => {
    const r = rig();
    r.submit(0, ...Array.from({ length: 300 }, (_, n) => n));
    r.run(150);
    expect(r.done.length).toBe(256);
    r.run(5_000);
    expect(r.done.map(([tag]) => tag)).toEqual(Array.from({ length: 300 }, (_, n) => n));
  });

  test('a change of its size has the other row', () => {
    const r = rig();
    r.device.fire();
    r.run(100);
    expect([r.count('virtio1-config'), r.count('virtio1-req.0')]).toEqual([1, 0]);
    expect(r.took()).toEqual([`load ${(0xfe00_0000 + LAYOUT.device).toString(16)}`]);
  });

  test.each([
    ['event indices', 'linux-6.1'],
    ['flags', 'linux-3.10'],
  ] as const)('with %s and without MSI-X the ISR status tells whose the line is', (_name, kernel) => {
    const r = rig({ msix: false, kernel });
    r.submit(0, 5);
    r.took();
    r.run(1_000);
    expect(r.took()).toEqual([`load ${(0xfe00_0000 + LAYOUT.isr).toString(16)}`]);
    expect([r.done, r.count('virtio1')]).toEqual([[[5, 0]], 1]);
  });

  test('a line that another device holds is not its own', () => {
    const r = rig({ msix: false });
    r.ioapic.setIrq(11, true, 1);
    r.run(5);
    expect(r.kernel.irqs.descs[11]!.unhandled).toBeGreaterThan(0);
    r.ioapic.setIrq(11, false, 1);
    r.run(100);
    r.submit(0, 5);
    r.run(1_000);
    expect(r.done).toEqual([[5, 0]]);
  });

  test('a copy goes on as the original does', () => {
    const [a, b] = [rig({ cpus: 2, queues: 2 }), rig({ cpus: 2, queues: 2 })];
    a.submit(0, 1, 2);
    a.submit(1, 3);
    a.run(50);
    b.parts.restore(a.save());
    for (const r of [a, b]) r.run(1_000);
    expect(b.done).toEqual(a.done);
    expect(b.done.length).toBe(3);
    expect(b.save()).toEqual(a.save());
  });
});
