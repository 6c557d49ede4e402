import { createHash, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { anyText } from '../../../test/support/any-text.js';
import { howOften } from '../../../test/support/how-often.js';
import { HEAD_BYTES, openChunks, readHead, readKey, UnsealError, type Head, type Key } from './page/unseal.js';
import { paddedSize, SealedFile, sealedChunkBytes, type PlainFile } from './sealed-file.js';

interface Vector {
  readonly case: string;
  readonly key: string;
  readonly chunkBits: number;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly content: string | null;
  readonly sealedSize: number;
  readonly sealedSha256: string;
  readonly sealed: string | null;
}

const require = createRequire(import.meta.url);
// Made by another implementation: what is here agrees with it, and not only with itself.
const { vectors } = require('../../../test/vectors/attachments.json') as { vectors: Vector[] };

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** What the vectors say of their content. */
function contentOf(size: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, index) => {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(index);
    return sha256(number);
  });
  return Buffer.concat(blocks).subarray(0, size);
}

const seal = (key: Uint8Array, file: PlainFile, chunkBits?: number) => [
  ...new SealedFile(key, file, chunkBits).pieces(),
];

/** What the page makes of sealed bytes that come in one piece. */
async function unseal(key: string, sealed: Uint8Array): Promise<{ head: Head; content: Buffer }> {
  const opener = await readKey(key);
  const head = await readHead(opener, sealed.subarray(0, HEAD_BYTES));
  return { head, content: await content(opener, head, [sealed.subarray(HEAD_BYTES)]) };
}

async function content(key: Key, head: Head, pieces: Iterable<Uint8Array>, first?: number): Promise<Buffer> {
  const opened: Uint8Array[] = [];
  for await (const chunk of openChunks(key, head, pieces, first)) opened.push(chunk);
  return Buffer.concat(opened);
}

describe('What the server seals and the page opens', () => {
  it.each(vectors)('is as in the vector: $case', async (vector) => {
    const { name, type: mediaType, size, chunkBits } = vector;
    const bytes = contentOf(size);
    if (vector.content !== null) expect(hex(bytes)).toBe(vector.content);
    const file = new SealedFile(Buffer.from(vector.key, 'hex'), { name, mediaType, bytes }, chunkBits);
    const sealed = Buffer.concat([...file.pieces()]);
    expect([file.size, sealed.length, hex(sha256(sealed))]).toEqual([
      vector.sealedSize,
      vector.sealedSize,
      vector.sealedSha256,
    ]);
    if (vector.sealed !== null) expect(hex(sealed)).toBe(vector.sealed);

    const opened = await unseal(vector.key, vector.sealed === null ? sealed : Buffer.from(vector.sealed, 'hex'));
    expect(opened.head).toMatchObject({ name, type: mediaType, size, sealedSize: vector.sealedSize });
    expect(opened.content.equals(bytes)).toBe(true);
  });

  it('is the file again, whatever its size, its name, and the pieces in which it comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        anyText({ maxLength: 300 }),
        fc.integer({ min: 3, max: 9 }),
        fc.integer({ min: 1, max: 100 }),
        async (bytes, name, chunkBits, pieceBytes) => {
          const key = randomBytes(32);
          const pieces = seal(key, { name, mediaType: 'image/png', bytes }, chunkBits);
          const sealed = Buffer.concat(pieces);
          const opener = await readKey(hex(key));
          const head = await readHead(opener, pieces[0]!);
          const rest = sealed.subarray(HEAD_BYTES);
          const cut = Array.from({ length: Math.ceil(rest.length / pieceBytes) }, (_, index) =>
            rest.subarray(index * pieceBytes, (index + 1) * pieceBytes),
          );
          expect(head).toMatchObject({ type: 'image/png', size: bytes.length, sealedSize: sealed.length });
          expect((await content(opener, head, cut)).equals(Buffer.from(bytes))).toBe(true);
          expect(pieces.slice(1, -1).every(({ length }) => length === sealedChunkBytes(pieces[0]!))).toBe(true);
        },
      ),
    );
  });

  it('goes on with any chunk', async () => {
    const [key, bytes] = [randomBytes(32), randomBytes(200)];
    const pieces = seal(key, { name: 'a', mediaType: 'a/b', bytes }, 4);
    const opener = await readKey(hex(key));
    const head = await readHead(opener, pieces[0]!);
    for (let first = 0; first < head.chunks; first += 1) {
      expect(hex(await content(opener, head, pieces.slice(1 + first), first))).toBe(hex(bytes.subarray(first * 16)));
    }
  });
});

