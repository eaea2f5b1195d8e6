/** What may be done to a machine from outside (`Command` of machine/commands.ts), as files write it. */
import * as z from 'zod';
import { name } from './shapes.ts';

const times = z.int().min(1).max(1_000_000).optional().describe('how often, at once; 1 without it');

export const command = z.discriminatedUnion('do', [
  z
    .strictObject({ do: z.literal('fire'), device: name.describe('as --fire takes it'), times })
    .describe('an event of a device'),
  z.strictObject({ do: z.literal('hook'), on: z.boolean() }).describe("Xen's interrupt hook"),
]);
