/** What may go on in the domains of any Xen host. */
import * as z from 'zod';
import { callRate, name, pattern } from './shapes.ts';

export const commonWorkloads = [
  /** a device of dom0 fires */
  z.strictObject({ what: z.literal('device'), device: name, pattern }),
  /** packets from the network for a domain; it answers if `reply` */
  z.strictObject({
    what: z.literal('packets'),
    domain: z.int().min(0),
    pattern,
    reply: z.boolean().default(true),
  }),
  /** closed loop: `jobs` requests at a time on the domain's disk, `think` ms between */
  z.strictObject({
    what: z.literal('disk'),
    domain: z.int().min(0),
    jobs: z.int().min(1).max(256).default(1),
    think: z.number().min(0).max(1e6).default(10),
  }),
  /** messages to xenstore or the console */
  z.strictObject({
    what: z.literal('xenstore'),
    domain: z.int().min(0),
    rate: callRate,
  }),
  z.strictObject({
    what: z.literal('console'),
    domain: z.int().min(0),
    rate: callRate,
  }),
  /** a thread on every virtual CPU that computes for `share` of the time */
  z.strictObject({
    what: z.literal('compute'),
    domain: z.int().min(0),
    share: z.number().min(0.001).max(1),
  }),
  /** function calls to all other CPUs */
  z.strictObject({ what: z.literal('calls'), domain: z.int().min(0), rate: callRate }),
] as const;