describe('The head', () => {
  const headOf = async (file: Partial<PlainFile>) => {
    const key = randomBytes(32);
    const [head] = seal(key, { name: 'a', mediaType: 'text/plain', bytes: new Uint8Array(9), ...file });
    return readHead(await readKey(hex(key)), head!);
  };

  it('has the same length whatever is in it', () => {
    const names = [
      '',
      'a',
      'long '.repeat(1_000),
      '\u0000'.repeat(255),
      '"'.repeat(255),
      '\ud800'.repeat(300),
      '📦'.repeat(99),
    ];
    for (const name of names) {
      const [head] = seal(randomBytes(32), {
        name,
        mediaType: `${'x'.repeat(63)}/${'y'.repeat(63)}`,
        bytes: new Uint8Array(1),
      });
      expect(head).toHaveLength(HEAD_BYTES);
    }
  });

  it('keeps the beginning and the end of a long name', async () => {
    const { name } = await headOf({ name: `${'very '.repeat(100)}long 📦.tar.gz` });
    expect(name).toMatch(/^very very .*…\.gz$/);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
  });

  it.each(['text/html; charset=utf-8', 'nonsense', '', 'a/b\r\nX: y', `${'x'.repeat(70)}/y`])(
    'has no use for the media type %j',
    async (mediaType) => expect((await headOf({ mediaType })).type).toBe('application/octet-stream'),
  );
});

describe('What was tampered with', () => {
  const key = randomBytes(32);
  const bytes = randomBytes(100);
  const pieces = seal(key, { name: 'a', mediaType: 'a/b', bytes }, 4);
  const chunks = pieces.slice(1);
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'opened',
      (error: unknown) => (error as UnsealError).code,
    );
  const opened = (parts: readonly Uint8Array[]) => codeOf(unseal(hex(key), Buffer.concat([pieces[0]!, ...parts])));

  it('is opened when nothing was', async () => expect(await opened(chunks)).toBe('opened'));

  it('is noticed at every bit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: Buffer.concat(pieces).length * 8 - 1 }), async (bit) => {
        const sealed = Buffer.concat(pieces);
        sealed[bit >> 3]! ^= 1 << (bit & 7);
        const code = await codeOf(unseal(hex(key), sealed));
        expect(code).toMatch(bit < HEAD_BYTES * 8 ? /^(not-a-file|wrong-key)$/ : /^damaged$/);
      }),
      { numRuns: howOften(300, 60) },
    );
  });

  it('is noticed at every length', async () => {
    const sealed = Buffer.concat(pieces);
    for (let length = 0; length < sealed.length; length += 1) {
      expect(await codeOf(unseal(hex(key), sealed.subarray(0, length)))).toBe('cut-off');
    }
  });

  it('is noticed in every other order', async () => {
    for (let a = 0; a < chunks.length; a += 1) {
      for (let b = 0; b < a; b += 1) {
        const swapped = [...chunks];
        [swapped[a], swapped[b]] = [swapped[b]!, swapped[a]!];
        expect(await opened(swapped)).toBe('damaged');
      }
    }
  });

  it('is noticed where chunks were left out, repeated, or added', async () => {
    expect(await opened(chunks.slice(1))).toBe('damaged');
    expect(await opened(chunks.toSpliced(2, 1))).toBe('damaged');
    expect(await opened(chunks.toSpliced(2, 0, chunks[2]!))).toBe('damaged');
    expect(await opened([...chunks, chunks.at(-1)!])).toBe('damaged');
    expect(await opened([...chunks, Buffer.from([0])])).toBe('damaged');
  });

  it('is noticed where a chunk or the head is of another file', async () => {
    const other = seal(randomBytes(32), { name: 'a', mediaType: 'a/b', bytes }, 4);
    expect(await opened(chunks.with(1, other[2]!))).toBe('damaged');
    expect(await codeOf(unseal(hex(key), Buffer.concat([other[0]!, ...chunks])))).toBe('wrong-key');
  });

  it.each(['', 'xyz', '0'.repeat(63), '0'.repeat(65), `${'0'.repeat(63)}g`])('needs a whole key: %j', async (text) =>
    expect(await codeOf(readKey(text))).toBe('no-key'),
  );

  it('needs the right key', async () => {
    const code = await codeOf(unseal(hex(randomBytes(32)), Buffer.concat(pieces)));
    expect(code).toBe('wrong-key');
  });
});

describe('paddedSize', () => {
  it('is a little more, and the same for most sizes nearby', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (size) => {
        const padded = paddedSize(size);
        expect(padded).toBeGreaterThanOrEqual(size);
        expect(padded).toBeLessThanOrEqual(size * 1.12);
        expect(paddedSize(padded)).toBe(padded);
      }),
    );
    const sizes = new Set(Array.from({ length: 10_000 }, (_, index) => paddedSize(5_000_000 + index)));
    expect(sizes.size).toBeLessThanOrEqual(2);
  });
});
