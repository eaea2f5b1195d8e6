/** Network drivers on a native kernel: NAPI over virtio's queues and over the 82540EM. */
import { describe, expect, test } from 'vitest';
import { LAYOUT } from '../../../engine/abi/virtio.ts';
import { E1000Card } from '../../../engine/devices/pc/e1000.ts';
import { VirtioNet } from '../../../engine/devices/pc/virtio-net.ts';
import { E1000Driver } from '../../../engine/guest/linux/drivers/e1000.ts';
import { VirtioNetDriver } from '../../../engine/guest/linux/drivers/virtio-net.ts';
import { KERNELS } from '../../../engine/guest/linux/profiles.ts';
import { DriverRig } from '../../support/driver-rig.ts';

const range = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);

describe('virtio_net', () => {
  interface Options {
    readonly cpus?: number;
    readonly pairs?: number;
    readonly kernel?: keyof typeof KERNELS;
    /** the host's side looks at send queues by itself, at once */
    readonly prompt?: boolean;
    readonly msix?: boolean;
  }

  function rig({ cpus = 1, pairs = 1, kernel = 'linux-6.1', prompt = true, msix = true }: Options = {}) {
    const r = new DriverRig(KERNELS[kernel], cpus);
    const out: number[] = [];
    const got: [packet: number, cpu: number][] = [];
    const backend = {
      kick: (queue: number) => {
        if (prompt) device.process(queue);
      },
      transmit: (_queue: number, packet: number) => out.push(packet),
    };
    const place = { devfn: 4 << 3, msixBase: 0xfebd_0000, base: 0xfe00_0000, memory: r.memory };
    const device: VirtioNet = new VirtioNet(
      'virtio0',
      { ...place, intx: r.line(11), send: r.send },
      pairs,
      backend,
    );
    r.add(device);
    r.addFunction(device.fn);
    const driver = new VirtioNetDriver(
      r.kernel,
      'virtio0',
      { devfn: 4 << 3, memory: r.memory, gsi: 11, msix },
      pairs,
      (cpu, packet) => got.push([packet, cpu.cpu]),
    );
    driver.probe();
    r.run(10);
    r.took();
    const packets = () => got.map(([packet]) => packet);
    const xmit = (...list: number[]) => {
      for (const packet of list) driver.xmit(r.kernel.cpus[0]!, packet);
    };
    return Object.assign(r, { device, driver, out, got, packets, xmit });
  }

  test('has rows for configuration, input and output; the control queue has none', () => {
    const r = rig();
    const rows = r.kernel.interruptsFile().rows.filter((row) => row.chip === 'PCI-MSI');
    expect(rows.map((row) => [row.irq, row.hwirq, row.actions[0]])).toEqual([
      [24, 65_536, 'virtio0-config'],
      [25, 65_537, 'virtio0-input.0'],
      [26, 65_538, 'virtio0-output.0'],
    ]);
  });

  test('a packet is an interrupt without any access, and is polled by the softirq', () => {
    const r = rig();
    r.device.receive(7);
    r.run(100);
    expect([r.packets(), r.count('virtio0-input.0'), r.took()]).toEqual([[7], 1, []]);
    expect(r.kernel.softirqsFile().rows.find((s) => s.name === 'NET_RX')!.counts).toEqual([1]);
  });

  test('packets that come while it polls are no interrupts', () => {
    const r = rig({ kernel: 'linux-3.10' });
    for (const n of range(200)) {
      r.device.receive(n);
      r.run(0.5);
    }
    r.run(1_000);
    expect(r.packets()).toEqual(range(200));
    expect(r.count('virtio0-input.0')).toBeLessThan(20);
    r.device.receive(999);
    r.run(100);
    expect(r.packets()).toHaveLength(201);
  });

  test('buffers are given back in time: no packet is lost', () => {
    const r = rig();
    for (const n of range(2_000)) {
      r.device.receive(n);
      r.run(2);
    }
    r.run(1_000);
    expect([r.packets(), r.device.dropped]).toEqual([range(2_000), 0]);
    // the device has buffers, it wants to hear of no more
    expect(r.took()).toEqual([]);
  });

  test('a burst beyond the ring is lost at the device', () => {
    const r = rig();
    for (const n of range(300)) r.device.receive(n);
    r.run(10_000);
    expect([r.packets(), r.device.dropped]).toEqual([range(256), 44]);
    // then it hears of new buffers
    expect(r.took()).toEqual([`store ${(0xfe00_0000 + LAYOUT.notify).toString(16)} 0`]);
  });

  test.each([
    ['by NAPI where each CPU has its queue', { cpus: 1, pairs: 1 }],
    ['with the next one where it has not', { cpus: 2, pairs: 1 }],
    ['with flags alone', { cpus: 1, pairs: 1, kernel: 'linux-3.10' as const }],
  ])('sent packets are freed %s', (_name, options) => {
    const r = rig(options);
    for (const n of range(1_000)) {
      r.xmit(n);
      r.run(10);
    }
    r.run(1_000);
    expect([r.out, r.driver.dropped]).toEqual([range(1_000), 0]);
  });

  test.each([
    ['NAPI', { cpus: 1, pairs: 1 }],
    ['callbacks', { cpus: 2, pairs: 1 }],
    ['flags', { cpus: 1, pairs: 1, kernel: 'linux-3.10' as const }],
  ])('a full queue stops and goes on when the host has looked (%s)', (_name, options) => {
    const r = rig({ ...options, prompt: false });
    r.xmit(...range(600));
    expect(r.out).toEqual([]);
    for (let n = 0; n < 10; n++) {
      r.device.process(1);
      r.run(1_000);
    }
    expect([r.out, r.count('virtio0-output.0') > 0]).toEqual([range(600), true]);
  });

  test('packets beyond the queue in front are dropped', () => {
    const r = rig({ prompt: false });
    r.xmit(...range(1_500));
    // 238 in the ring, 1,000 in front of it
    expect(r.driver.dropped).toBe(1_500 - 1_000 - 238);
  });

  test('several pairs are asked for by the control queue, and packets spread', () => {
    const r = rig({ cpus: 2, pairs: 2 });
    expect(r.device.inspect().active).toBe(2);
    for (const n of range(10)) r.device.receive(n);
    r.run(1_000);
    expect(
      [r.row('virtio0-input.0'), r.row('virtio0-input.1')].map((row) => row.counts.some((n) => n > 0)),
    ).toEqual([true, true]);
    expect(r.packets().sort((a, b) => a - b)).toEqual(range(10));
  });

  test('a change of the link is looked at by a worker', () => {
    const r = rig();
    r.device.setLink(false);
    r.run(100);
    expect([r.count('virtio0-config'), r.driver.linkChecks]).toEqual([1, 1]);
    expect(r.took()).toEqual([`load ${(0xfe00_0000 + LAYOUT.device + 6).toString(16)}`]);
  });

  test('with one line for all, a change of the link alone is "not mine"', () => {
    const r = rig({ msix: false });
    r.device.setLink(false);
    r.run(100);
    expect([r.driver.linkChecks, r.kernel.irqs.descs[11]!.unhandled]).toEqual([1, 1]);
    r.device.receive(4);
    r.run(100);
    expect([r.packets(), r.kernel.irqs.descs[11]!.unhandled]).toEqual([[4], 1]);
  });

  test('a copy goes on as the original does', () => {
    const [a, b] = [rig({ cpus: 2, pairs: 2 }), rig({ cpus: 2, pairs: 2 })];
    for (const n of range(20)) a.device.receive(n);
    a.xmit(...range(5));
    a.run(3);
    b.parts.restore(a.save());
    const before = a.got.length;
    for (const r of [a, b]) {
      for (const n of range(20, 20)) r.device.receive(n);
      r.run(1_000);
    }
    expect(b.got).toEqual(a.got.slice(before));
    expect(b.save()).toEqual(a.save());
  });
});

