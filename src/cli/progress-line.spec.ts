import { expect, it } from '@jest/globals';
import { progressLine } from './progress-line.js';

function shown(isTTY: boolean, shares: readonly number[]): string {
  let text = '';
  const show = progressLine({ isTTY, write: (chunk: unknown) => Boolean((text += chunk as string)) });
  for (const share of shares) show(`${share * 1_000} done`, share);
  return text;
}

it('is one line that changes on a terminal', () => {
  expect(shown(true, [0.1, 0.5, 1])).toBe(
    '\r\u001b[K100 done, 10 %\r\u001b[K500 done, 50 %\r\u001b[K1000 done, 100 %\n',
  );
});

it('is a line for each tenth elsewhere, the last one included', () => {
  const shares = Array.from({ length: 1_000 }, (_, index) => (index + 1) / 1_000);
  expect(shown(false, shares).match(/\d+(?= %)/g)).toEqual([
    '10',
    '20',
    '30',
    '40',
    '50',
    '60',
    '70',
    '80',
    '90',
    '100',
  ]);
  expect(shown(false, [1])).toBe('1000 done, 100 %\n');
});
