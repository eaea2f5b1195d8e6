/**
 * From the bytes a terminal sends to the names of keys.
 *
 * Printable characters are their own names; the others are `enter`, `esc`, `up`, `f1`, `ctrl-c` and so on.
 * Sequences that are no key (mouse reports, answers of the terminal) are dropped. ESC followed by anything
 * that does not begin a sequence is the Esc key and then that character: the monitor has no Alt keys.
 */

const CONTROL: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\b': 'backspace',
  '\x7f': 'backspace',
  ' ': 'space',
  '\x1b': 'esc',
};

/** What follows ESC [ or ESC O, parameters cut down to the first. */
const SEQUENCES: Readonly<Record<string, string>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  P: 'f1',
  Q: 'f2',
  R: 'f3',
  S: 'f4',
  Z: 'shift-tab',
  '1~': 'home',
  '7~': 'home',
  '4~': 'end',
  '8~': 'end',
  '3~': 'delete',
  '5~': 'pageup',
  '6~': 'pagedown',
  '11~': 'f1',
  '12~': 'f2',
  '13~': 'f3',
  '14~': 'f4',
  '15~': 'f5',
  '17~': 'f6',
  '18~': 'f7',
  '19~': 'f8',
  '20~': 'f9',
  '[A': 'f1',
  '[B': 'f2',
  '[C': 'f3',
  '[D': 'f4',
  '[E': 'f5',
};

/** A whole sequence: linux console function key, SS3, or CSI with parameters and a final byte. */
const SEQUENCE = /^\x1b(?:\[\[[A-E]|O[\x40-\x7e]|\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e])/;
/** The beginning of one that may still be completed. */
const UNFINISHED = /^\x1b(?:\[\[?|O|\[[\x30-\x3f]*[\x20-\x2f]*)?$/;
const LONGEST = 32;

export class KeyDecoder {
  private pending = '';

  /** The keys that are complete with this piece of input. */
  push(chunk: string): string[] {
    let text = this.pending + chunk;
    this.pending = '';
    const keys: string[] = [];
    while (text !== '') {
      if (text[0] === '\x1b') {
        const match = SEQUENCE.exec(text);
        if (match) {
          const key = sequenceName(match[0]);
          if (key) keys.push(key);
          text = text.slice(match[0].length);
          continue;
        }
        if (UNFINISHED.test(text) && text.length < LONGEST) {
          this.pending = text;
          break;
        }
      }
      const char = String.fromCodePoint(text.codePointAt(0)!);
      keys.push(charName(char));
      text = text.slice(char.length);
    }
    return keys;
  }

  /** Is a sequence, or a lone ESC, waiting for more? */
  get waiting(): boolean {
    return this.pending !== '';
  }

  /** Nothing more came: what waited was typed by hand. */
  flush(): string[] {
    const rest = this.pending;
    this.pending = '';
    return [...rest].map(charName);
  }
}

function charName(char: string): string {
  const named = CONTROL[char];
  if (named) return named;
  const code = char.charCodeAt(0);
  return code < 0x20 ? `ctrl-${String.fromCharCode(code + 0x60)}` : char;
}

function sequenceName(sequence: string): string | undefined {
  const body = sequence.slice(2);
  return (
    SEQUENCES[body] ?? SEQUENCES[body.replace(/^(\d+);\d+/, (_, n: string) => n).replace(/^1(?=[A-Z])/, '')]
  );
}

/** Can it be typed into a prompt? */
export function isText(key: string): boolean {
  return key === 'space' || [...key].length === 1;
}
