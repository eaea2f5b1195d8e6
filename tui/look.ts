/** How a viewer's screen is drawn: characters and colours, as options, the environment and the terminal say. */
import { ASCII, BLOCKS, type Glyphs, SLOW, wantsAscii } from './glyphs.ts';
import { colourDepth, type Depth, THEMES } from './theme.ts';

export interface LookOptions {
  /** no characters beyond ASCII */
  readonly ascii?: boolean | undefined;
  /** for a slow line: ASCII, no colour, no sparklines */
  readonly slow?: boolean | undefined;
  readonly color?: 'auto' | 'always' | 'never' | undefined;
  readonly theme?: string | undefined;
}

export interface Look {
  readonly theme: string;
  readonly depth: Depth;
  readonly glyphs: Glyphs;
}

/** @param env of the terminal: TERM, COLORTERM, NO_COLOR, FORCE_COLOR and the locale */
export function lookOf(options: LookOptions, env: NodeJS.ProcessEnv): Look {
  const { ascii, slow, color = slow ? 'never' : 'auto', theme = THEMES[0]!.name } = options;
  return {
    theme,
    depth: colourDepth(color, env),
    glyphs: slow ? SLOW : ascii || wantsAscii(env) ? ASCII : BLOCKS,
  };
}
