/** What a user got wrong: one line, printed as it is; the command line exits with 2. */

export class UserError extends Error {
  override name = 'UserError';
}

/** A line of a file that is not as it should be: `FILE:LINE: what is wrong, what would be right`. */
export class FormatError extends UserError {
  override name = 'FormatError';

  /** @param line counted from 1 */
  constructor(
    readonly file: string,
    readonly line: number,
    readonly problem: string,
  ) {
    super(`${printable(file, Infinity)}:${line}: ${problem}`);
  }
}

/** Characters a terminal may act on: C0 and C1 controls, line separators, marks that reorder text. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]/u;
const CONTROLS = new RegExp(CONTROL, 'gu');

/** Where the first control character of the text is; -1 when it has none. */
export function findControl(text: string): number {
  return text.search(CONTROL);
}

/** Foreign text made fit for a message: controls as `\x1b`, no longer than `most` characters. */
export function printable(text: string, most = 60): string {
  const cut = text.length > most ? `${text.slice(0, most)}...` : text;
  return cut.replace(CONTROLS, (c) => {
    const code = c.charCodeAt(0);
    return code < 256
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** Foreign text in quotes, fit for a message. */
export function quoted(text: string, most = 60): string {
  return `"${printable(text, most)}"`;
}
