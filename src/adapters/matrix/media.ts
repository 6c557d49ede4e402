import { GatewayError } from '../../common/errors.js';
import type { NeutralAttachment } from '../../gateway/adapter/message.js';
import type { MatrixApi } from './api.js';
import { HomeserverError, isOfAnotherServer, OtherServerError } from './errors.js';
import type { MatrixFile } from './from-matrix.js';
import type { MediaBudget, Release } from './media-budget.js';
import { readableSize } from './text.js';

export class FileTooLargeError extends GatewayError {
  constructor({ name, sizeBytes, limitBytes }: { name: string; sizeBytes: number; limitBytes: number }) {
    const message = `The file "${name}" has ${readableSize(sizeBytes)} or more, and ${readableSize(limitBytes)} can be taken at most.`;
    super({ code: 'FILE_TOO_LARGE', kind: 'too-large', message, facts: { sizeBytes, limitBytes } });
  }
}

const LIMIT_KEPT_MS = 600_000;

/** What the homeserver takes as upload; asked for when it is needed, and believed for a while. */
export class MediaLimit {
  #known: { readonly bytes: number | null; readonly until: number } | null = null;

  constructor(private readonly options: { readonly api: MatrixApi; readonly now: () => number }) {}

  /** Null if the homeserver does not say. @throws HomeserverError */
  async bytes(): Promise<number | null> {
    const { api, now } = this.options;
    if (!this.#known || this.#known.until < now()) {
      this.#known = { bytes: await api.mediaLimit(), until: now() + LIMIT_KEPT_MS };
    }
    return this.#known.bytes;
  }
}

/** A file in memory, and how to give the memory back once the core has it. */
export interface HeldFile {
  readonly attachment: NeutralAttachment;
  readonly release: Release;
}

interface FetchOptions {
  readonly api: MatrixApi;
  readonly budget: MediaBudget;
  /** The ghost that asks for it. */
  readonly as: string;
  readonly limitBytes: number;
}

/**
 * A file from the homeserver, once there is memory for it. It is read piece by piece and given up as soon as it turns
 * out to be too large, whatever its sender said.
 * @throws FileTooLargeError; HomeserverError; MemoryBusyError (retry)
 */
export async function fetchFile(file: MatrixFile, options: FetchOptions): Promise<HeldFile> {
  const { name, size } = file;
  const { limitBytes } = options;
  if (size !== null && size > limitBytes) throw new FileTooLargeError({ name, sizeBytes: size, limitBytes });
  const fetched = await fetchWithin(file, options, size ?? limitBytes);
  if (!('sizeBytes' in fetched)) return fetched;
  // Its sender said less than the homeserver: again, with as much memory as it needs.
  const again = await fetchWithin(file, options, fetched.sizeBytes);
  if ('sizeBytes' in again) throw new HomeserverError({ status: 0, errcode: null, words: 'a file changes its size.' });
  return again;
}

/** @returns its size if there is not as much memory as that */
async function fetchWithin(
  file: MatrixFile,
  { api, budget, as, limitBytes }: FetchOptions,
  bytes: number,
): Promise<HeldFile | { readonly sizeBytes: number }> {
  const { name, mediaType } = file;
  const release = await budget.reserve(bytes);
  try {
    const response = await download(file, { api, as });
    const sizeBytes = declaredSize(response) ?? limitBytes;
    if (sizeBytes > limitBytes || sizeBytes > bytes) {
      await response.body?.cancel();
      if (sizeBytes > limitBytes) throw new FileTooLargeError({ name, sizeBytes, limitBytes });
      release();
      return { sizeBytes };
    }
    const content = { bytes: await readAtMost(response, name, sizeBytes) };
    return { attachment: { name, mediaType, content }, release };
  } catch (error) {
    release();
    throw error;
  }
}

/** @throws OtherServerError for files of other servers, also where that one is slow */
async function download(file: MatrixFile, { api, as }: Pick<FetchOptions, 'api' | 'as'>): Promise<Response> {
  try {
    return await api.download(as, file);
  } catch (cause) {
    const isForeign = !as.endsWith(`:${file.server}`);
    const isSlow = cause instanceof HomeserverError && cause.status === 0;
    if (isOfAnotherServer(cause) || (isForeign && isSlow))
      throw new OtherServerError({ what: `The file "${file.name}"`, cause });
    throw cause;
  }
}

/** Null where the homeserver, or what is before it, does not say. */
function declaredSize({ headers }: Response): number | null {
  const length = headers.get('content-length');
  return length === null || headers.has('content-encoding') ? null : Number(length);
}

/** Into one piece of memory: pieces put together would be a second copy. */
async function readAtMost(response: Response, name: string, limitBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(limitBytes);
  let sizeBytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      if (sizeBytes + chunk.length > limitBytes)
        throw new FileTooLargeError({ name, sizeBytes: sizeBytes + chunk.length, limitBytes });
      bytes.set(chunk, sizeBytes);
      sizeBytes += chunk.length;
    }
  } catch (cause) {
    if (cause instanceof FileTooLargeError) throw cause;
    throw new HomeserverError({ status: 0, errcode: null, words: 'a file broke off.', cause });
  }
  return bytes.subarray(0, sizeBytes);
}

/** Base64 as bytes, a piece at a time. */
export function* decodedPieces(base64: string): Generator<Uint8Array> {
  for (let at = 0; at < base64.length; at += PIECE_LENGTH) {
    yield Buffer.from(base64.slice(at, at + PIECE_LENGTH), 'base64');
  }
}

/** Of base64: a multiple of four. */
const PIECE_LENGTH = 65_536;
