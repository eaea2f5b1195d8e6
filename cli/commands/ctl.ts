/** `virqtop ctl`: one request to a running monitor or server, and its answer. */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { KINDS } from '../ctl/follow.ts';
import { listening, socketPath } from '../ctl/place.ts';
import { CTL_VERBS } from '../options.ts';
import type { Output } from '../output.ts';
import { hint, printable, quoted, RunError, UsageError } from '../usage.ts';
import * as values from '../values.ts';

type Verb = (typeof CTL_VERBS)[number];

/** What each verb makes of its words. @throws UsageError */
const REQUESTS: Readonly<Record<Verb, (words: readonly string[]) => object>> = {
  fire([device, times, ...more]) {
    const [, n] = times === undefined ? [] : (/^x?(\d+)$/.exec(times) ?? [undefined, '']);
    if (device === undefined || n === '' || more.length > 0) {
      throw new UsageError('ctl fire: must be fire DEVICE or fire DEVICE xN, as fire kbd x10');
    }
    return { do: 'fire', device, ...(n === undefined ? {} : { times: values.whole('ctl fire', n, 1) }) };
  },
  do([text, ...more]) {
    const command = text === undefined || more.length > 0 ? undefined : objectOf(text);
    if (!command) throw new UsageError('ctl do: must be do JSON, as do \'{"do":"fire","device":"kbd"}\'');
    return command;
  },
  speed([x, ...more]) {
    if (x === undefined || more.length > 0) throw new UsageError('ctl speed: must be speed X, as speed 0.1');
    const speed = values.speed('ctl speed', x);
    return { do: 'speed', speed: speed === Number.POSITIVE_INFINITY ? 'max' : speed };
  },
  events(words) {
    const of = words.map((word) => values.oneOf('ctl events', word, KINDS));
    return { do: 'events', ...(of.length > 0 ? { of } : {}) };
  },
  pause: (words) => alone('pause', words),
  run: (words) => alone('run', words),
  step: (words) => alone('step', words),
  next: (words) => alone('next', words),
  state: (words) => alone('state', words),
  snapshot: (words) => alone('snapshot', words),
  quit: (words) => alone('quit', words),
};

export async function ctl(
  verb: string | undefined,
  words: readonly string[],
  wanted: string | undefined,
  out: Output,
): Promise<number> {
  const known = CTL_VERBS.find((v) => v === verb);
  if (!known) {
    const what = verb === undefined ? '' : ` ${quoted(verb)}`;
    throw new UsageError(`ctl${what}: must be a verb${hint(verb ?? '', CTL_VERBS)}`);
  }
  const request = REQUESTS[known](words);
  const path = wanted === undefined ? await only() : socketPath(wanted, process.env);
  const socket = await reach(path);
  socket.write(`${JSON.stringify(request)}\n`);
  // who follows keeps the way open, so that the other end knows that somebody is there
  if (known !== 'events') socket.end();
  try {
    return await print(known, socket, out);
  } finally {
    socket.destroy();
  }
}

/** @returns the exit code */
async function print(verb: Verb, socket: Socket, out: Output): Promise<number> {
  let answered = false;
  for await (const line of createInterface({ input: socket })) {
    if (answered) {
      await out.write(`${line}\n`);
      continue;
    }
    answered = true;
    const reply = objectOf(line) as { ok?: boolean; error?: string; snapshot?: object } | undefined;
    if (reply?.ok !== true) throw new RunError(printable(reply?.error ?? 'the answer makes no sense'));
    if (verb !== 'events') await out.write(`${JSON.stringify(reply.snapshot ?? reply)}\n`);
  }
  if (!answered) throw new RunError('no answer: it has ended');
  return 0;
}

/** The only one that listens in the user's own folder. */
async function only(): Promise<string> {
  const names = await listening(process.env);
  if (names.length === 0) throw new RunError('nobody listens: virqtop --socket NAME does');
  if (names.length > 1) {
    throw new UsageError(`ctl: --socket must say which one, ${names.map((n) => printable(n)).join(' or ')}`);
  }
  return socketPath(names[0]!, process.env);
}

function reach(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      reject(
        new RunError(`--socket ${printable(path)}: ${REASONS[code ?? ''] ?? `cannot connect (${code})`}`),
      ),
    );
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'nobody listens there',
  ECONNREFUSED: 'nobody listens there',
  ENOTSOCK: 'is no socket',
  EACCES: 'permission denied',
};

function alone(verb: Verb, words: readonly string[]): object {
  if (words.length > 0) throw new UsageError(`ctl ${verb}: takes nothing, got ${quoted(words[0]!)}`);
  return { do: verb };
}

function objectOf(text: string): object | undefined {
  try {
    const data: unknown = JSON.parse(text);
    return typeof data === 'object' && data !== null && !Array.isArray(data) ? data : undefined;
  } catch {
    return undefined;
  }
}
