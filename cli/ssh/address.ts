/** Where to listen: `HOST:PORT`, an IPv6 address in brackets. */
import { quoted, UsageError } from '../usage.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

const FORM = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:[\]]+)):(\d{1,5})$/;

/** @throws UsageError */
export function address(option: string, text: string): Address {
  const [, bracketed, plain, digits] = FORM.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(digits) > 65_535) {
    throw new UsageError(`${option} ${quoted(text)}: must be HOST:PORT, as 127.0.0.1:2222 or [::1]:2222`);
  }
  return { host, port: Number(digits) };
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
