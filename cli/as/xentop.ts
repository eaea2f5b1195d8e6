/**
 * `xentop -b` of Xen 4.17 (tools/xentop/xentop.c), fed as libxenstat feeds it (tools/libs/stat). The simulation has neither
 * memory nor sectors, these are 0; a packet is 1,500 bytes long, as netback's queue is measured. Of an interface TX is what
 * dom0 sends: the domain receives it.
 */
import type { DomainSnapshot, Snapshot } from '../../engine/index.ts';
import { fixed1 } from './format.ts';

const PACKET = 1_500;

interface Field {
  readonly header: string;
  readonly width: number;
  text(domain: DomainSnapshot, top: Xentop): string;
}

function count(header: string, width: number, of: (domain: DomainSnapshot) => number): Field {
  return { header, width, text: (domain) => String(of(domain)) };
}

const sum = <T>(rows: readonly T[], of: (row: T) => number) => rows.reduce((n, row) => n + of(row), 0);
const vifs = ({ xl }: DomainSnapshot) => xl?.vifs ?? [];
const vbds = ({ xl }: DomainSnapshot) => xl?.vbds ?? [];
const kilobytes = (packets: number) => Math.floor((packets * PACKET) / 1024);

/** No number of theirs is so long that a column would have to grow, but those that adjust_field_widths looks at. */
const FIELDS: readonly Field[] = [
  { header: 'NAME', width: 10, text: (domain) => nameOf(domain).slice(0, 10) },
  { header: 'STATE', width: 6, text: stateOf },
  count('CPU(sec)', 10, (domain) => Math.floor(cpuNs(domain) / 1e9)),
  { header: 'CPU(%)', width: 6, text: (domain, top) => fixed1(top.share(domain)) },
  count('MEM(k)', 10, () => 0),
  { header: 'MEM(%)', width: 6, text: () => '0.0' },
  // Domain-0 has no limit, as if Xen were started without dom0_mem
  { header: 'MAXMEM(k)', width: 10, text: ({ id }) => (id === 0 ? 'no limit' : '0') },
  { header: 'MAXMEM(%)', width: 9, text: ({ id }) => (id === 0 ? 'n/a' : '0.0') },
  count('VCPUS', 5, ({ vcpus }) => vcpus.length),
  count('NETS', 4, (domain) => vifs(domain).length),
  count('NETTX(k)', 8, (domain) => kilobytes(sum(vifs(domain), (vif) => vif.sent))),
  count('NETRX(k)', 8, (domain) => kilobytes(sum(vifs(domain), (vif) => vif.received))),
  count('VBDS', 4, (domain) => vbds(domain).length),
  count('VBD_OO', 8, () => 0),
  count('VBD_RD', 8, (domain) => sum(vbds(domain), (vbd) => vbd.requests)),
  count('VBD_WR', 8, () => 0),
  count('VBD_RSECT', 10, () => 0),
  count('VBD_WSECT', 10, () => 0),
  count('SSID', 4, () => 0),
];
const GROWING = new Set(['NETTX(k)', 'NETRX(k)', 'VBD_RD', 'VBD_WR', 'VBD_RSECT', 'VBD_WSECT']);

export class Xentop {
  private before: Snapshot | undefined;
  private now: Snapshot | undefined;

  /** A head and a line for each domain: it is sorted by its first column, by name. */
  look(now: Snapshot): string {
    this.before = this.now;
    this.now = now;
    const domains = [...now.domains].sort((a, b) => compare(nameOf(a), nameOf(b)));
    const widths = FIELDS.map((field) =>
      GROWING.has(field.header) ? widest(field, domains, this) : field.width,
    );
    const line = (texts: readonly string[]) => `${texts.map((t, i) => t.padStart(widths[i]!)).join(' ')}\n`;
    return [FIELDS.map((f) => f.header), ...domains.map((d) => FIELDS.map((f) => f.text(d, this)))]
      .map(line)
      .join('');
  }

  /** get_cpu_pct: since the last look, in percent of one CPU. */
  share(domain: DomainSnapshot): number {
    const { before, now } = this;
    const old = before?.domains.find(({ id }) => id === domain.id);
    if (!before || !now || !old) return 0;
    return (cpuNs(domain) - cpuNs(old)) / 10 / ((now.time - before.time) / 1000);
  }
}

/** adjust_field_widths */
function widest(field: Field, domains: readonly DomainSnapshot[], top: Xentop): number {
  return Math.max(field.width, ...domains.map((d) => String(Number(field.text(d, top)) + 1).length));
}

/** strcasecmp */
function compare(a: string, b: string): number {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  return x < y ? -1 : x > y ? 1 : 0;
}

function nameOf({ id, name }: DomainSnapshot): string {
  return id === 0 ? 'Domain-0' : name;
}

function cpuNs({ vcpus }: DomainSnapshot): number {
  return sum(vcpus, (v) => v.runNs);
}

/** getdomaininfo: blocked is a domain none of whose virtual CPUs that are up would run. */
function stateOf({ vcpus, xl }: DomainSnapshot): string {
  const { paused = false, end = '' } = xl ?? {};
  const held = paused || end !== '';
  const up = vcpus.filter((v) => held || v.state !== 'offline');
  const crashed = end.startsWith('crashed');
  const flags: [letter: string, is: boolean][] = [
    ['d', false],
    ['s', end !== '' && !crashed],
    ['b', up.every((v) => v.state === 'blocked')],
    ['c', crashed],
    ['p', paused],
    ['r', up.some((v) => v.state === 'running')],
  ];
  return flags.map(([letter, is]) => (is ? letter : '-')).join('');
}
