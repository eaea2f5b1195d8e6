/** Lines of text put together from pieces: each knows its role, so its width and its dress stay apart. */
import { displayWidth, truncate } from './format.ts';
import type { Paint, Role } from './theme.ts';

/** Collects the pieces of one line; neighbours of the same role become one. */
export class LineBuilder {
  private readonly roles: (Role | undefined)[] = [];
  private readonly texts: string[] = [];
  /** cells so far */
  width = 0;

  add(text: string, role?: Role): this {
    if (text === '') return this;
    this.width += displayWidth(text);
    const last = this.texts.length - 1;
    if (last >= 0 && this.roles[last] === role) {
      this.texts[last] += text;
    } else {
      this.roles.push(role);
      this.texts.push(text);
    }
    return this;
  }

  /** All pieces of another line. */
  append(other: LineBuilder): this {
    for (let i = 0; i < other.texts.length; i++) this.add(other.texts[i]!, other.roles[i]);
    return this;
  }

  /** The same pieces within so many cells. */
  cut(width: number, mark: string): LineBuilder {
    const out = new LineBuilder();
    for (let i = 0; i < this.texts.length && out.width < width; i++) {
      out.add(truncate(this.texts[i]!, width - out.width, mark), this.roles[i]);
    }
    return out;
  }

  /** Blanks up to a column. */
  to(column: number): this {
    return this.add(' '.repeat(Math.max(0, column - this.width)));
  }

  /** The line cut to a width and dressed; with `all`, every piece takes that role and the line is filled. */
  paint(paint: Paint, width: number, mark: string, all?: Role): string {
    if (this.width > width) return this.cut(width, mark).paint(paint, width, mark, all);
    if (all) return paint(all, this.texts.join('') + ' '.repeat(width - this.width));
    let out = '';
    for (let i = 0; i < this.texts.length; i++) {
      const role = this.roles[i];
      out += role === undefined ? this.texts[i] : paint(role, this.texts[i]!);
    }
    return out;
  }
}

/** One thing to say, and how dearly: what is least dear goes first when room is short. */
export interface Segment {
  readonly text: string;
  readonly role?: Role;
  readonly keep: number;
}

/** Drops segments until they pad, `gap` cells apart. */
export function fitSegments(segments: readonly Segment[], width: number, gap: number): Segment[] {
  const kept = segments.filter((s) => s.text !== '');
  const needed = () =>
    kept.reduce((n, s) => n + displayWidth(s.text), 0) + gap * Math.max(0, kept.length - 1);
  while (kept.length > 0 && needed() > width) {
    const least = Math.min(...kept.map((s) => s.keep));
    kept.splice(
      kept.findLastIndex((s) => s.keep === least),
      1,
    );
  }
  return kept;
}

/** Two groups of segments in one line, one at either end. */
export function spread(
  left: readonly Segment[],
  right: readonly Segment[],
  width: number,
  gap = 2,
): LineBuilder {
  const kept = new Set(fitSegments([...left, ...right], width, gap));
  const line = new LineBuilder();
  const put = (segments: readonly Segment[]) =>
    segments.forEach((s, i) => {
      if (i > 0) line.add(' '.repeat(gap));
      line.add(s.text, s.role);
    });
  put(left.filter((s) => kept.has(s)));
  const end = right.filter((s) => kept.has(s));
  const endWidth = end.reduce((n, s) => n + displayWidth(s.text), 0) + gap * Math.max(0, end.length - 1);
  line.to(width - endWidth);
  put(end);
  return line;
}
