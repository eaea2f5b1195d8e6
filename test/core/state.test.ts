/** Saving and restoring the parts of a machine. */
import { expect, test } from 'vitest';
import { type Part, Parts, type Plain, restoreArray, saveArray } from '../../engine/core/state.ts';

class Cell implements Part {
  constructor(
    readonly id: string,
    public value: Plain = 0,
  ) {}

  save(): Plain {
    return this.value;
  }

  restore(state: Plain): void {
    this.value = state;
  }
}

test('each part gets its own state back', () => {
  const from = new Parts();
  from.add(new Cell('a', 1));
  from.add(new Cell('b', { list: [1, 2] }));
  const into = new Parts();
  const b = into.add(new Cell('b'));
  const a = into.add(new Cell('a'));
  into.restore(JSON.parse(JSON.stringify(from.save())));
  expect([a.value, b.value]).toEqual([1, { list: [1, 2] }]);
});

test('what was saved does not change when a part runs on', () => {
  const parts = new Parts();
  const list = [1, 2];
  const cell = parts.add(new Cell('a', { list, deep: [{ n: 1 }] }));
  const saved = parts.save();
  list.push(3);
  ((cell.value as { deep: { n: number }[] }).deep[0] as { n: number }).n = 2;
  expect(saved).toEqual({ a: { list: [1, 2], deep: [{ n: 1 }] } });
});

test('parts are saved in the order they were built', () => {
  const parts = new Parts();
  for (const id of ['z', 'a', 'm']) parts.add(new Cell(id));
  expect(Object.keys(parts.save())).toEqual(['z', 'a', 'm']);
});

test('two parts of one id are refused', () => {
  const parts = new Parts();
  parts.add(new Cell('a'));
  expect(() => parts.add(new Cell('a'))).toThrow('part a exists already');
});

test('a state of another machine is refused before anything is changed', () => {
  const parts = new Parts();
  const cell = parts.add(new Cell('a', 'old'));
  expect(() => parts.restore({ a: 'new', nic7: 1 })).toThrow('nic7');
  expect(() => parts.restore({})).toThrow('lacks the part a');
  expect(cell.value).toBe('old');
});

test('typed arrays travel as lists', () => {
  const words = Uint32Array.of(1, 0xffffffff);
  const into = new Uint32Array(2);
  restoreArray(into, JSON.parse(JSON.stringify(saveArray(words))));
  expect(into).toEqual(words);
});
