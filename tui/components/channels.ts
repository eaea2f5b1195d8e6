/**
 * The event channels of a domain: a vCPU's upcall flags and selector, every port in use as a mark, the queues of the FIFO
 * ABI, what is pending by name; the other vCPUs a line each.
 */
import type { DomainSnapshot, EventChannelSnapshot, EventChannelsSnapshot } from '../../engine/index.ts';
import { grouped, padLeft, sanitize } from '../format.ts';
import { LineBuilder } from '../line.ts';
import type { Role } from '../theme.ts';

export interface Channels {
  readonly domain: DomainSnapshot;
  readonly events: EventChannelsSnapshot;
  /** the vCPU that is shown in full */
  readonly vcpu: number;
  readonly ascii: boolean;
}

/** In use, masked, pending, pending and masked: of the chosen vCPU, and of the others. */
const MARKS: readonly (readonly [own: string, other: string, role: Role])[] = [
  ['+', '-', 'good'],
  ['M', 'm', 'accent'],
  ['P', 'p', 'warn'],
  ['X', 'x', 'bad'],
];
const EVTCHN_FIFO_PRIORITY_DEFAULT = 7;
const LABEL = 10;
/** ports in a line, and where 64 do not fit */
const PORTS = 64;
const FEW = 32;

function portsIn(width: number): number {
  return width >= LABEL + PORTS ? PORTS : FEW;
}

/** At most so many lines: what is dearest first. */
export function channelLines(channels: Channels, width: number, height: number): LineBuilder[] {
  const { events, vcpu, domain } = channels;
  if (height <= 1) return height === 1 ? [vcpuLine(channels, vcpu, false, '')] : [];
  const others = [...domain.vcpus.slice(vcpu + 1), ...domain.vcpus.slice(0, vcpu)];
  const name = width < 80 ? '' : 'evtchn_';
  const head = [vcpuLine(channels, vcpu, true, name), abiLine(channels)];
  const queues = queueLines(channels);
  const waiting = portLines(channels);
  const rows = mapRows(events, portsIn(width));
  let left = height - head.length;
  const take = (wanted: number, most = left) => {
    const got = Math.max(0, Math.min(wanted, most, left));
    left -= got;
    return got;
  };
  const forMap = take(1 + rows.length, Math.max(2, Math.floor(height / 2)));
  const forOthers = take(others.length, Math.max(1, Math.floor(left / 3)));
  const forQueues = take(queues.length, 4);
  const forWaiting = take(waiting.length);
  return [
    ...head,
    ...mapLines(channels, rows, forMap, portsIn(width)),
    ...queues.slice(0, forQueues),
    ...cut(waiting, forWaiting, 'ports'),
    ...cut(
      others.map((v) => vcpuLine(channels, v.vcpu, false, name)),
      forOthers + Math.max(0, left),
      'virtual CPUs, up and down choose',
    ),
  ]
    .slice(0, height)
    .map((line) => (line.width > width ? line.cut(width, channels.ascii ? '~' : '…') : line));
}

function cut(lines: readonly LineBuilder[], height: number, what: string): LineBuilder[] {
  if (lines.length <= height) return [...lines];
  if (height <= 0) return [];
  const rest = new LineBuilder().add(` ${lines.length - height + 1} more ${what}`, 'dim');
  return [...lines.slice(0, height - 1), rest];
}

/** ` vCPU 0  running on CPU1  upcall pending 1 mask 0  sel 0 1`; of others also which ports wait. */
function vcpuLine({ domain, events }: Channels, vcpu: number, chosen: boolean, name: string): LineBuilder {
  const v = domain.vcpus[vcpu]!;
  const e = events.vcpus[vcpu]!;
  const where = v.state === 'running' ? `runs on CPU${v.cpu}` : `${v.state}, last on CPU${v.cpu}`;
  const line = new LineBuilder()
    .add(` vCPU ${vcpu}`, chosen ? 'title' : undefined)
    .add(`  ${where}  ${name}upcall_pending `)
    .add(`${e.upcallPending}`, e.upcallPending ? 'warn' : undefined)
    .add('  mask ')
    .add(`${e.upcallMask}`, e.upcallMask ? 'accent' : undefined);
  const ports = events.channels.filter((c) => c.vcpu === vcpu && c.pending).map((c) => c.port);
  if (!chosen) return line.add(`  pending ${ports.join(' ') || '-'}`, ports.length > 0 ? 'warn' : undefined);
  return v.upcalls > 0 ? line.add(`  upcalls ${grouped(v.upcalls)}`) : line;
}

/** What the domain may have and has, and the word that says where to look. */
function abiLine({ events, vcpu }: Channels): LineBuilder {
  const { abi, limit, ports, active, ofXen, wordBits } = events;
  const e = events.vcpus[vcpu]!;
  const line = new LineBuilder().add(` ${abi === 'fifo' ? 'FIFO' : '2-level'}`, 'title');
  if (abi === 'fifo') {
    const ready = e.ready === null ? '-' : `0x${(e.ready >>> 0).toString(16).padStart(4, '0')}`;
    line.add('  ready ').add(ready, e.ready ? 'warn' : undefined);
  } else {
    const sel = e.sel.reduce((n, word) => n | (1n << BigInt(word)), 0n);
    const digits = sel.toString(16).padStart(wordBits / 4, '0');
    line.add('  evtchn_pending_sel ').add(digits, e.sel.length > 0 ? 'warn' : undefined);
  }
  const unit = abi === 'fifo' ? 'event words' : 'ports';
  const xen = ofXen > 0 ? ` (${ofXen} of Xen)` : '';
  return line.add(`  ${active} in use${xen}, limit ${grouped(limit)}, ${grouped(ports)} ${unit}`);
}

