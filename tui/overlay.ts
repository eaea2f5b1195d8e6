/** What lies over the view until Esc: the help, a text, or the details of a row. It is scrolled, whatever it is. */
import { columnsContent } from './column-chooser.ts';
import { detailsLines, detailsTitle, type Looked } from './details/index.ts';
import { overlayHeight } from './geometry.ts';
import { helpBlocks, helpLines } from './help-text.ts';
import { LineBuilder } from './line.ts';
import type { Session } from './session.ts';

export type Overlay =
  | { readonly kind: 'help' }
  /** a text as it was when it was asked for */
  | { readonly kind: 'text'; readonly title: string; readonly lines: readonly string[] }
  /** the columns of the table shown, one of them chosen */
  | { readonly kind: 'columns'; readonly at: number }
  | { readonly kind: 'details'; readonly of: Looked };

export interface OverlayContent {
  readonly title: LineBuilder;
  readonly lines: readonly LineBuilder[];
}

/** What the overlay shows; undefined: there is none. */
export function overlayContent(session: Session): OverlayContent | undefined {
  const { ui, frame, size, glyphs } = session;
  const { overlay } = ui;
  switch (overlay?.kind) {
    case 'help': {
      const title = new LineBuilder().add(' Keys of virqtop', 'title').add('   Esc or ? closes', 'dim');
      const blocks = helpBlocks(frame.snapshot.devices, glyphs);
      return { title, lines: helpLines(blocks, size.columns, glyphs.ellipsis) };
    }
    case 'text': {
      const title = new LineBuilder().add(` ${overlay.title}`, 'title').add('   Esc closes', 'dim');
      return { title, lines: overlay.lines.flatMap((line) => wrapped(line, size.columns - 2)) };
    }
    case 'columns':
      return columnsContent(session, overlay.at);
    case 'details':
      return { title: detailsTitle(session, overlay.of), lines: detailsLines(session, overlay.of) };
    default:
      return undefined;
  }
}

/** A line that is too long goes on below, further in. */
function wrapped(text: string, width: number): LineBuilder[] {
  const out: LineBuilder[] = [];
  let rest = [...text];
  for (let indent = ' '; out.length === 0 || rest.length > 0; indent = '      ') {
    const room = width - indent.length + 1;
    const blank = rest.length > room ? rest.lastIndexOf(' ', room) : -1;
    const end = blank > room / 2 ? blank : room;
    out.push(new LineBuilder().add(indent + rest.slice(0, end).join('')));
    rest = rest.slice(end === blank ? end + 1 : end);
  }
  return out;
}

/** Lines below the title and a blank. */
export function overlayRoom({ frame, size }: Session): number {
  return overlayHeight(frame.snapshot.devices, size) - 2;
}

/** How far it can be scrolled. */
export function overlayOverflow(session: Session): number {
  return Math.max(0, (overlayContent(session)?.lines.length ?? 0) - overlayRoom(session));
}
