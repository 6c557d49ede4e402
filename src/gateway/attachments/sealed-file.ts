import { createCipheriv } from 'node:crypto';
import type { NeutralAttachment } from '../adapter/message.js';

/** A file whose bytes are here. */
export interface PlainFile extends Pick<NeutralAttachment, 'name' | 'mediaType'> {
  readonly bytes: Uint8Array;
}

/** Of the head: magic, version, chunk size as a power of two, two zeros; then what is sealed. */
export const HEAD_BYTES = 1_024;
export const KEY_BYTES = 32;
const PREFIX_BYTES = 8;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const COUNTER_OFFSET = 7;
const MAGIC = 'dm3a';
const VERSION = 1;
/** Plain bytes of a chunk: 256 KiB. */
const CHUNK_BITS = 18;
const MOST_NAME_BYTES = 255;

/** Last byte of a nonce: which of the three kinds of pieces it seals. */
const KIND = { chunk: 0, lastChunk: 1, head: 2 } as const;

/**
 * A file as it is stored and served (docs/attachments.md, "The format"): a head of fixed length, then chunks in the
 * STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015). A nonce is the chunk's number and whether it is the
 * last one, so that chunks cannot be reordered, dropped or cut off at the end; it never repeats, since a key seals one
 * file. Sizes are padded.
 */
export class SealedFile {
  /** Bytes of all of it. */
  readonly size: number;
  readonly #padded: number;

  /** @param key of this file alone @param chunkBits other than the usual one only for tests */
  constructor(
    private readonly key: Uint8Array,
    private readonly file: PlainFile,
    private readonly chunkBits = CHUNK_BITS,
  ) {
    this.#padded = paddedSize(file.bytes.length);
    this.size = HEAD_BYTES + this.#padded + this.#chunkCount * TAG_BYTES;
  }

  /** Head first; each is made when it is asked for, so that never more than one is in memory. */
  *pieces(): Generator<Buffer> {
    yield this.#head();
    const last = this.#chunkCount - 1;
    for (let index = 0; index <= last; index += 1) {
      yield this.#seal(index, index === last ? KIND.lastChunk : KIND.chunk, this.#chunk(index));
    }
  }

  get #chunkCount(): number {
    return Math.max(1, Math.ceil(this.#padded / this.#chunkBytes));
  }

  get #chunkBytes(): number {
    return 2 ** this.chunkBits;
  }

  get #prefix(): Buffer {
    return Buffer.concat([Buffer.from(MAGIC), Uint8Array.of(VERSION, this.chunkBits, 0, 0)]);
  }

  #head(): Buffer {
    const { name, mediaType, bytes } = this.file;
    const facts = { name: shortened(name, MOST_NAME_BYTES), type: plainType(mediaType), size: bytes.length };
    const padded = Buffer.alloc(HEAD_BYTES - PREFIX_BYTES - TAG_BYTES, ' ');
    padded.write(JSON.stringify(facts));
    return Buffer.concat([this.#prefix, this.#seal(0, KIND.head, padded)]);
  }

  /** Zeros fill the end. */
  #chunk(index: number): Uint8Array {
    const from = index * this.#chunkBytes;
    const length = Math.min(this.#chunkBytes, this.#padded - from);
    const content = this.file.bytes.subarray(from, from + length);
    if (content.length === length) return content;
    const filled = Buffer.alloc(length);
    filled.set(content);
    return filled;
  }

  #seal(index: number, kind: number, plain: Uint8Array): Buffer {
    const nonce = Buffer.alloc(NONCE_BYTES);
    nonce.writeUInt32BE(index, COUNTER_OFFSET);
    nonce[NONCE_BYTES - 1] = kind;
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(this.#prefix);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }
}

/** Bytes of a sealed chunk but the last, by the head of its file. */
export function sealedChunkBytes(head: Uint8Array): number {
  return 2 ** head[MAGIC.length + 1]! + TAG_BYTES;
}

/**
 * Padmé (Nikitin et al., PETS 2019): sizes keep only their first few binary digits, which costs 12 % at most and 3 %
 * for a megabyte. Below 4 GiB, which is more than a key seals here.
 */
export function paddedSize(size: number): number {
  if (size < 4) return size;
  const exponent = 31 - Math.clz32(size);
  const unit = 2 ** (exponent - (32 - Math.clz32(exponent)));
  return Math.ceil(size / unit) * unit;
}

/** RFC 6838 names; whatever else it says is of no use to anybody. */
function plainType(mediaType: string): string {
  return /^[\w!#$&^.+-]{1,63}\/[\w!#$&^.+-]{1,63}$/.test(mediaType) ? mediaType : 'application/octet-stream';
}

/** Whole characters of the beginning; the file's type stays at the end. */
function shortened(name: string, bytes: number): string {
  if (Buffer.byteLength(name) <= bytes) return name;
  const ending = /\.[a-z0-9]{1,10}$/i.exec(name)?.[0] ?? '';
  const room = bytes - Buffer.byteLength(ending) - Buffer.byteLength('…');
  let kept = '';
  for (const character of name) {
    if (Buffer.byteLength(kept) + Buffer.byteLength(character) > room) break;
    kept += character;
  }
  return `${kept}…${ending}`;
}
