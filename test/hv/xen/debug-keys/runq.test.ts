/** Debug key r beside what a real Xen 4.17 printed, and what it must say of itself consistently. */
import { describe, expect, test } from 'vitest';
import { ms, us } from '../../../../engine/core/clock.ts';
import { debugKeyR } from '../../../../engine/hv/xen/debug-keys/runq.ts';
import { form, linesOf, q35, type Rules, realLines } from '../../../support/debug-keys.ts';
import { HvRig, type RigOptions } from '../../../support/hv-rig.ts';

/** Of the moment; also the CPU that a vCPU was placed on at first. */
const MOMENT: Rules = [
  [/NOW=\d+$/, 'NOW='],
  [/^(\t(?:instload|pick_bias) +=) \d+$/, '$1'],
  [/^(\taveload +=) \d+ \(~\d+%\)$/, '$1 (~%)'],
  [/^(\t(?:idlers|tickled|fully idle cores):) [0-9a-f]$/, '$1'],
  [/flags=[02] cpu=\d credit=-?\d+ (\[w=256\]) load=\d+ \(~\d+%\)$/, 'flags= cpu= credit= $1 load= (~%)'],
  [/ current=(d\d+v\d+|d\[IDLE\]v\d+), curr=\1, prev=NULL$/, ' current=, curr=, prev=NULL'],
];
const UNIT = /^\t(run| {2}\d): \[\d\.\d\] flags= cpu= credit= \[w=256\] load= \(~%\)$/;

/** Without who runs and who waits; of those the form alone. */
function settled(lines: readonly string[]): string[] {
  const queue = lines.indexOf('Runqueue 0:', lines.indexOf('Domain info:'));
  return lines.filter((line, i) => {
    if (i < queue || !line.startsWith('\t')) return true;
    expect(line).toMatch(UNIT);
    return false;
  });
}

test('the q35 machine: the same lines but for the moment', () => {
  const machine = q35();
  machine.runUntil(ms(3_000));
  const real = settled(form(realLines('xen-q35.debug-key-r'), MOMENT));
  expect(settled(form(linesOf(machine.platform.dump('r')!), MOMENT))).toEqual(real);
});

describe('credit2', () => {
  const machine = q35();

  test('who runs is told alike in every place', () => {
    let seen = 0;
    machine.runUntil(ms(2_000));
    for (let i = 0; i < 200; i++) {
      for (let event = 0; event < 7; event++) machine.step();
      const lines = linesOf(machine.platform.dump('r')!);
      const cpus = lines.filter((line) => /^CPU\[\d\d\] current/.test(line));
      const idle = cpus.flatMap((line, cpu) => (line.includes('IDLE') ? [cpu] : []));
      const running = lines.flatMap((line, i) => (line.startsWith('\trun:') ? [[lines[i - 1]!, line]] : []));
      expect(running.length).toBe(4 - idle.length);
      for (const [cpuLine, unit] of running) {
        const [, cpu] = /^CPU\[0(\d)\] runq=0/.exec(cpuLine!)!;
        const [, dom, vcpu] = /\[(\d)\.(\d)\] flags=2 cpu=/.exec(unit!)!;
        expect(unit).toContain(` cpu=${cpu} `);
        expect(cpus[Number(cpu)]).toBe(
          `CPU[0${cpu}] current=d${dom}v${vcpu}, curr=d${dom}v${vcpu}, prev=NULL`,
        );
        expect(lines.filter((line) => line.includes(`[${dom}.${vcpu}] flags=2`))).toHaveLength(2);
        seen++;
      }
      const mask = idle.reduce((m, cpu) => m | (1 << cpu), 0);
      expect(lines).toContain(`\tidlers: ${mask.toString(16)}`);
      const waiting = lines.slice(lines.indexOf('RUNQ:') + 1, lines.indexOf('CPUs info:'));
      const runs = running.length + waiting.length;
      expect(Number(/= (\d+)/.exec(lines.find((line) => line.includes('instload'))!)![1])).toBe(runs);
    }
    expect(seen).toBeGreaterThan(50);
  });

  test('weights, pinning, and who waits by credit', () => {
    const rig = new HvRig({
      cpus: 2,
      domains: [{ vcpus: [[0], [0, 1]], weight: 512 }, { vcpus: [[0]] }, { vcpus: [[1]] }],
    });
    for (const v of rig.xen.vcpus) rig.guest(v.domain, v.vcpu).compute(us(100));
    rig.start().run(ms(5));
    const lines = linesOf(debugKeyR(rig.xen.sched));
    expect(lines).toContain('\tmax_weight         = 512');
    expect(lines.filter((line) => line.startsWith('\tDomain'))).toEqual([
      '\tDomain: 0 w 512 c 0 v 2',
      '\tDomain: 1 w 256 c 0 v 1',
      '\tDomain: 2 w 256 c 0 v 1',
    ]);
    expect(lines.find((line) => line.startsWith('\t  1: [0.0]'))).toMatch(/flags=2[02] .*\[w=512\]/);
    expect(lines.find((line) => line.startsWith('\t  2: [0.1]'))).toMatch(/flags=[02] .*\[w=512\]/);
    const waiting = lines.slice(lines.indexOf('RUNQ:') + 1, lines.indexOf('CPUs info:'));
    expect(waiting.map((line) => line.slice(0, 6))).toEqual(['\t  0: ', '\t  1: ']);
    const [first, second] = waiting.map((line) => Number(/credit=(-?\d+)/.exec(line)![1]));
    expect(first).toBeGreaterThanOrEqual(second!);
    expect(lines).toContain('\tinstload           = 4');
    expect(lines).toContain('\tidlers: 0');
  });

  test('a CPU that was told to look and has not yet is no idle core', () => {
    const rig = new HvRig({ cpus: 3, domains: [{ vcpus: [[1]] }] });
    rig.start().run(ms(1));
    rig.xen.wake(0, 0);
    const lines = linesOf(debugKeyR(rig.xen.sched));
    expect(lines.slice(lines.indexOf('\tidlers: 7'))).toEqual(
      expect.arrayContaining(['\tidlers: 7', '\ttickled: 2', '\tfully idle cores: 5']),
    );
  });

  test('a mask of many CPUs comes in groups of 32', () => {
    const rig = new HvRig({ cpus: 40, domains: [{ vcpus: [[39]] }] });
    rig.guest().compute(us(100));
    rig.start().run(ms(1));
    const lines = linesOf(debugKeyR(rig.xen.sched));
    expect(lines).toContain('\tidlers: 7f,ffffffff');
    expect(lines).toContain('CPU[39] runq=0, sibling={39}, core={0-39}');
  });
});

