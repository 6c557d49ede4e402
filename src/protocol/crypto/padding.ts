import { DecryptionError } from './errors.js';
import { utf8Length } from '../encoding/utf8.js';

/** Block size of everything that is encrypted for somebody; storage fields use 1. */
export const PADDING_BLOCK = 2048;

const MARKER = 0x80;

/** Bytes after padding: the next multiple of the block size, at least one byte more. */
export function paddedLength(byteLength: number, blockSize = PADDING_BLOCK): number {
  return (Math.floor(byteLength / blockSize) + 1) * blockSize;
}

/** UTF-8 of a text, then 0x80, then zeros to a whole block (ISO/IEC 7816-4, libsodium's `sodium_pad`). */
export function padText(text: string, blockSize = PADDING_BLOCK): Uint8Array {
  const length = utf8Length(text);
  const padded = Buffer.alloc(paddedLength(length, blockSize));
  padded.write(text, 'utf8');
  padded[length] = MARKER;
  return padded;
}

/**
 * A view of the bytes before the padding. As in libsodium the length need not be a multiple of the block size, but the
 * marker must lie within the last block.
 * @throws DecryptionError
 */
export function unpad(padded: Uint8Array, blockSize = PADDING_BLOCK): Uint8Array {
  const blockStart = padded.length - blockSize;
  let end = padded.length - 1;
  while (end > blockStart && padded[end] === 0) end--;
  if (blockStart < 0 || padded[end] !== MARKER) throw new DecryptionError();
  return padded.subarray(0, end);
}
