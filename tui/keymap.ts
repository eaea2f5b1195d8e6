/**
 * Every key of the monitor, in one table. It drives the input, prints the help and names the keys of the
 * bottom line.
 */

export type Action =
  | 'fire'
  | 'burst'
  | 'raise'
  | 'storm'
  | 'mask'
  | 'affinity'
  | 'ipi'
  | 'nmi'
  | 'pace'
  | 'pause'
  | 'step'
  | 'seek'
  | 'back'
  | 'forth'
  | 'stepBack'
  | 'present'
  | 'slower'
  | 'faster'
  | 'nextDomain'
  | 'previousDomain'
  | 'nextView'
  | 'previousView'
  | 'view'
  | 'details'
  | 'path'
  | 'earlier'
  | 'hook'
  | 'up'
  | 'down'
  | 'pageUp'
  | 'pageDown'
  | 'first'
  | 'last'
  | 'sort'
  | 'sortLeft'
  | 'sortRight'
  | 'reverse'
  | 'filter'
  | 'clear'
  | 'totals'
  | 'transpose'
  | 'columns'
  | 'span'
  | 'hideIdle'
  | 'resetRates'
  | 'delay'
  | 'redrawFaster'
  | 'redrawSlower'
  | 'theme'
  | 'writeConfig'
  | 'dump'
  | 'help'
  | 'suspend'
  | 'quit';

export const GROUPS = ['Fire', 'Do', 'Time', 'Look', 'Table', 'Screen'] as const;
export type Group = (typeof GROUPS)[number];

export interface Binding {
  /** names of keys as the decoder gives them */
  readonly keys: readonly string[];
  /** as the help prints them */
  readonly label: string;
  readonly group: Group;
  readonly action: Action;
  readonly about: string;
  /** acts on what all viewers see, as everything of Fire, Do and Time does */
  readonly shared?: true;
  /** for the bottom line: the word beside the key, and how dearly it is kept there */
  readonly footer?: { readonly key: string; readonly word: string; readonly keep: number };
}