/** After csched_dump of Xen 3.4, whose captures there are none of. */
describe('credit', () => {
  const rigOf = (options: RigOptions = {}) => {
    const rig = new HvRig({ profile: '3.4', cpus: 2, domains: [{ vcpus: [[0], [0]] }], ...options });
    for (const v of rig.xen.vcpus) rig.guest(v.domain, v.vcpu).compute(us(100));
    return rig.start();
  };

  test('settings, who is active, then each CPU: who runs, who waits, and the idle one last', () => {
    const rig = rigOf();
    rig.run(ms(35));
    const lines = linesOf(debugKeyR(rig.xen.sched));
    expect(lines).toEqual([
      'Scheduler: SMP Credit Scheduler (credit)',
      'info:',
      '\tncpus              = 2',
      '\tmaster             = 0',
      '\tcredit             = 600',
      '\tcredit balance     = 100',
      '\tweight             = 256',
      '\trunq_sort          = 1',
      '\tdefault-weight     = 256',
      '\tmsecs per tick     = 10ms',
      '\tcredits per tick   = 100',
      '\tticks per tslice   = 3',
      '\tticks per acct     = 3',
      '\tmigration delay    = 0us',
      'idlers: 00000002',
      'active vcpus:',
      '\t  1: [0.0] pri=-1 flags=0 cpu=0 credit=0 [w=256]',
      'sched_smt_power_savings: disabled',
      'NOW=0x0000000002160EC0',
      'CPU[00]  sort=1, sibling=00000001, core=00000003',
      '\trun: [0.1] pri=0 flags=0 cpu=0 credit=0 [w=256]',
      '\t  1: [0.0] pri=-1 flags=0 cpu=0 credit=0 [w=256]',
      '\t  2: [32767.0] pri=-64 flags=0 cpu=0',
      'CPU[01]  sort=0, sibling=00000002, core=00000003',
      '\trun: [32767.1] pri=-64 flags=0 cpu=1',
    ]);
  });

  test('NOW in two words', () => {
    const rig = rigOf({ domains: [] });
    rig.clock.runUntil(5_000_000_001);
    expect(linesOf(debugKeyR(rig.xen.sched))).toContain('NOW=0x000000012A05F201');
  });
});
