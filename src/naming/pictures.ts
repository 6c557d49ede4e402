import type { EnsName } from '../common/ids.js';
import type { EnsClient } from './ens-client.js';
import { safeFetch } from './safe-fetch.js';

export interface Picture {
  /** The ENS record it came from, whole: another record is another picture. */
  readonly source: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

interface Parts {
  readonly ens: Pick<EnsClient, 'text'>;
  readonly ipfsGateway: string;
  readonly allowPrivate: boolean;
}

const MAX_BYTES = 1_000_000;
/** By their first bytes, hex: what the server says of them is a stranger's word. */
const SIGNATURES: readonly (readonly [RegExp, string])[] = [
  [/^89504e470d0a1a0a/, 'image/png'],
  [/^ffd8ff/, 'image/jpeg'],
  [/^47494638(37|39)61/, 'image/gif'],
  [/^52494646.{8}57454250/, 'image/webp'],
];

/** The pictures that people publish in the ENS record `avatar` (ENSIP-12): https, ipfs and data; no NFTs, no SVG. */
export class Pictures {
  constructor(private readonly parts: Parts) {}

  /**
   * @param known source of the picture that the caller has already
   * @returns null if there is none that can be shown, `unchanged` if it is the known one
   * @throws NamingUnavailableError, FetchFailedError (retry); FetchRefusedError, FetchTooLargeError
   */
  async of(name: EnsName, known: string | null): Promise<Picture | 'unchanged' | null> {
    const source = await this.parts.ens.text(name, 'avatar');
    if (source === null) return null;
    if (source === known) return 'unchanged';
    const bytes = await this.#fetch(source);
    const mediaType = bytes && mediaTypeOf(bytes);
    return bytes && mediaType ? { source, mediaType, bytes } : null;
  }

  async #fetch(source: string): Promise<Uint8Array | null> {
    const inline = /^data:image\/[\w.+-]+;base64,(.+)$/s.exec(source);
    if (inline) return new Uint8Array(Buffer.from(inline[1]!.slice(0, MAX_BYTES * 2), 'base64').subarray(0, MAX_BYTES));
    const url = this.#urlOf(source);
    if (url === null) return null;
    const { allowPrivate, ipfsGateway } = this.parts;
    // The operator's own gateway may be on a private network, but nobody else leads us there.
    const ownOrigin = source.startsWith('ipfs:') ? new URL(ipfsGateway).origin : undefined;
    const { status, body } = await safeFetch(url, { allowPrivate, maxBytes: MAX_BYTES, ownOrigin });
    return status === 200 ? body : null;
  }

  #urlOf(source: string): string | null {
    const ipfs = /^ipfs:\/\/(?:ipfs\/)?([\w./-]+)$/.exec(source);
    if (ipfs) return `${this.parts.ipfsGateway}/ipfs/${ipfs[1]}`;
    return /^https?:\/\//i.test(source) ? source : null;
  }
}

function mediaTypeOf(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.subarray(0, 16)).toString('hex');
  return SIGNATURES.find(([signature]) => signature.test(head))?.[1] ?? null;
}
