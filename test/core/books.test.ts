/** The books: raised = delivered + coalesced + ignored + pending, per account, at any moment. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Account, Books, NOWHERE } from '../../engine/core/books.ts';
import type { Plain } from '../../engine/core/state.ts';

function ignoredOf(account: Account): number {
  return Object.values(account.ignored).reduce((sum, n) => sum + n, 0);
}

function expectBalanced(books: Books): void {
  for (const account of books.accounts()) {
    const { raised, delivered, coalesced, pending } = account;
    expect(raised, JSON.stringify(account)).toBe(delivered + coalesced + pending + ignoredOf(account));
  }
}

/** One source, one destination, two slots. */
function small() {
  const books = new Books();
  return {
    books,
    keyboard: books.sourceOf('keyboard'),
    dom0: books.destinationOf('dom0'),
    slot: books.addSlots(2),
  };
}

function account(books: Books, source = 'keyboard', destination = 'dom0'): Account | undefined {
  return books.accounts().find((a) => a.source === source && a.destination === destination);
}

describe('the life of a raise', () => {
  test('a raise that waits is pending until its handler runs', () => {
    const { books, keyboard, dom0, slot } = small();
    const journey = books.begin(keyboard);
    expect(books.pend(slot, dom0)).toBe(true);
    expect([books.holds(slot), books.journeyIn(slot)]).toEqual([true, journey]);
    expect(account(books)).toEqual({
      source: 'keyboard',
      destination: 'dom0',
      raised: 1,
      delivered: 0,
      coalesced: 0,
      pending: 1,
      ignored: {},
    });
    expect(books.deliver(slot)).toBe(journey);
    expect(books.holds(slot)).toBe(false);
    expect(account(books)).toMatchObject({ raised: 1, delivered: 1, pending: 0 });
  });

  test('a second raise is coalesced into the one that waits, which keeps its journey', () => {
    const { books, keyboard, dom0, slot } = small();
    const first = books.begin(keyboard);
    books.pend(slot, dom0);
    books.begin(keyboard);
    expect(books.pend(slot, dom0)).toBe(false);
    expect(account(books)).toMatchObject({ raised: 2, coalesced: 1, pending: 1 });
    expect(books.deliver(slot)).toBe(first);
  });

  test('a raise coalesced into that of another source is on the books of its own', () => {
    const { books, keyboard, dom0, slot } = small();
    books.begin(keyboard);
    books.pend(slot, dom0);
    books.begin(books.sourceOf('mouse'));
    books.pend(slot, dom0);
    books.deliver(slot);
    expect(account(books)).toMatchObject({ raised: 1, delivered: 1 });
    expect(account(books, 'mouse')).toMatchObject({ raised: 1, delivered: 0, coalesced: 1 });
  });

  test('a raise without a destination is ignored for a reason', () => {
    const { books, keyboard } = small();
    books.begin(keyboard);
    books.ignore(NOWHERE, 'masked');
    books.begin(keyboard);
    books.ignore(NOWHERE, 'masked');
    expect(account(books, 'keyboard', '-')).toMatchObject({ raised: 2, ignored: { masked: 2 } });
  });

  test('a raise with two destinations is raised once on each account', () => {
    const { books, keyboard, dom0, slot } = small();
    books.begin(keyboard);
    books.pend(slot, dom0);
    books.pend(slot + 1, books.destinationOf('dom1'));
    expect(books.accounts().map((a) => [a.destination, a.raised])).toEqual([
      ['dom0', 1],
      ['dom1', 1],
    ]);
  });

  test('a raise moves from slot to slot without being raised again', () => {
    const { books, keyboard, dom0, slot } = small();
    const journey = books.begin(keyboard);
    books.pend(slot, dom0);
    expect(books.move(slot, slot + 1)).toBe(true);
    expect([books.holds(slot), books.journeyIn(slot + 1)]).toEqual([false, journey]);
    expect(account(books)).toMatchObject({ raised: 1, pending: 1 });
  });

  test('a raise that moves into a taken slot is coalesced there', () => {
    const { books, keyboard, dom0, slot } = small();
    const first = books.begin(keyboard);
    books.pend(slot + 1, dom0);
    books.begin(keyboard);
    books.pend(slot, dom0);
    expect(books.move(slot, slot + 1)).toBe(false);
    expect([books.holds(slot), books.journeyIn(slot + 1)]).toEqual([false, first]);
    expect(account(books)).toMatchObject({ raised: 2, coalesced: 1, pending: 1 });
  });

  test('moving a raise to where it is leaves it there', () => {
    const { books, keyboard, dom0, slot } = small();
    books.begin(keyboard);
    books.pend(slot, dom0);
    expect(books.move(slot, slot)).toBe(true);
    expect(account(books)).toMatchObject({ raised: 1, coalesced: 0, pending: 1 });
  });

  test('what waits may be lost after all, for a reason', () => {
    const { books, keyboard, dom0, slot } = small();
    books.begin(keyboard);
    books.pend(slot, dom0);
    books.discard(slot, 'closed');
    expect(account(books)).toMatchObject({ raised: 1, pending: 0, ignored: { closed: 1 } });
  });

  test('an empty slot delivers, moves and loses nothing', () => {
    const { books, keyboard, dom0, slot } = small();
    books.begin(keyboard);
    books.pend(slot + 1, dom0);
    expect(books.deliver(slot)).toBe(0);
    expect(books.move(slot, slot + 1)).toBe(false);
    books.discard(slot, 'closed');
    expect(account(books)).toMatchObject({ raised: 1, pending: 1, coalesced: 0, ignored: {} });
  });

  test('what waits is carried on in its own name', () => {
    const { books, keyboard, dom0, slot } = small();
    const journey = books.begin(keyboard);
    books.pend(slot, dom0);
    books.begin(books.sourceOf('disk'));
    books.resume(slot);
    expect([books.sourceName(books.source), books.journey]).toEqual(['keyboard', journey]);
  });

  test('resuming an empty slot leaves the current raise current', () => {
    const { books, keyboard, dom0, slot } = small();
    books.begin(keyboard);
    books.pend(slot, dom0);
    books.deliver(slot);
    const disk = books.begin(books.sourceOf('disk'));
    books.resume(slot);
    expect([books.sourceName(books.source), books.journey]).toEqual(['disk', disk]);
  });

  test('journeys are numbered from 1', () => {
    const { books, keyboard } = small();
    expect([books.begin(keyboard), books.begin(keyboard)]).toEqual([1, 2]);
  });
});

