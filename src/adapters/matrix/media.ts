import { GatewayError } from '../../common/errors.js';
import type { NeutralAttachment } from '../../gateway/adapter/message.js';
import type { MatrixApi } from './api.js';
import { HomeserverError } from './errors.js';
import type { MatrixFile } from './from-matrix.js';
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

/**
 * A file from the homeserver. It is read piece by piece and given up as soon as it turns out to be too large, whatever
 * its sender said.
 * @throws FileTooLargeError; HomeserverError
 */
export async function fetchFile(
  api: MatrixApi,
  file: MatrixFile,
  { as, limitBytes }: { as: string; limitBytes: number },
): Promise<NeutralAttachment> {
  const { name, mediaType, size } = file;
  if (size !== null && size > limitBytes) throw new FileTooLargeError({ name, sizeBytes: size, limitBytes });
  const response = await api.download(as, file);
  const declared = Number(response.headers.get('content-length') ?? 0);
  if (declared > limitBytes) {
    await response.body?.cancel();
    throw new FileTooLargeError({ name, sizeBytes: declared, limitBytes });
  }
  return { name, mediaType, content: { bytes: await readAtMost(response, name, limitBytes) } };
}

async function readAtMost(response: Response, name: string, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of response.body ?? []) {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) throw new FileTooLargeError({ name, sizeBytes, limitBytes });
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof FileTooLargeError) throw cause;
    throw new HomeserverError({ status: 0, errcode: null, words: 'a file broke off.', cause });
  }
  return new Uint8Array(Buffer.concat(chunks));
}
