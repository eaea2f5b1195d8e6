/** --path: follows what --fire raised, or looks a row's last interrupt up, prints its hops and leaves. */
import {
  type JourneySnapshot,
  type Machine,
  type Passage,
  pastJourneys,
  takeSnapshot,
} from '../../engine/index.ts';
import { isXenOnX86 } from '../../tui/subject.ts';
import { pathText } from '../batch/path.ts';
import { Follower } from '../follower.ts';
import { machineOf } from '../machine.ts';
import type { Options } from '../options.ts';
import type { Output } from '../output.ts';
import { Player } from '../player.ts';
import { hint, quoted, UsageError } from '../usage.ts';
import { DEFAULT_AT } from './look.ts';

/** nobody is waited for any longer: simulated time after the last device was fired */
const LONGEST = 11e9;

export async function path(options: Options, out: Output): Promise<number> {
  const machine = await machineOf(options);
  const fired = options.path === 'fired';
  const journeys = fired ? await firedOnes(machine, options) : await lastOfRow(machine, options);
  const print = (journey: JourneySnapshot) =>
    options.json ? `${JSON.stringify(journey)}\n` : pathText(journey, fired ? 'fired' : 'raised');
  await out.write(journeys.map(print).join(options.json ? '' : '\n'));
  return 0;
}

// what was fired

async function firedOnes(machine: Machine, { fire, at }: Options): Promise<JourneySnapshot[]> {
  if (!fire) throw new UsageError('--path fired: goes with --fire, as --fire kbd@1');
  const plan = [...fire].sort((a, b) => a.at - b.at);
  const follower = new Follower(machine);
  new Player(machine, plan).checkEnd(at ?? Infinity);
  for (const one of plan) {
    await follower.run(one.at);
    await new Player(machine).advance(one.at);
    follower.fire(one);
  }
  await follower.run(at ?? plan.at(-1)!.at + LONGEST);
  return follower.journeys();
}

// a row

async function lastOfRow(machine: Machine, options: Options): Promise<JourneySnapshot[]> {
  const wanted = options.path as string;
  const by = passageOf(machine, wanted);
  const at = options.at ?? DEFAULT_AT;
  const player = new Player(machine, options.fire);
  player.checkEnd(at);
  await player.advance(at);
  const last = pastJourneys(machine, by, wanted).at(-1);
  if (!last) throw new UsageError(`--path ${quoted(wanted)}: no interrupt of it lately, at ${at / 1e9} s`);
  return [last];
}

/** `dom0:24` is a row of a domain, `Xen:0xa0` a vector of Xen's, on ARM `Xen:36` an INTID. */
function passageOf(machine: Machine, wanted: string): Passage {
  const { domains, xen } = takeSnapshot(machine);
  const onX86 = xen && isXenOnX86(xen);
  const number = onX86 ? /^xen:(0x[0-9a-f]{1,2})$/i : /^xen:(\d{1,4})$/i;
  const [, taken] = number.exec(wanted) ?? [];
  if (xen && taken !== undefined) return { vector: Number(taken) };
  const [, name, irq] = /^([^:]+):(-?\d+)$/.exec(wanted) ?? [];
  if (name === undefined) {
    const or = !xen ? '' : onX86 ? ', or a vector as Xen:0xa0' : ', or an INTID as Xen:36';
    throw new UsageError(`--path ${quoted(wanted)}: must be fired, or a row as dom0:24${or}`);
  }
  const domain = domains.find((d) => d.name === name);
  if (domain) return { domain: domain.id, irq: Number(irq) };
  const names = domains.map((d) => d.name);
  throw new UsageError(`--path ${quoted(wanted)}: no such domain${hint(name, names)}`);
}
