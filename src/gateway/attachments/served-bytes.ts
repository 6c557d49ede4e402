import { Readable } from 'node:stream';
import type { Queryable } from '../../storage/database.js';
import type { AttachmentStore, StoredFile } from './attachment.store.js';
import { AttachmentNotFoundError } from './errors.js';
import type { ByteRange } from './range.js';
import { HEAD_BYTES, sealedChunkBytes } from './sealed-file.js';

/**
 * A part of a sealed file, piece by piece as the other side takes it: a slow reader holds one piece in memory, and no
 * connection to the database.
 */
export function servedBytes(store: AttachmentStore, db: Queryable, file: StoredFile, range: ByteRange): Readable {
  return Readable.from(pieces(store, db, file, range), { objectMode: false });
}

async function* pieces(
  store: AttachmentStore,
  db: Queryable,
  file: StoredFile,
  { from, to }: ByteRange,
): AsyncGenerator<Buffer> {
  const head = await pieceAt(0);
  const chunkBytes = sealedChunkBytes(head);
  if (from < HEAD_BYTES) yield head.subarray(from, to + 1);
  let position = Math.max(1, 1 + Math.floor((from - HEAD_BYTES) / chunkBytes));
  for (let start = HEAD_BYTES + (position - 1) * chunkBytes; start <= to; start += chunkBytes) {
    const piece = await pieceAt(position);
    yield piece.subarray(Math.max(0, from - start), to + 1 - start);
    position += 1;
  }

  /** @throws if it was deleted in the meantime, which cuts the answer off */
  async function pieceAt(index: number): Promise<Buffer> {
    const piece = await store.piece(db, file, index);
    if (!piece) throw new AttachmentNotFoundError();
    return piece;
  }
}
