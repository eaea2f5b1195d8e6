/** Who may import whom: the table of ARCHITECTURE.md, checked over every source file. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');

/** A layer may import itself and the layers it lists; `npm` stands for packages. */
const MAY: Record<string, readonly string[]> = {
  core: [],
  timing: ['core'],
  abi: ['core'],
  proc: ['core'],
  hw: ['core'],
  'hw/x86': ['hw', 'core', 'timing'],
  'hw/arm': ['hw', 'core', 'timing'],
  guest: ['core', 'abi', 'hw', 'hw/x86', 'hw/arm', 'timing', 'proc'],
  hv: ['core', 'abi', 'hw/x86', 'hw/arm', 'timing'],
  'hv/kvm': ['hv', 'core', 'abi', 'hw/x86', 'timing'],
  'hv/xen': ['hv', 'core', 'abi', 'timing'],
  'hv/xen/x86': ['hv/xen', 'hv', 'core', 'abi', 'hw/x86', 'timing'],
  'hv/xen/arm': ['hv/xen', 'hv', 'core', 'abi', 'hw/arm', 'timing'],
  devices: ['core', 'abi', 'timing'],
  import: ['core', 'abi', 'proc', 'hw/x86'],
  scenario: ['core', 'timing', 'proc', 'npm'],
  machine: [
    'core',
    'timing',
    'abi',
    'proc',
    'hw',
    'hw/x86',
    'hw/arm',
    'guest',
    'hv',
    'hv/kvm',
    'hv/xen',
    'hv/xen/x86',
    'hv/xen/arm',
    'devices',
    'import',
    'scenario',
  ],
  snapshot: ['machine', 'core', 'proc'],
  export: ['core', 'abi', 'import', 'proc', 'snapshot'],
  index: [
    'core',
    'timing',
    'abi',
    'proc',
    'scenario',
    'machine',
    'snapshot',
    'export',
    'hw/x86',
    'hw/arm',
    'hv/kvm',
    'hv/xen',
    'hv/xen/x86',
    'hv/xen/arm',
  ],
  exchange: ['machine', 'import', 'export'],
  tui: ['index', 'npm'],
  cli: ['index', 'exchange', 'tui', 'npm'],
};

/** The layer of a file, by its longest matching folder. */
function layerOf(file: string): string | undefined {
  const path = relative(ROOT, file).replace(/\.tsx?$/, '');
  const inner = path.replace(/^engine\//, '');
  return Object.keys(MAY)
    .filter((layer) => inner === layer || inner.startsWith(`${layer}/`))
    .sort((a, b) => b.length - a.length)[0];
}

function sources(dir: string): string[] {
  return readdirSync(join(ROOT, dir), { recursive: true, encoding: 'utf8' })
    .filter((f) => /\.tsx?$/.test(f))
    .map((f) => join(ROOT, dir, f));
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const found = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g);
  return [...found].map((m) => m[1]!);
}

const FILES = [...sources('engine'), ...sources('tui'), ...sources('cli')];

test('every source file belongs to a layer', () => {
  expect(FILES.filter((f) => !layerOf(f)).map((f) => relative(ROOT, f))).toEqual([]);
});

test('imports follow the table', () => {
  const wrong: string[] = [];
  for (const file of FILES) {
    const layer = layerOf(file)!;
    for (const spec of importsOf(file)) {
      if (spec.startsWith('node:') && (layer === 'cli' || layer === 'tui')) continue;
      const target = spec.startsWith('.') ? layerOf(resolve(dirname(file), spec)) : 'npm';
      if (target !== layer && !MAY[layer]!.includes(target ?? '?')) {
        wrong.push(`${relative(ROOT, file)} (${layer}) imports ${spec} (${target})`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test('engine/ takes time and chance from the clock and the seeded streams alone', () => {
  const banned =
    /\b(Date\b|performance\.now|Math\.(random|log\w*|exp\w*|pow|sin|cos|tan|cbrt|hypot)|process\.|setTimeout|setInterval)/;
  const wrong = sources('engine').flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line, i) => ({ line, at: `${relative(ROOT, file)}:${i + 1}` }))
      .filter(({ line }) => banned.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line))
      .map(({ line, at }) => `${at}: ${line.trim()}`),
  );
  expect(wrong).toEqual([]);
});
