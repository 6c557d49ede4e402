/** What a browser runs (`unseal.js`), for the tests. */
export const HEAD_BYTES: number;

export class UnsealError extends Error {
  readonly code: 'no-key' | 'wrong-key' | 'not-a-file' | 'damaged' | 'cut-off';
}

export type Key = unknown;

export interface Head {
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly chunkBytes: number;
  readonly chunks: number;
  readonly sealedSize: number;
}

export function readKey(text: string): Promise<Key>;
export function readHead(key: Key, head: Uint8Array): Promise<Head>;
export function chunkOffset(head: Head, index: number): number;
export function openChunk(key: Key, head: Head, index: number, sealed: Uint8Array): Promise<Uint8Array>;
export function openChunks(
  key: Key,
  head: Head,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  first?: number,
): AsyncGenerator<Uint8Array>;