describe('e1000', () => {
  const BASE = 0xfeb8_0000;
  const at = (register: number) => (BASE + register).toString(16);

  function rig() {
    const r = new DriverRig();
    const out: number[] = [];
    const got: number[] = [];
    let prompt = true;
    const backend = {
      kick: () => {
        if (prompt) card.process(0);
      },
      transmit: (_queue: number, packet: number) => out.push(packet),
    };
    const place = { devfn: 3 << 3, base: BASE, memory: r.memory };
    const card: E1000Card = new E1000Card('eth0', r.clock, { ...place, intx: r.line(11) }, backend);
    r.add(card);
    r.addFunction(card.fn);
    const driver = new E1000Driver(
      r.kernel,
      'eth0',
      { devfn: 3 << 3, memory: r.memory, gsi: 11 },
      (_cpu, packet) => got.push(packet),
    );
    driver.probe();
    r.run(10);
    r.took();
    const xmit = (...list: number[]) => {
      for (const packet of list) driver.xmit(r.kernel.cpus[0]!, packet);
    };
    const slow = () => {
      prompt = false;
    };
    return Object.assign(r, { card, driver, out, got, xmit, slow });
  }

  test('the handler reads ICR and masks; the poll gives back and unmasks', () => {
    const r = rig();
    r.card.receive(7);
    r.run(100);
    expect(r.took()).toEqual([
      `load ${at(0xc0)}`,
      `store ${at(0xd8)} ffffffff`,
      `load ${at(0x08)}`,
      `store ${at(0x2818)} 0`,
      `store ${at(0xd0)} 9d`,
      `load ${at(0x08)}`,
    ]);
    expect([r.got, r.count('eth0'), r.card.inspect().mask]).toEqual([[7], 1, 0x9d]);
  });

  test('its row is a level of the IO-APIC', () => {
    expect(rig().row('eth0')).toMatchObject({ irq: 11, chip: 'IO-APIC', hwirq: 11, name: 'fasteoi' });
  });

  test('no packet is lost at a rate that it can take, and interrupts are at most 20,000 a second', () => {
    const r = rig();
    for (const n of range(5_000)) {
      r.card.receive(n);
      r.run(5);
    }
    r.run(1_000);
    expect([r.got, r.card.dropped]).toEqual([range(5_000), 0]);
    expect(r.count('eth0')).toBeLessThanOrEqual(20 * 26);
    expect(r.count('eth0')).toBeGreaterThan(300);
  });

  test('a burst beyond the ring is lost at the card', () => {
    const r = rig();
    for (const n of range(300)) r.card.receive(n);
    r.run(10_000);
    expect([r.got, r.card.dropped]).toEqual([range(255), 45]);
    r.card.receive(1_000);
    r.run(1_000);
    expect(r.got).toHaveLength(256);
  });

  test('sent packets make room; a full ring has a queue in front', () => {
    const r = rig();
    r.slow();
    r.xmit(...range(600));
    expect(r.took().filter((a) => a.startsWith(`store ${at(0x3818)}`))).toHaveLength(255);
    for (let n = 0; n < 5; n++) {
      r.card.process(0);
      r.run(1_000);
    }
    expect([r.out, r.driver.dropped]).toEqual([range(600), 0]);
    r.xmit(...range(1_500));
    expect(r.driver.dropped).toBe(1_500 - 1_000 - 255);
  });

  test('a change of the link is looked at', () => {
    const r = rig();
    r.card.setLink(false);
    r.run(100);
    expect([r.driver.linkChecks, r.count('eth0')]).toEqual([1, 1]);
  });

  test('an interrupt of another device on its line is "not mine"', () => {
    const r = rig();
    r.ioapic.setIrq(11, true, 1);
    r.run(1);
    r.ioapic.setIrq(11, false, 1);
    r.run(100);
    const accesses = r.took();
    expect(accesses.length).toBeGreaterThan(0);
    expect(new Set(accesses)).toEqual(new Set([`load ${at(0xc0)}`]));
    expect(r.kernel.irqs.descs[11]!.unhandled).toBe(accesses.length);
  });

  test('a copy goes on as the original does', () => {
    const [a, b] = [rig(), rig()];
    for (const n of range(100)) a.card.receive(n);
    a.xmit(1, 2, 3);
    a.run(20);
    b.parts.restore(a.save());
    const before = a.got.length;
    for (const r of [a, b]) {
      r.card.receive(500);
      r.run(2_000);
    }
    expect(b.got).toEqual(a.got.slice(before));
    expect(b.got.length).toBeGreaterThan(10);
    expect(b.save()).toEqual(a.save());
  });
});
