/** Sentences about a snapshot: how they are read, and when they hold. */
import { expect, test } from 'vitest';
import { judgeExpectation, parseExpectation } from '../../engine/scenario/expectation.ts';

const snapshot = (n: number) => ({
  time: n,
  domains: [{ name: 'a=b', state: 'on', up: true, rows: [n, 1] }],
});

function judge(text: string) {
  return judgeExpectation(parseExpectation(text), {
    now: snapshot(10),
    at: (ns) => (ns === 2e9 ? snapshot(4) : undefined),
    of: (run) => ({ slow: snapshot(1), fast: snapshot(30) })[run],
  });
}

test.each([
  ['time == 10', '10'],
  ['10 == time', '10'],
  ['time >= 0x0a', '10'],
  ['time < 10_000', '10'],
  ['time != 9.5', '10'],
  ['2 * time == 20', '20'],
  ['domains[a=b].state == nothing', 'nothing there'],
  ['domains[name=a=b].state == "on"', '"on"'],
  ["domains[0].state == 'on'", 'nothing there'],
  ['domains[*].up == true', 'true'],
  ['domains[*].rows.total > time', '11 and 10'],
  ['time since 2s == 6', '6'],
  ['3 * time of slow < time of fast', '3 and 30'],
])('%s', (text, found) => {
  const finding = judge(text);
  expect(finding.found).toBe(found);
  expect(finding.held).toBe(!text.startsWith('domains[0]'));
});

test.each(['time == 11', 'time > 10', 'domains[*].state == true', 'domains[*].state > 3', 'cpus.x == 3'])(
  '%s does not hold',
  (text) => {
    expect(judge(text).held).toBe(false);
  },
);

test('what was not there yet has counted from nothing', () => {
  const text = 'time since 3s == 10';
  expect(judge(text)).toEqual({ text, held: true, found: '10' });
});

test.each([
  ['time', /^no relation in it/],
  ['time = 3', /^no relation in it/],
  ['3 == 3', /^no path in it/],
  ['time ==', /^nothing on one side of it/],
  ['time == x y', /^'x y' is no path/],
  ['dom[1] == 3', /^'dom' is not in a snapshot, expected one of cpus, domains,/],
  ['time since soon == 3', /^'soon' is no time, expected one as 2s/],
])('"%s" is refused', (text, message) => {
  expect(() => parseExpectation(text)).toThrow(message);
});

test('a list, or a text, has something', () => {
  expect(judge('domains[*].rows has 10').held).toBe(true);
  expect(judge('domains[*].rows has 11').held).toBe(false);
  expect(judge('domains[*].state has "o"').held).toBe(true);
});

test.each(['once', 'never'])('%s is for who looks at every event', (when) => {
  expect(parseExpectation(`${when} time > 3`)).toMatchObject({ when, relation: '>' });
});
