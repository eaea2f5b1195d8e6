/** The way of one interrupt as text: a line for each hop, with where it was, what it cost and what waited then. */
import type { HopSnapshot, JourneySnapshot } from '../../engine/index.ts';
import { type Column, table } from '../table.ts';
import { printable } from '../usage.ts';
import { secondsText } from './report.ts';

const COLUMNS: readonly Column[] = [
  { title: 'AT us', right: true, least: 9 },
  { title: 'CPU', right: true },
  { title: 'MODE', least: 6 },
  { title: 'FUNCTION' },
  { title: 'WHAT' },
  { title: 'COST us', right: true },
  { title: 'NEXT us', right: true },
  { title: 'WAITS' },
];

/** @param raised what the device did: `fired`, or the row whose handler ran */
export function pathText(journey: JourneySnapshot, raised: string): string {
  const { device, start, hops, latency } = journey;
  const head = `${printable(device)} ${raised} at ${secondsText(start)} s`;
  if (hops.length === 0) return `${head}: it raised no interrupt\n`;
  const outcome = latency === null ? 'no handler has run' : `${us(latency)} us to the handler`;
  return `${head}, ${outcome}\n\n${table(COLUMNS, hops.map(row))}`;
}

function row(hop: HopSnapshot, i: number, hops: readonly HopSnapshot[]): string[] {
  const { at, cpu, mode, nested, name, detail, charged, next, pending, end } = hop;
  return [
    us(at),
    cpu < 0 ? '-' : String(cpu),
    mode,
    `${nested ? '  ' : ''}${name}${end ? ' *' : ''}`,
    detail,
    charged === null ? '' : us(charged),
    next === null ? '' : us(next),
    pending === hops[i - 1]?.pending ? '' : pending,
  ];
}

function us(ns: number): string {
  return (ns / 1000).toFixed(3);
}
