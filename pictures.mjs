/**
 * npm run pictures: the pictures of the documentation. Each YAML file in docs/pictures is a demo; virqtop writes down what its monitor
 * shows (--cast), a terminal without a window plays that to the end, and its screen becomes an SVG of the same name. The
 * same program makes the same picture, byte for byte.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import headless from '@xterm/headless';

const HERE = join(import.meta.dirname, 'docs/pictures');
const PROGRAM = join(import.meta.dirname, 'dist/virqtop.mjs');
const SIZE = '120x34';

/** a cell, in units of the picture */
const CELL = { width: 8.4, height: 17, size: 14 };
const MARGIN = 10;
const INK = '#d8d8d8';
const PAPER = '#16181c';
/** the sixteen colours that a terminal has names for */
const SIXTEEN = [
  '#2e3436', '#e05561', '#7fb950', '#d6a43a', '#5b9be0', '#b57edc', '#3fb6b6', '#c8ccd4',
  '#6b7280', '#f0737d', '#9bd36d', '#ecc15e', '#7fb5f0', '#cb9bf0', '#62d0d0', '#ffffff',
]; // biome-ignore format: two rows of eight

/** @param {number} n of xterm's 256 */
function paletteColour(n) {
  if (n < 16) return SIXTEEN[n];
  if (n >= 232) return rgb([0, 0, 0].map(() => 8 + (n - 232) * 10));
  const part = (/** @type {number} */ p) => (p === 0 ? 0 : 55 + p * 40);
  return rgb([Math.floor((n - 16) / 36), Math.floor((n - 16) / 6) % 6, (n - 16) % 6].map(part));
}

/** @param {number[]} parts */
function rgb(parts) {
  return `#${parts.map((p) => p.toString(16).padStart(2, '0')).join('')}`;
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);
}

/** What a cell looks like; equal strings look alike. @param {any} cell */
function styleOf(cell) {
  const colour = (
    /** @type {boolean} */ isRgb,
    /** @type {boolean} */ isPalette,
    /** @type {number} */ n,
    /** @type {string} */ other,
  ) => (isRgb ? `#${n.toString(16).padStart(6, '0')}` : isPalette ? paletteColour(n) : other);
  const ink = colour(cell.isFgRGB(), cell.isFgPalette(), cell.getFgColor(), INK);
  const paper = colour(cell.isBgRGB(), cell.isBgPalette(), cell.getBgColor(), PAPER);
  const [fill, back] = cell.isInverse() ? [paper, ink] : [ink, paper];
  return { fill, back, bold: !!cell.isBold(), dim: !!cell.isDim(), line: !!cell.isUnderline() };
}

/** The screen that a recording ends in. @param {string} file @returns {Promise<any>} */
async function play(file) {
  const [head, ...events] = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const terminal = new headless.Terminal({ cols: head.width, rows: head.height, allowProposedApi: true });
  // the last piece gives the terminal back
  for (const [, , data] of events.filter(([, code]) => code === 'o').slice(0, -1)) {
    await new Promise((done) => terminal.write(data, () => done(undefined)));
  }
  return terminal;
}

/** @param {any} terminal @param {string} title */
function svg(terminal, title) {
  const { active } = terminal.buffer;
  const width = terminal.cols * CELL.width + 2 * MARGIN;
  const height = terminal.rows * CELL.height + 2 * MARGIN;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${fixed(width)} ${height}" role="img" aria-label="${escaped(title)}">`,
    `<rect width="100%" height="100%" rx="8" fill="${PAPER}"/>`,
    `<g font-family="ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="${CELL.size}" xml:space="preserve">`,
  ];
  for (let y = 0; y < terminal.rows; y++) {
    const line = active.getLine(active.baseY + y);
    for (const run of runsOf(line, terminal.cols)) parts.push(...drawn(run, y));
  }
  return `${[...parts, '</g>', '</svg>'].join('\n')}\n`;
}

/** Neighbours that look alike. @param {any} line @param {number} columns */
function runsOf(line, columns) {
  /** @type {{x: number, text: string, style: ReturnType<typeof styleOf>}[]} */
  const runs = [];
  for (let x = 0; x < columns; x++) {
    const cell = line.getCell(x);
    const style = styleOf(cell);
    const last = runs.at(-1);
    if (last && JSON.stringify(last.style) === JSON.stringify(style)) last.text += cell.getChars() || ' ';
    else runs.push({ x, text: cell.getChars() || ' ', style });
  }
  return runs;
}

/** @param {{x: number, text: string, style: ReturnType<typeof styleOf>}} run @param {number} y */
function drawn({ x, text, style }, y) {
  const { fill, back, bold, dim, line } = style;
  const left = fixed(MARGIN + x * CELL.width);
  const top = MARGIN + y * CELL.height;
  const length = fixed(text.length * CELL.width);
  const out = [];
  if (back !== PAPER)
    out.push(`<rect x="${left}" y="${top}" width="${length}" height="${CELL.height}" fill="${back}"/>`);
  if (text.trim() === '' && !line) return out;
  const dress = `${bold ? ' font-weight="bold"' : ''}${dim ? ' opacity="0.6"' : ''}${line ? ' text-decoration="underline"' : ''}`;
  out.push(
    `<text x="${left}" y="${top + 13}" textLength="${length}" fill="${fill}"${dress}>${escaped(text)}</text>`,
  );
  return out;
}

/** @param {number} n */
function fixed(n) {
  return Number(n.toFixed(1));
}

/** The SVG of one YAML file. @param {string} name without its ending */
export async function picture(name) {
  const dir = mkdtempSync(join(tmpdir(), 'virqtop-picture-'));
  try {
    const file = join(HERE, `${name}.yaml`);
    const cast = join(dir, 'cast');
    const args = ['demo', file, '--cast', cast, '--size', SIZE, '--color', 'always', '--theme', 'default'];
    execFileSync(process.execPath, [PROGRAM, ...args], {
      env: { ...process.env, LC_ALL: 'C.UTF-8', TERM: 'xterm-256color' },
    });
    const title = /^title: (.*)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? name;
    return svg(await play(cast), title);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** All there are. */
export function pictures() {
  return readdirSync(HERE)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const name of pictures()) {
    writeFileSync(join(HERE, `${name}.svg`), await picture(name));
    console.log(`docs/pictures/${name}.svg`);
  }
}
