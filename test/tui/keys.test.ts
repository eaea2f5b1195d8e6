import { describe, expect, test } from 'vitest';
import { ACTIONS } from '../../tui/actions.ts';
import { ASCII, BLOCKS } from '../../tui/glyphs.ts';
import { HELP_COLUMN, helpBlocks, helpLines } from '../../tui/help-text.ts';
import { bindingOf, GROUPS, KEYMAP } from '../../tui/keymap.ts';
import { isText, KeyDecoder } from '../../tui/keys.ts';

describe('the key table', () => {
  test('gives no key two meanings', () => {
    const keys = KEYMAP.flatMap((b) => b.keys);
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
  });

  test('every action has a key and a handler, every handler an action', () => {
    const actions = KEYMAP.map((b) => b.action).sort();
    expect(Object.keys(ACTIONS).sort()).toEqual(actions);
  });

  test('every key is one that the decoder can give', () => {
    const named = [
      ['\x1b[A', 'up'],
      ['\x1b[B', 'down'],
      ['\x1b[C', 'right'],
      ['\x1b[D', 'left'],
      ['\x1b[5~', 'pageup'],
      ['\x1b[6~', 'pagedown'],
      ['\x1b[H', 'home'],
      ['\x1b[F', 'end'],
      ['\x7f', 'backspace'],
      ['\x1bOP', 'f1'],
      ['\x1bOQ', 'f2'],
      ['\x1bOR', 'f3'],
      ['\x1bOS', 'f4'],
      ['\x1b[15~', 'f5'],
      ['\x1b[17~', 'f6'],
      ['\x1b[18~', 'f7'],
      ['\x1b[19~', 'f8'],
      ['\x1b[20~', 'f9'],
      ['\r', 'enter'],
      ['\t', 'tab'],
      ['\x1b[Z', 'shift-tab'],
      [' ', 'space'],
      ['\x1b', 'esc'],
      ['\x03', 'ctrl-c'],
      ['\x1a', 'ctrl-z'],
    ] as const;
    const given = new Map<string, string>(named.map(([bytes, name]) => [name, bytes]));
    for (const key of KEYMAP.flatMap((b) => b.keys)) {
      const decoder = new KeyDecoder();
      const keys = [...decoder.push(given.get(key) ?? key), ...decoder.flush()];
      expect(keys, key).toEqual([key]);
      expect(bindingOf(keys[0]!)).toBeDefined();
    }
  });

  test('its texts fit the narrowest help column, its groups are all shown', () => {
    const devices = [
      { key: '1', name: 'kbd', title: 'i8042 keyboard', fired: 0, storm: 0, ends: [], sources: [] },
    ];
    const blocks = helpBlocks(devices, ASCII);
    expect(Math.max(...blocks.flat().map((line) => line.width))).toBeLessThanOrEqual(HELP_COLUMN);
    for (const glyphs of [ASCII, BLOCKS]) {
      const text = helpLines(helpBlocks(devices, glyphs), 80)
        .map((line) => line.paint((_, t) => t, 80, '~'))
        .join('\n');
      for (const group of GROUPS) expect(text).toContain(group);
      for (const binding of KEYMAP) expect(text).toContain(binding.about);
      expect(text).toContain('kbd: i8042 keyboard');
    }
  });
});

describe('the decoder', () => {
  const decode = (...chunks: string[]) => {
    const decoder = new KeyDecoder();
    return [...chunks.flatMap((c) => decoder.push(c)), ...decoder.flush()];
  };

  test('one chunk may hold many keys', () => {
    expect(decode('jj3\x1b[B\x1bOAq')).toEqual(['j', 'j', '3', 'down', 'up', 'q']);
  });

  test('a sequence may come in pieces', () => {
    expect(decode('\x1b', '[', '6', '~x')).toEqual(['pagedown', 'x']);
    expect(decode('\x1b[1;', '5C')).toEqual(['right']);
  });

  test('ESC alone is Esc once nothing follows; before a letter it is Esc and the letter', () => {
    const decoder = new KeyDecoder();
    expect(decoder.push('\x1b')).toEqual([]);
    expect(decoder.waiting).toBe(true);
    expect(decoder.flush()).toEqual(['esc']);
    expect(decode('\x1bq')).toEqual(['esc', 'q']);
    expect(decode('\x1b\x1b')).toEqual(['esc', 'esc']);
  });

  test('the many spellings of one key', () => {
    expect(decode('\x1b[H\x1bOH\x1b[1~\x1b[7~')).toEqual(['home', 'home', 'home', 'home']);
    expect(decode('\x1b[F\x1bOF\x1b[4~\x1b[8~')).toEqual(['end', 'end', 'end', 'end']);
    expect(decode('\x1bOP\x1b[11~\x1b[[A')).toEqual(['f1', 'f1', 'f1']);
    expect(decode('\x1bOQ\x1b[12~\x1b[[B')).toEqual(['f2', 'f2', 'f2']);
    expect(decode('\x1bOR\x1b[13~\x1b[[C')).toEqual(['f3', 'f3', 'f3']);
    expect(decode('\x1bOS\x1b[14~\x1b[[D')).toEqual(['f4', 'f4', 'f4']);
    expect(decode('\x1b[15~\x1b[[E')).toEqual(['f5', 'f5']);
    expect(decode('\r\n\t\x7f\b')).toEqual(['enter', 'enter', 'tab', 'backspace', 'backspace']);
  });

  test('reports of mouse, focus and cursor are no keys', () => {
    expect(decode('\x1b[<0;10;20M\x1b[I\x1b[24;80R\x1b[?62;c1')).toEqual(['1']);
  });

  test('only characters can be typed', () => {
    expect(['a', 'ü', '漢', 'space', '/'].every(isText)).toBe(true);
    expect(['esc', 'up', 'ctrl-c', 'f1', 'enter'].some(isText)).toBe(false);
  });
});
