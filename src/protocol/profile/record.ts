import type { Hash } from '../../common/ids.js';
import type { CryptoProvider } from '../crypto/provider.js';
import { fromBase64, toBase64 } from '../encoding/base64.js';
import { parseHash, toHex } from '../encoding/hex.js';
import { parseJson } from '../encoding/json.js';
import { sha256Text, stringify } from '../encoding/stringify.js';
import { fromUtf8, toUtf8, utf8Length } from '../encoding/utf8.js';
import { MalformedRecordError, RecordHashMismatchError } from './errors.js';

/** ENS text record of a user: a `SignedUserProfile`. */
export const USER_PROFILE_RECORD = 'network.dm3.profile';
/** ENS text record of a delivery service: a `DeliveryServiceProfile`. */
export const DELIVERY_SERVICE_RECORD = 'network.dm3.deliveryService';

/** What a profile record says: the document itself, or where it is. */
export type ProfileRecord =
  | { readonly kind: 'data'; readonly json: unknown }
  /** `http:` or `https:`, the query with the hash included. */
  | { readonly kind: 'https'; readonly url: string; readonly dm3Hash: Hash }
  | { readonly kind: 'ipfs'; readonly cid: string };

// RFC 2397. The media type is exact (dm3 MTP); parameters may follow.
const DATA_URI = /^data:application\/json((?:;[^;,]*)*),(.*)$/s;
const HTTP_URI = /^https?:\/\//i;
const IPFS_URI = /^ipfs:\/\/([0-9a-z]+)$/i;

/**
 * Reads the text record of a profile in any of its forms (dm3 MTP: profile record).
 * @throws MalformedRecordError, also for a link without a valid `dm3Hash`.
 */
export function parseRecord(text: string): ProfileRecord {
  if (HTTP_URI.test(text)) return linkRecord(text);
  const cid = IPFS_URI.exec(text)?.[1];
  if (cid !== undefined) return { kind: 'ipfs', cid };
  const [, parameters, body] = DATA_URI.exec(text) ?? [];
  if (parameters === undefined || body === undefined) {
    throw new MalformedRecordError({ reason: 'it is neither a JSON data URI nor an http(s) or ipfs link' });
  }
  return { kind: 'data', json: dataJson(parameters.split(';').slice(1), body) };
}

/**
 * Checks a fetched document against the hash in its link. Clients hash the parsed document stringified; the
 * specification can be read as hashing the bytes, so both count.
 * @param dm3Hash with or without `0x`, in any case.
 * @returns the parsed document.
 * @throws RecordHashMismatchError, MalformedEncodingError if it is not JSON.
 */
export function checkRecordHash(crypto: CryptoProvider, body: string | Uint8Array, dm3Hash: string): unknown {
  const bytes = typeof body === 'string' ? toUtf8(body) : body;
  const json = parseJson(typeof body === 'string' ? body : fromUtf8(body));
  const hash = parseHash(dm3Hash);
  const matches = hash === sha256Text(crypto, stringify(json)) || hash === toHex(crypto.sha256(bytes));
  if (!matches) throw new RecordHashMismatchError();
  return json;
}

/** The record to publish: plain where it is ASCII, else base64, since clients mangle anything beyond ASCII. */
export function dataRecord(value: unknown): string {
  const json = stringify(value);
  const isAscii = utf8Length(json) === json.length;
  return isAscii ? `data:application/json,${json}` : `data:application/json;base64,${toBase64(toUtf8(json))}`;
}

function linkRecord(text: string): ProfileRecord {
  if (!URL.canParse(text)) throw new MalformedRecordError({ reason: 'its link is not a URL' });
  const dm3Hash = parseHash(new URL(text).searchParams.get('dm3Hash') ?? '');
  if (dm3Hash === null) throw new MalformedRecordError({ reason: 'its link has no dm3Hash' });
  return { kind: 'https', url: text, dm3Hash };
}

function dataJson(parameters: readonly string[], body: string): unknown {
  const names = parameters.map((parameter) => parameter.toLowerCase());
  const unknown = names.some((name) => name !== 'base64' && name !== 'charset=utf-8');
  if (unknown) throw new MalformedRecordError({ reason: 'its data URI has a parameter we do not know' });
  try {
    return names.includes('base64') ? parseJson(fromUtf8(fromBase64(percentDecoded(body)))) : plainJson(body);
  } catch (cause) {
    throw new MalformedRecordError({ reason: 'its data is not JSON', cause });
  }
}

/** Raw JSON comes first: a percent sign in it is content. */
function plainJson(body: string): unknown {
  try {
    return parseJson(body);
  } catch {
    return parseJson(percentDecoded(body));
  }
}

function percentDecoded(text: string): string {
  return text.includes('%') ? decodeURIComponent(text) : text;
}