export const KEYMAP: readonly Binding[] = [
  {
    keys: ['1', '2', '3', '4', '5', '6', '7', '8', '9', '0'],
    label: '1-9 0',
    group: 'Fire',
    action: 'fire',
    about: 'fire that device',
  },
  {
    keys: ['B'],
    label: 'B',
    group: 'Fire',
    action: 'burst',
    about: 'the last of them ten times',
    footer: { key: 'B', word: 'burst', keep: 5 },
  },
  {
    keys: ['S'],
    label: 'S',
    group: 'Fire',
    action: 'storm',
    about: 'it fires by itself: on, off',
    footer: { key: 'S', word: 'storm', keep: 4 },
  },
  {
    keys: ['(', ')', 'v'],
    label: '( ) v',
    group: 'Fire',
    action: 'pace',
    about: 'half, twice, type its rate',
    footer: { key: '( ) v', word: 'rate', keep: 6 },
  },
  {
    keys: ['x'],
    label: 'x',
    group: 'Do',
    action: 'raise',
    about: "raise the row's interrupt",
    footer: { key: 'x', word: 'raise', keep: 3 },
  },
  {
    keys: ['m'],
    label: 'm',
    group: 'Do',
    action: 'mask',
    about: 'disable_irq, enable_irq',
    footer: { key: 'm', word: 'mask', keep: 3 },
  },
  {
    keys: ['a'],
    label: 'a',
    group: 'Do',
    action: 'affinity',
    about: "type the row's CPUs: 0-1,3",
    footer: { key: 'a', word: 'affinity', keep: 1 },
  },
  { keys: ['i'], label: 'i', group: 'Do', action: 'ipi', about: 'reschedule IPI to the CPU' },
  { keys: ['N'], label: 'N', group: 'Do', action: 'nmi', about: 'NMI to the CPU' },
  {
    keys: ['space'],
    label: 'space',
    group: 'Time',
    action: 'pause',
    about: 'pause, or go on',
    footer: { key: 'space', word: 'pause', keep: 8 },
  },
  {
    keys: ['.'],
    label: '.',
    group: 'Time',
    action: 'step',
    about: 'one event, hop, record',
    footer: { key: '.', word: 'step', keep: 7 },
  },
  {
    keys: ['n'],
    label: 'n',
    group: 'Time',
    action: 'seek',
    about: 'run to the next interrupt',
    footer: { key: 'n', word: 'next', keep: 4 },
  },
  {
    keys: [','],
    label: ',',
    group: 'Time',
    action: 'back',
    about: 'back in time, a frame',
    footer: { key: ', ;', word: 'back forth', keep: 3 },
  },
  { keys: [';'], label: ';', group: 'Time', action: 'forth', about: 'forth again, a frame' },
  {
    keys: ['backspace'],
    label: 'Bksp',
    group: 'Time',
    action: 'stepBack',
    about: 'one event or hop back',
  },
  { keys: ['L'], label: 'L', group: 'Time', action: 'present', about: 'out of the past, to now' },
  { keys: ['['], label: '[', group: 'Time', action: 'slower', about: 'slower, down to 1e-6x' },
  {
    keys: [']'],
    label: ']',
    group: 'Time',
    action: 'faster',
    about: 'faster, up to no limit',
    footer: { key: '[ ]', word: 'speed', keep: 3 },
  },
  {
    keys: ['right'],
    label: 'right',
    group: 'Look',
    action: 'nextDomain',
    about: 'next domain',
    footer: { key: 'left right', word: 'domain', keep: 2 },
  },
  { keys: ['left'], label: 'left', group: 'Look', action: 'previousDomain', about: 'previous domain' },
  {
    keys: ['tab'],
    label: 'Tab',
    group: 'Look',
    action: 'nextView',
    about: 'next view',
    footer: { key: 'Tab', word: 'view', keep: 6 },
  },
  { keys: ['shift-tab'], label: 'S-Tab', group: 'Look', action: 'previousView', about: 'view before' },
  {
    keys: ['f2', 'f3', 'f4', 'f5', 'f6', 'f7', 'f8', 'f9'],
    label: 'F2 to F9',
    group: 'Look',
    action: 'view',
    about: 'the views, left to right',
  },
  {
    keys: ['enter'],
    label: 'Enter',
    group: 'Look',
    action: 'details',
    about: 'the row in full, then path',
    footer: { key: 'Enter', word: 'details', keep: 3 },
  },
  {
    keys: ['p'],
    label: 'p',
    group: 'Look',
    action: 'path',
    about: 'path of its last interrupt',
    footer: { key: 'p', word: 'path', keep: 3 },
  },
  {
    keys: ['{', '}'],
    label: '{ }',
    group: 'Look',
    action: 'earlier',
    about: 'the interrupt before, after',
    footer: { key: '{ }', word: 'before after', keep: 5 },
  },
  {
    keys: ['H'],
    label: 'H',
    group: 'Look',
    action: 'hook',
    shared: true,
    about: "log Xen's vectors: on, off",
    footer: { key: 'H', word: 'hook', keep: 5 },
  },
  {
    keys: ['D'],
    label: 'D',
    group: 'Look',
    action: 'dump',
    about: 'a dump: then its letter',
    footer: { key: 'D', word: 'dump', keep: 1 },
  },
  { keys: ['up', 'k'], label: 'up k', group: 'Look', action: 'up', about: 'row, vCPU or hop up' },
  { keys: ['down', 'j'], label: 'down j', group: 'Look', action: 'down', about: 'row, vCPU or hop down' },
  { keys: ['pageup'], label: 'PgUp', group: 'Look', action: 'pageUp', about: 'one page up' },
  { keys: ['pagedown'], label: 'PgDn', group: 'Look', action: 'pageDown', about: 'one page down' },
  { keys: ['home', 'g'], label: 'Home g', group: 'Look', action: 'first', about: 'first row' },
  { keys: ['end', 'G'], label: 'End G', group: 'Look', action: 'last', about: 'last row' },
  {
    keys: ['s'],
    label: 's',
    group: 'Table',
    action: 'sort',
    about: 'sort: next order',
    footer: { key: 's', word: 'sort', keep: 2 },
  },
  { keys: ['<'], label: '<', group: 'Table', action: 'sortLeft', about: 'sort by the column before' },
  { keys: ['>'], label: '>', group: 'Table', action: 'sortRight', about: 'sort by the column after' },
  { keys: ['R'], label: 'R', group: 'Table', action: 'reverse', about: 'reverse the order' },
  {
    keys: ['/', 'f'],
    label: '/ f',
    group: 'Table',
    action: 'filter',
    about: 'filter (regular expression)',
    footer: { key: '/', word: 'filter', keep: 2 },
  },
  { keys: ['esc'], label: 'Esc', group: 'Table', action: 'clear', about: 'clear filter, close, back' },
  { keys: ['t'], label: 't', group: 'Table', action: 'totals', about: 'totals, or each CPU' },
  { keys: ['T'], label: 'T', group: 'Table', action: 'transpose', about: 'a row for each CPU, or back' },
  { keys: ['c'], label: 'c', group: 'Table', action: 'columns', about: 'columns: which are shown' },
  { keys: ['h'], label: 'h', group: 'Table', action: 'span', about: 'history of 30 s, or 5 min' },
  { keys: ['z'], label: 'z', group: 'Table', action: 'hideIdle', about: 'hide rows idle for 30 s' },
  { keys: ['r'], label: 'r', group: 'Table', action: 'resetRates', shared: true, about: 'rates begin anew' },
  { keys: ['d'], label: 'd', group: 'Screen', action: 'delay', shared: true, about: 'type the redraw delay' },
  {
    keys: ['+', '='],
    label: '+',
    group: 'Screen',
    action: 'redrawFaster',
    shared: true,
    about: 'redraw more often',
  },
  {
    keys: ['-'],
    label: '-',
    group: 'Screen',
    action: 'redrawSlower',
    shared: true,
    about: 'redraw less often',
  },
  { keys: ['o'], label: 'o', group: 'Screen', action: 'theme', about: 'next theme' },
  { keys: ['W'], label: 'W', group: 'Screen', action: 'writeConfig', about: 'keep all this as it is' },
  {
    keys: ['?', 'f1'],
    label: '? F1',
    group: 'Screen',
    action: 'help',
    about: 'this help',
    footer: { key: '?', word: 'help', keep: 10 },
  },
  {
    keys: ['ctrl-z'],
    label: 'Ctrl-Z',
    group: 'Screen',
    action: 'suspend',
    about: 'to the shell; fg returns',
  },
  {
    keys: ['q', 'ctrl-c'],
    label: 'q Ctrl-C',
    group: 'Screen',
    action: 'quit',
    about: 'quit',
    footer: { key: 'q', word: 'quit', keep: 9 },
  },
];

const BY_KEY = new Map(KEYMAP.flatMap((b) => b.keys.map((key) => [key, b] as const)));

/** What a key does; undefined if nothing. */
export function bindingOf(key: string): Binding | undefined {
  return BY_KEY.get(key);
}

/** Groups whose keys change what a viewer sees, and nothing for others. */
const OWN: readonly Group[] = ['Look', 'Table', 'Screen'];

/** Does the key do something to the machine, or to how all see it? Whoever only watches may not press it. */
export function isShared({ group, shared }: Binding): boolean {
  return shared === true || !OWN.includes(group);
}

/** What it says then. */
export const WATCHES = 'you watch: others control the machine';
