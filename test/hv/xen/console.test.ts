/** Xen's serial console: characters for dom0 and for Xen, debug keys in tasklets, and the way of what Xen prints. */
import { describe, expect, test } from 'vitest';
import { VIRQ_CON_RING, VIRQ_CONSOLE } from '../../../engine/abi/xen.ts';
import { ms, us } from '../../../engine/core/clock.ts';
import type { XenProfile } from '../../../engine/hv/xen/softirq.ts';
import { HvRig } from '../../support/hv-rig.ts';

const CTRL_A = '\x01';
/** ten bits at 115200 baud */
const CHARACTER = 86_806;

function host(profile: XenProfile) {
  const rig = new HvRig({ profile, cpus: 2, domains: [{ vcpus: [[0]] }] });
  const { calls } = rig.guest();
  calls.bindVirq(VIRQ_CONSOLE, 0);
  calls.bindVirq(VIRQ_CON_RING, 0);
  rig.guest().compute(ms(1));
  rig.start();
  rig.run(ms(3));
  const pressed: string[] = [];
  rig.xen.console.keyHandler = (key) => {
    pressed.push(key);
    return key === 'q' ? '(XEN) one\n(XEN) two\n' : undefined;
  };
  const from = rig.shop.trace.written;
  const virqs = () =>
    [...rig.shop.trace.records(from + 1)]
      .filter((r) => r.point.name === 'send_guest_global_virq')
      .map((r) => r.args[0]);
  const type = (text: string) => {
    for (const c of text) {
      rig.xen.serialInput(c);
      rig.run(us(100));
    }
  };
  const uart = () =>
    rig.xen.inspect().cpus[0]!.vectors.find((v) => rig.xen.vectorName(v.vector).own === 'ns16550_interrupt')
      ?.count ?? 0;
  const softirqs = (name: string) => rig.xen.inspect().cpus[0]!.softirqs.find((s) => s.name === name)!.count;
  return { rig, console: rig.xen.console, pressed, virqs, type, uart, softirqs };
}

describe.each<XenProfile>(['3.4', '4.17'])('on %s', (profile) => {
  test('a character is dom0’s, told by VIRQ_CONSOLE', () => {
    const h = host(profile);
    h.type('ab');
    expect([h.virqs(), h.uart(), h.pressed]).toEqual([[VIRQ_CONSOLE, VIRQ_CONSOLE], 2, []]);
  });

  test('several that wait in the UART are read by one interrupt', () => {
    const h = host(profile);
    for (const c of 'abc') h.rig.xen.serialInput(c);
    h.rig.run(us(100));
    expect([h.virqs(), h.uart()]).toEqual([[VIRQ_CONSOLE, VIRQ_CONSOLE, VIRQ_CONSOLE], 1]);
  });

  test('CTRL-a three times switches input to Xen, and back', () => {
    const h = host(profile);
    h.type(`${CTRL_A.repeat(3)}q`);
    h.rig.run(ms(50));
    expect(h.pressed).toEqual(['q']);
    expect(h.console.lines[0]).toContain('Serial input to Xen');
    h.type(`${CTRL_A.repeat(3)}q`);
    expect([h.pressed.filter((key) => key === 'q'), h.virqs().at(-1)]).toEqual([['q'], VIRQ_CONSOLE]);
  });

  test('a debug key’s handler runs in a tasklet, and prints', () => {
    const h = host(profile);
    h.type(CTRL_A.repeat(3));
    h.rig.run(ms(50));
    const softirq = profile === '3.4' ? 'TASKLET' : 'SCHEDULE';
    const before = h.softirqs(softirq);
    h.rig.xen.serialInput('q');
    expect(h.pressed).toEqual([]);
    h.rig.run(us(100));
    expect([h.pressed, h.console.lines.slice(-2)]).toEqual([['q'], ['one', 'two']]);
    expect(h.softirqs(softirq)).toBeGreaterThan(before);
  });

  test('a key that Xen does not know does nothing', () => {
    const h = host(profile);
    h.type(`${CTRL_A.repeat(3)}`);
    const { length } = h.console.lines;
    h.type('X');
    expect([h.pressed, h.console.lines.length]).toEqual([['X'], length]);
  });

  test('what Xen prints is told to dom0 by VIRQ_CON_RING', () => {
    const h = host(profile);
    h.type(CTRL_A.repeat(3));
    const told = h.virqs().filter((v) => v === VIRQ_CON_RING).length;
    // 3.4 tells of the prefix, the line and its end; on 4.17 one tasklet tells of all
    expect(told).toBe(profile === '3.4' ? 3 : 1);
  });

  test('and sent by the UART, which interrupts when it is empty, 16 characters at a time', () => {
    const h = host(profile);
    h.type(CTRL_A.repeat(2));
    const start = h.uart();
    h.type(CTRL_A);
    h.rig.run(ms(30));
    const characters = '(XEN) '.length + h.console.lines[0]!.length + 1;
    expect(characters * CHARACTER).toBeLessThan(ms(30));
    // the one typed; the first one printed goes alone, then 16 at a time, and the last interrupt finds nothing more
    expect(h.uart() - start).toBe(1 + 1 + Math.ceil((characters - 1) / 16));
  });

  test('its state travels', () => {
    const [a, b] = [host(profile), host(profile)];
    a.type(`${CTRL_A.repeat(3)}q${CTRL_A}`);
    b.rig.shop.parts.restore(JSON.parse(JSON.stringify(a.rig.shop.parts.save())));
    expect(b.console.lines).toEqual(a.console.lines);
    for (const h of [a, b]) {
      h.rig.run(ms(5));
      h.type(`${CTRL_A}${CTRL_A}x`);
    }
    expect(b.console.save()).toEqual(a.console.save());
    expect(b.virqs()).toEqual(a.virqs().slice(-b.virqs().length));
  });
});

test('4.17 keeps CTRL-a back until it knows what follows; 3.4 passes it on at once', () => {
  const [old, now] = [host('3.4'), host('4.17')];
  for (const h of [old, now]) h.type(CTRL_A.repeat(2));
  expect([old.virqs().length, now.virqs().length]).toEqual([2, 0]);
  for (const h of [old, now]) h.type('x');
  expect([old.virqs().length, now.virqs().length]).toEqual([3, 3]);
});
