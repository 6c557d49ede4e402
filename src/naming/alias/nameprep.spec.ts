import { describe, expect, it } from '@jest/globals';
import { dnsEncode } from 'ethers';
import { ethers as ethers5 } from 'ethers5';
import { howOften } from '../../../test/support/how-often.js';
import { isEnsip15 } from '../ens-name.js';
import { isNameprepStable } from './nameprep.js';

const { nameprep } = ethers5.utils;

/** Where scripts and symbols lie close together; of the wide fields (Han, Hangul, unassigned) a sample will do. */
const DENSE: readonly [number, number][] = [
  [0x80, 0x33ff],
  [0xa000, 0xabff],
  [0xf900, 0xfeff],
  [0x10000, 0x105ff],
  [0x1d000, 0x1d7ff],
];

/** Of the dense ones, all in CI. */
const STEP = howOften(1, 4);

function* codePoints(): Generator<string> {
  for (let code = 0x80; code <= 0x10ffff; code++) {
    const dense = code % STEP === 0 && DENSE.some(([first, last]) => first <= code && code <= last);
    if ((dense || code % 101 === 0) && (code < 0xd800 || code > 0xdfff)) yield String.fromCodePoint(code);
  }
}

/** Some code points may stand only in some places. */
const labelsWith = (char: string) => [char, `a${char}`, `x${char}x`];

function isFixed(label: string): boolean {
  try {
    return nameprep(`${label}.eth`) === `${label}.eth`;
  } catch {
    return false;
  }
}

describe('isNameprepStable', () => {
  const kept = [...codePoints()].flatMap((char) => labelsWith(char).find(isEnsip15) ?? []);

  it('says of every code point that ENSIP-15 keeps what nameprep says', () => {
    const wrong = kept.filter((label) => isNameprepStable(label) !== isFixed(label));
    expect(kept.length).toBeGreaterThan(9_000 / STEP);
    expect(wrong).toEqual([]);
  });

  it('knows no code point that nameprep calls unassigned', () => {
    const unassigned = [...codePoints()].filter(isUnassigned);
    expect(unassigned.filter((char) => isNameprepStable(char))).toEqual([]);
  });

  it('lets through only labels that ethers 5 and 6 hash alike: as the same bytes', () => {
    const stable = kept.filter(isNameprepStable);
    expect(stable.filter((label) => ethers5.utils.dnsEncode(label) !== dnsEncode(label))).toEqual([]);
  });

  it.each(['bücher', 'пример', '例え', 'شركة', 'my-shop1'])('keeps %s', (label) => {
    expect(isNameprepStable(label)).toBe(true);
  });

  it.each(['faß', 'σας', '🦊', 'ﬁ', 'Bücher', 'a_b', 'a.b', ''])('does not keep %j', (label) => {
    expect(isNameprepStable(label)).toBe(false);
  });
});

function isUnassigned(char: string): boolean {
  try {
    nameprep(`x${char}x`);
    return false;
  } catch (error) {
    return String(error).includes('UNASSIGNED');
  }
}
