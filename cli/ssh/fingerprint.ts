/** A public key as ssh prints it. */
import { createHash } from 'node:crypto';

export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
