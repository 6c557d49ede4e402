import * as fc from 'fast-check';

/** Names that every object has: a text that is used as a key may be one of them. */
const MEMBERS = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'length', 'key'];
const FIRST_SURROGATE = 0xd800;
const SURROGATES = 0x800;
const CODE_POINTS = 0x11_0000 - SURROGATES;

/** Any code point that may stand alone; a small number is the more likely one. */
const codePoint = fc
  .integer({ min: 0, max: CODE_POINTS - 1 })
  .map((index) => String.fromCodePoint(index < FIRST_SURROGATE ? index : index + SURROGATES));
const ascii = fc.integer({ min: 0, max: 0x7f }).map((code) => String.fromCodePoint(code));
const unit = fc.oneof({ weight: 3, arbitrary: codePoint }, { weight: 1, arbitrary: ascii });

/**
 * What `fc.string({ unit: 'binary' })` is, without its map of the million code points, which every test file would make
 * anew: it takes most of a second and a hundred megabytes. Lengths count code points.
 */
export function anyText({ minLength = 0, maxLength }: { minLength?: number; maxLength?: number } = {}) {
  const fits = MEMBERS.filter(({ length }) => length >= minLength && length <= (maxLength ?? length));
  const text = fc.array(unit, { minLength, maxLength }).map((parts) => parts.join(''));
  if (fits.length === 0) return text;
  return fc.oneof({ weight: 19, arbitrary: text }, { weight: 1, arbitrary: fc.constantFrom(...fits) });
}
