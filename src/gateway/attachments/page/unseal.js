// Opens what the gateway keeps (docs/attachments.md, "The format"). Knows nothing of the page around it.

const MAGIC = 'dm3a';
const VERSION = 1;
const KEY_BYTES = 32;
const PREFIX_BYTES = 8;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const COUNTER_OFFSET = 7;
const KIND = { chunk: 0, lastChunk: 1, head: 2 };

/** Bytes before the first chunk. */
export const HEAD_BYTES = 1024;

/** `code`: no-key, wrong-key, not-a-file, damaged, cut-off. */
export class UnsealError extends Error {
  constructor(code) {
    super(code);
    this.name = 'UnsealError';
    this.code = code;
  }
}

/** The key of one file, as its link carries it: 64 hex digits. */
export async function readKey(text) {
  if (!new RegExp(`^[0-9a-f]{${2 * KEY_BYTES}}$`, 'i').test(text)) throw new UnsealError('no-key');
  const bytes = Uint8Array.from(text.match(/../g), (digits) => Number.parseInt(digits, 16));
  return crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['decrypt']);
}

/** What the head says: name, type and size, and how the chunks lie. */
export async function readHead(key, head) {
  if (head.length < HEAD_BYTES) throw new UnsealError('cut-off');
  const prefix = head.slice(0, PREFIX_BYTES);
  const [version, chunkBits] = [prefix[4], prefix[5]];
  if (String.fromCharCode(...prefix.slice(0, 4)) !== MAGIC || version !== VERSION) throw new UnsealError('not-a-file');
  const sealed = head.slice(PREFIX_BYTES, HEAD_BYTES);
  const plain = await open(key, { prefix, index: 0, kind: KIND.head, sealed }, 'wrong-key');
  const { name, type, size } = JSON.parse(new TextDecoder().decode(plain));
  const padded = paddedSize(size);
  const chunkBytes = 2 ** chunkBits;
  const chunks = Math.max(1, Math.ceil(padded / chunkBytes));
  return { name, type, size, prefix, chunkBytes, chunks, sealedSize: HEAD_BYTES + padded + chunks * TAG_BYTES };
}

/** Where a sealed chunk begins in the whole. */
export function chunkOffset(head, index) {
  return HEAD_BYTES + index * (head.chunkBytes + TAG_BYTES);
}

/** One chunk's part of the file. Throws if it is not the very chunk that belongs there. */
export async function openChunk(key, head, index, sealed) {
  const kind = index === head.chunks - 1 ? KIND.lastChunk : KIND.chunk;
  const plain = await open(key, { prefix: head.prefix, index, kind, sealed }, 'damaged');
  return plain.subarray(0, Math.max(0, Math.min(plain.length, head.size - index * head.chunkBytes)));
}

/**
 * The file, chunk by chunk, from sealed bytes in pieces of any size that begin with the chunk `first`. Ends without
 * an error only if every chunk was there, whole and in its place.
 */
export async function* openChunks(key, head, pieces, first = 0) {
  let index = first;
  let held = new Uint8Array(0);
  for await (const piece of pieces) {
    held = joined(held, piece);
    while (index < head.chunks && held.length >= sealedBytes(head, index)) {
      const length = sealedBytes(head, index);
      yield await openChunk(key, head, index, held.slice(0, length));
      held = held.slice(length);
      index += 1;
    }
  }
  if (index < head.chunks) throw new UnsealError('cut-off');
  if (held.length > 0) throw new UnsealError('damaged');
}

function sealedBytes(head, index) {
  const end = index === head.chunks - 1 ? head.sealedSize : chunkOffset(head, index + 1);
  return end - chunkOffset(head, index);
}

async function open(key, { prefix, index, kind, sealed }, code) {
  const iv = new Uint8Array(NONCE_BYTES);
  new DataView(iv.buffer).setUint32(COUNTER_OFFSET, index);
  iv[NONCE_BYTES - 1] = kind;
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData: prefix }, key, sealed));
  } catch {
    throw new UnsealError(code);
  }
}

function paddedSize(size) {
  if (size < 4) return size;
  const exponent = 31 - Math.clz32(size);
  const unit = 2 ** (exponent - (32 - Math.clz32(exponent)));
  return Math.ceil(size / unit) * unit;
}

function joined(a, b) {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
