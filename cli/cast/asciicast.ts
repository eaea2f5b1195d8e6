/** asciicast v2 (docs.asciinema.org/manual/asciicast/v2): a line of JSON for the header, one for each event. */

export interface CastSize {
  readonly columns: number;
  readonly rows: number;
}

const HIDE = '\x1b[?25l';
const SHOW = '\x1b[?25h';

/** A screen that is written down as it changes: lines that stay as they are cost nothing. */
export class Asciicast {
  private readonly lines: string[];
  private screen: readonly string[] = [];

  constructor(
    private readonly size: CastSize,
    title: string,
  ) {
    const { columns: width, rows: height } = size;
    const header = { version: 2, width, height, title, env: { TERM: 'xterm-256color' } };
    this.lines = [JSON.stringify(header)];
  }

  /** The screen is this from now on. @param ms since the recording began */
  show(ms: number, screen: readonly string[]): void {
    const first = this.screen.length === 0;
    let text = first ? `${HIDE}\x1b[H\x1b[2J` : '';
    screen.forEach((line, row) => {
      if (line !== (this.screen[row] ?? '')) text += `\x1b[${row + 1};1H${line}\x1b[K`;
    });
    this.screen = screen;
    if (text !== '') this.event(ms, 'o', text);
  }

  /** A place that players can jump to. */
  mark(ms: number, label: string): void {
    this.event(ms, 'm', label);
  }

  /** What is on the screen stays there. */
  end(ms: number): string {
    this.event(ms, 'o', `\x1b[${this.size.rows};1H${SHOW}\r\n`);
    return `${this.lines.join('\n')}\n`;
  }

  private event(ms: number, code: 'o' | 'm', data: string): void {
    this.lines.push(JSON.stringify([Math.round(ms) / 1e3, code, data]));
  }
}