test('slots are handed out in rows that do not overlap, and keep what they hold as more are added', () => {
  const { books, keyboard, dom0, slot } = small();
  books.begin(keyboard);
  books.pend(slot, dom0);
  const starts = [300, 4, 1000].map((count) => books.addSlots(count));
  expect(starts).toEqual([2, 302, 306]);
  expect(books.holds(slot)).toBe(true);
  expect(Array.from({ length: 1304 }, (_, i) => books.holds(2 + i))).not.toContain(true);
});

const SOURCES = ['keyboard', 'nic0', 'xen', 'disk'];
const DESTINATIONS = ['dom0', 'dom1.0', 'dom1.1'];
const SLOTS = 6;
const WHY = ['masked', 'closed', 'no handler'];

const OP = fc.oneof(
  fc.record({ op: fc.constant('begin' as const), source: fc.nat(SOURCES.length - 1) }),
  fc.record({
    op: fc.constant('pend' as const),
    slot: fc.nat(SLOTS - 1),
    destination: fc.nat(DESTINATIONS.length - 1),
  }),
  fc.record({ op: fc.constant('move' as const), slot: fc.nat(SLOTS - 1), to: fc.nat(SLOTS - 1) }),
  fc.record({ op: fc.constantFrom('deliver' as const, 'resume' as const), slot: fc.nat(SLOTS - 1) }),
  fc.record({ op: fc.constant('discard' as const), slot: fc.nat(SLOTS - 1), why: fc.constantFrom(...WHY) }),
  fc.record({
    op: fc.constant('ignore' as const),
    destination: fc.nat(DESTINATIONS.length - 1),
    why: fc.constantFrom(...WHY),
  }),
);
type Op = typeof OP extends fc.Arbitrary<infer T> ? T : never;

const OPS = fc.array(OP, { maxLength: 200, size: 'max' });

/** Some names and slots are known when it is built, the others come up while it runs. */
function board() {
  const books = new Books();
  const known = books.sourceOf(SOURCES[0]!);
  const dom0 = books.destinationOf(DESTINATIONS[0]!);
  books.addSlots(SLOTS);
  books.begin(known);
  return { books, known, dom0 };
}

