/** What may go on in the domains of any Xen host. */
import * as z from 'zod';
import {
  callRate,
  eventRate,
  jobs,
  microbenchmark,
  name,
  pattern,
  phase,
  reply,
  share,
  think,
} from './shapes.ts';

export const domain = z.int().min(0).describe('number of the domain; 0: dom0, then the guests from 1');

export const commonWorkloads = [
  z
    .strictObject({ what: z.literal('device'), device: name.describe('which one fires'), pattern })
    .describe('a device fires'),
  z
    .strictObject({ what: z.literal('packets'), domain, pattern, reply })
    .describe('packets from the network for a domain'),
  z
    .strictObject({ what: z.literal('disk'), domain, jobs, think })
    .describe("requests to the domain's disk, the next once one is answered"),
  z.strictObject({ what: z.literal('xenstore'), domain, rate: callRate }).describe('messages to xenstore'),
  z.strictObject({ what: z.literal('console'), domain, rate: callRate }).describe('messages to the console'),
  z
    .strictObject({ what: z.literal('compute'), domain, share })
    .describe('a thread on every virtual CPU that computes for a share of the time'),
  z
    .strictObject({ what: z.literal('calls'), domain, rate: callRate })
    .describe('function calls to all other CPUs'),
  z
    .strictObject({
      what: z.literal('events'),
      domain,
      rate: eventRate,
      from: phase.default(1).describe('seconds after which they begin'),
    })
    .describe('events of its network card that tell its backend of nothing: the ring is empty'),
  z
    .strictObject({ ...microbenchmark, domain })
    .describe('a guest does one thing again and again, for `virqtop paper` to measure'),
] as const;