/** Rows of ports with something in use. */
function mapRows({ channels, closedBusy }: EventChannelsSnapshot, ports: number): number[] {
  const all = [...channels.map((c) => c.port), ...closedBusy];
  return [...new Set(all.map((port) => Math.floor(port / ports)))].sort((a, b) => a - b);
}

/** So many of them: those with a port that waits, or is closed and linked, before the rest. */
function dearest(
  rows: readonly number[],
  { channels, closedBusy }: EventChannelsSnapshot,
  ports: number,
  most: number,
): number[] {
  if (rows.length <= most) return [...rows];
  const waiting = [...channels.flatMap((c) => (c.pending || c.kept ? [c.port] : [])), ...closedBusy];
  const dear = new Set(waiting.map((port) => Math.floor(port / ports)));
  const rank = (row: number) => (dear.has(row) ? 0 : 1);
  return [...rows]
    .sort((a, b) => rank(a) - rank(b) || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
}

function mapLines(
  { events, vcpu }: Channels,
  rows: readonly number[],
  height: number,
  ports: number,
): LineBuilder[] {
  if (height < 2) return [];
  const closed = new Set(events.closedBusy);
  const legend = new LineBuilder().add(' ports', 'heading').to(LABEL);
  for (const [text, role] of [
    ['P', 'warn'],
    [' pending  '],
    ['M', 'accent'],
    [' masked  '],
    ['X', 'bad'],
    [' both  '],
    ['+', 'good'],
    [' neither'],
    ...(closed.size > 0 ? ([['  '], ['L', 'bad'], [' closed, linked']] as const) : []),
    [`, of vCPU ${vcpu};  p m x - of others  . free`],
  ] as const) {
    legend.add(text, role);
  }
  const byPort = new Map(events.channels.map((c) => [c.port, c]));
  const shown = dearest(rows, events, ports, height - 1);
  const lines = shown.map((row) => {
    const first = row * ports;
    const word =
      events.abi === '2-level' && events.vcpus[vcpu]!.sel.includes(Math.floor(first / events.wordBits));
    const line = new LineBuilder()
      .add(word ? '*' : ' ', 'warn')
      .add(padLeft(`${first}`, LABEL - 3))
      .to(LABEL);
    for (let port = first; port < first + ports; port++) {
      if (closed.has(port)) line.add('L', 'bad');
      else addMark(line, byPort.get(port), vcpu);
    }
    return line;
  });
  return [legend, ...lines];
}

function addMark(line: LineBuilder, channel: EventChannelSnapshot | undefined, vcpu: number): void {
  if (!channel) line.add('.', 'dim');
  else {
    const [own, other, role] = MARKS[(channel.pending ? 2 : 0) + (channel.masked ? 1 : 0)]!;
    if (channel.vcpu === vcpu) line.add(own, role);
    else line.add(other, channel.pending ? role : 'dim');
  }
}

/** ` queue 7  head 31  tail 12   31 > 12 > 14` */
function queueLines({ events, vcpu }: Channels): LineBuilder[] {
  if (events.abi !== 'fifo') return [];
  const { queues } = events.vcpus[vcpu]!;
  if (queues.length === 0)
    return [new LineBuilder().add(' queues', 'heading').to(LABEL).add('all empty', 'dim')];
  return queues.map(({ priority, head, tail, ports }) =>
    new LineBuilder()
      .add(` queue ${priority}`, 'heading')
      .to(LABEL)
      .add(`head ${head}  tail ${tail}   `)
      .add(ports.join(' > '), 'warn'),
  );
}

/** Ports by name: pending ones, then those that are masked, then the rest; of the chosen vCPU first. */
function portLines({ domain, events, vcpu, ascii }: Channels): LineBuilder[] {
  const names = new Map(
    domain.irqStates.flatMap(({ port, row }) => (port === null ? [] : [[port, row] as const])),
  );
  const rank = (c: EventChannelSnapshot) =>
    c.kept ? -1 : (c.pending ? 0 : c.masked ? 2 : 4) + (c.vcpu === vcpu ? 0 : 1);
  const closed = events.closedBusy.map((port) =>
    portStart(port).add('closed', 'bad').add(', still linked: not given out before its queue has been read'),
  );
  const open = [...events.channels]
    .sort((a, b) => rank(a) - rank(b) || a.port - b.port)
    .map((c) => {
      const row = names.get(c.port);
      const flags = c.kept
        ? 'raised, no word'
        : [c.pending && 'pending', c.masked && 'masked', c.busy && 'busy'].filter(Boolean).join(' ');
      const owner = row ? `irq ${row.irq} ${row.actions.join(', ')}` : '';
      const line = portStart(c.port).add(flags.padEnd(16), c.pending || c.kept ? 'warn' : undefined);
      if (events.abi === 'fifo') addEventWord(line, c);
      return line.add(`vCPU ${c.vcpu}  `).add(sanitize(`${c.what}  ${owner}`, ascii));
    });
  return [...closed, ...open];
}

function portStart(port: number): LineBuilder {
  return new LineBuilder().add(` port ${padLeft(`${port}`, 4)}`).to(LABEL + 2);
}

/** `prio 7  L>31`: linked, and which port comes after it; `L>0` is the last of its queue. */
function addEventWord(line: LineBuilder, { priority, link }: EventChannelSnapshot): void {
  line.add(
    `prio ${String(priority).padEnd(2)}  `,
    priority === EVTCHN_FIFO_PRIORITY_DEFAULT ? 'dim' : undefined,
  );
  if (link === null) line.add('-'.padEnd(9), 'dim');
  else line.add(`L>${link}`.padEnd(9), 'warn');
}
