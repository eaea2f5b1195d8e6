/** --hook in batch: every vector that comes to Xen as a line, and what recording them costs. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { timing } from '../../engine/timing.ts';
import { called } from './call.ts';

/** One device of dom0, and an HVM guest under a debugger. */
const DEBUGGED = `name: debugged
title: an HVM guest under a debugger
xen: '4.17'
cpus: 2
dom0:
  vcpus: 1
  devices:
    - {driver: ahci, name: ahci, as: disk}
guests:
  - {type: hvm, vcpus: 1, rings: 0, channels: 0}
keys:
  - {device: disk}
workloads:
  - {what: disk, domain: 0, jobs: 1, think: 5}
  - {what: faults, domain: 1, kind: debug, rate: 400}
`;

const DIR = mkdtempSync(join(tmpdir(), 'virqtop-hook-'));
afterAll(() => rmSync(DIR, { recursive: true }));
const SCENARIO = join(DIR, 'debugged.yaml');
writeFileSync(SCENARIO, DEBUGGED);

async function out(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await called(...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

const golden = (name: string) => join(import.meta.dirname, `golden/${name}.txt`);

describe('as text', () => {
  test('on 4.17 do_IRQ, direct_apic_vector and exceptions of an HVM guest', async () => {
    await expect(await out(SCENARIO, '--hook', '-b', '-n', '1', '-d', '20ms')).toMatchFileSnapshot(
      golden('hook-4.17'),
    );
  });

  test('on 3.4 do_IRQ, and the gates of the local APIC’s vectors', async () => {
    const text = await out('xen-pv-2.6.18', '--hook', '-b', '-n', '1', '-d', '5ms');
    await expect(text).toMatchFileSnapshot(golden('hook-3.4'));
  });

  test('the lines stand in the order of their times, whatever the updates are', async () => {
    const text = await out('xen-hvm', '--hook', '-b', '-n', '10', '-d', '3ms');
    const times = [...text.matchAll(/^ +(\d+\.\d{9}) /gm)].map((m) => Number(m[1]));
    expect(times.length).toBeGreaterThan(50);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(await out('xen-hvm', '--hook', '-b', '-n', '1', '-d', '30ms')).toBe(text);
  });

  test('an update that is far away is not waited for', async () => {
    const [whole, parts] = [
      await out(SCENARIO, '--hook', '-b', '-n', '1', '-d', '2500ms'),
      await out(SCENARIO, '--hook', '-b', '-n', '5', '-d', '500ms'),
    ];
    expect(whole).toBe(parts);
  });

  test('at the end the time with interrupts off is the records by the cost of one', async () => {
    const text = await out('xen-hvm', '--hook', '-b', '-n', '1', '-d', '400ms');
    const ends = [...text.matchAll(/^(CPU\d+|total) +(\d+) +([\d.]+) us$/gm)];
    expect(ends.map((m) => m[1])).toEqual(['CPU0', 'CPU1', 'CPU2', 'CPU3', 'total']);
    for (const [, name, records, added] of ends) {
      const lines =
        name === 'total' ? /^ +\d+\.\d{9} +\d/gm : new RegExp(`^ +\\d+\\.\\d{9} +${name!.slice(3)} `, 'gm');
      expect([name, Number(records)]).toEqual([name, text.match(lines)!.length]);
      expect(added).toBe(((Number(records) * timing.hookRecord) / 1000).toFixed(3));
    }
  });

  test('-g keeps the records that found a domain', async () => {
    const text = await out(SCENARIO, '--hook', '-b', '-n', '1', '-d', '20ms', '-g', 'dom1');
    const who = new Set([...text.matchAll(/^ +\d+\.\d{9} +\d+ {2}(\S+)/gm)].map((m) => m[1]));
    expect([...who]).toEqual(['d1v0']);
    const all = await out(SCENARIO, '--hook', '-b', '-n', '1', '-d', '20ms', '-g', 'Xen');
    expect(all).toBe(await out(SCENARIO, '--hook', '-b', '-n', '1', '-d', '20ms'));
  });
});

test('as JSON a line for each record, and one with the sums', async () => {
  const lines = (await out('xen-hvm', '--hook', '-J', '-n', '1', '-d', '50ms')).trimEnd().split('\n');
  const all = lines.map((line) => JSON.parse(line));
  const end = all.pop();
  expect(all.length).toBeGreaterThan(20);
  for (const record of all) {
    expect(Object.keys(record).sort()).toEqual(
      ['cpu', 'domain', 'journey', 'point', 'time', 'vcpu', 'vector', 'what', 'who'].sort(),
    );
  }
  expect(end).toMatchObject({ scenario: 'xen-hvm', seed: 42, time: 50e6 });
  end.hook.cpus.forEach((cpu: { records: number; added: number }, n: number) => {
    expect(cpu).toEqual({
      records: all.filter((r) => r.cpu === n).length,
      added: cpu.records * timing.hookRecord,
    });
  });
});