function apply(books: Books, op: Op): void {
  switch (op.op) {
    case 'begin':
      books.begin(books.sourceOf(SOURCES[op.source]!));
      break;
    case 'pend':
      books.pend(op.slot, books.destinationOf(DESTINATIONS[op.destination]!));
      break;
    case 'move':
      books.move(op.slot, op.to);
      break;
    case 'deliver':
      books.deliver(op.slot);
      break;
    case 'resume':
      books.resume(op.slot);
      break;
    case 'discard':
      books.discard(op.slot, op.why);
      break;
    case 'ignore':
      books.ignore(books.destinationOf(DESTINATIONS[op.destination]!), op.why);
  }
}

function saved(books: Books): Plain {
  return JSON.parse(JSON.stringify(books.save()));
}

describe('after any sequence of operations', () => {
  test('every account balances, and the slots hold what is pending', () => {
    fc.assert(
      fc.property(OPS, (ops) => {
        const { books } = board();
        let raises = 0;
        for (const op of ops) {
          apply(books, op);
          if (op.op === 'pend' || op.op === 'ignore') raises++;
          expectBalanced(books);
        }
        const accounts = books.accounts();
        expect(accounts.reduce((sum, a) => sum + a.raised, 0)).toBe(raises);
        const held = Array.from({ length: SLOTS }, (_, i) => books.holds(i)).filter(Boolean).length;
        expect(accounts.reduce((sum, a) => sum + a.pending, 0)).toBe(held);
      }),
      { numRuns: 300 },
    );
  });

  test('a fresh build takes the saved books over and both go on the same', () => {
    fc.assert(
      fc.property(OPS, OPS, (before, after) => {
        const { books } = board();
        for (const op of before) apply(books, op);
        const fresh = board();
        fresh.books.restore(saved(books));
        expect(saved(fresh.books)).toEqual(saved(books));
        expect([fresh.books.source, fresh.books.journey]).toEqual([books.source, books.journey]);
        for (const op of after) {
          apply(books, op);
          apply(fresh.books, op);
          expectBalanced(fresh.books);
        }
        expect(fresh.books.accounts()).toEqual(books.accounts());
        expect(saved(fresh.books)).toEqual(saved(books));
      }),
      { numRuns: 200 },
    );
  });

  test('books that have run on can be turned back, and ids from any time keep their meaning', () => {
    fc.assert(
      fc.property(OPS, OPS, OPS, (before, between, after) => {
        const { books, known, dom0 } = board();
        for (const op of before) apply(books, op);
        const state = saved(books);
        const accounts = books.accounts();
        for (const op of between) apply(books, op);
        const late = books.sourceOf('opened late');
        books.restore(state);
        expect(books.accounts()).toEqual(accounts);
        expect([books.sourceOf(SOURCES[0]!), books.destinationOf(DESTINATIONS[0]!)]).toEqual([known, dom0]);
        expect(books.sourceName(late)).toBe('opened late');
        books.begin(late);
        books.ignore(NOWHERE, 'late');
        for (const op of after) apply(books, op);
        expectBalanced(books);
        expect(account(books, 'opened late', '-')).toMatchObject({ ignored: { late: 1 } });
      }),
      { numRuns: 200 },
    );
  });
});

test('slots added while running are restored with what they hold', () => {
  const { books, known, dom0 } = board();
  const late = books.addSlots(1000) + 999;
  const journey = books.begin(known);
  books.pend(late, dom0);
  const fresh = board();
  fresh.books.restore(saved(books));
  expect([fresh.books.holds(late), fresh.books.journeyIn(late)]).toEqual([true, journey]);
  expect(fresh.books.addSlots(1)).toBe(late + 1);
});

test('accounts opened before a restore are gone after it', () => {
  const from = board();
  const into = board();
  into.books.ignore(NOWHERE, 'masked');
  into.books.restore(saved(from.books));
  expect(into.books.accounts()).toEqual([]);
});

test('what was saved does not change with the books', () => {
  const { books, known, dom0 } = board();
  const state = books.save();
  const text = JSON.stringify(state);
  books.sourceOf('new');
  books.begin(known);
  books.pend(0, dom0);
  expect(JSON.stringify(state)).toBe(text);
});
