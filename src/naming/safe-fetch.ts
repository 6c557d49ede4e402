import { lookup as dnsLookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from './address-range.js';
import { FetchFailedError, FetchRefusedError, FetchTooLargeError } from './errors.js';

export interface ResolvedHost {
  readonly address: string;
  readonly family: number;
}

export type HostLookup = (hostname: string) => Promise<readonly ResolvedHost[]>;

export interface SafeFetchOptions {
  /** Loopback and private networks are allowed: for the sandbox and for tests only. */
  readonly allowPrivate: boolean;
  /** `https://host:port` that the operator chose himself: it may be on a private network, unlike where it redirects. */
  readonly ownOrigin?: string;
  /** Sent with POST if given, else the request is a GET. */
  readonly json?: unknown;
  /** The same for content of any other type. */
  readonly post?: PostContent;
  /** Default: 3. The content goes along to where they lead. */
  readonly maxRedirects?: number;
  /** Longest answer, bytes. */
  readonly maxBytes?: number;
  /** For everything together: name look-up, redirects, body. */
  readonly timeoutMs?: number;
  /** Default: the system's resolver. */
  readonly lookup?: HostLookup;
  /** Default: `isPublicAddress`. */
  readonly isPublic?: (address: string) => boolean;
}

export interface PostContent {
  /** With the content type. */
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Uint8Array;
}

export interface SafeResponse {
  /** HTTP status as it came; redirects are followed. */
  readonly status: number;
  readonly body: Uint8Array;
}

const MAX_BYTES = 64 * 1024;
const TIMEOUT_MS = 5_000;
const MAX_REDIRECTS = 3;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

interface Limits {
  readonly signal: AbortSignal;
  readonly maxBytes: number;
}

/**
 * Fetches a URL that a stranger chose. http and https only; the host name is looked up once, every address it has must
 * be public, and the connection goes to the address that was checked (so a second, different DNS answer changes
 * nothing); the same holds for each of its few redirects.
 *
 * @throws FetchRefusedError, FetchTooLargeError (permanent); FetchFailedError (retry).
 */
export async function safeFetch(url: string, options: SafeFetchOptions): Promise<SafeResponse> {
  const limits = {
    signal: AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS),
    maxBytes: options.maxBytes ?? MAX_BYTES,
  };
  const { maxRedirects = MAX_REDIRECTS, post = asPost(options.json) } = options;
  let target = parseHttpUrl(url);
  for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
    const host = await checkedHost(target, options, limits.signal);
    const response = await request(target, host, post, limits);
    if (response.location === null) return response;
    target = parseHttpUrl(response.location, target);
  }
  throw new FetchRefusedError({ reason: `it redirects more than ${maxRedirects} times` });
}

function asPost(json: unknown): PostContent | undefined {
  if (json === undefined) return undefined;
  return { headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(json)) };
}

function parseHttpUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : null;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new FetchRefusedError({ reason: 'it is not an http or https URL' });
  }
  return url;
}

async function checkedHost(url: URL, options: SafeFetchOptions, signal: AbortSignal): Promise<ResolvedHost> {
  const hosts = await resolveHost(url.hostname, options.lookup ?? lookupAll, signal);
  const { isPublic = isPublicAddress, ownOrigin } = options;
  const mayBePrivate = options.allowPrivate || url.origin === ownOrigin;
  if (!mayBePrivate && !hosts.every(({ address }) => isPublic(address))) {
    throw new FetchRefusedError({ reason: 'its host is not on the public internet' });
  }
  return hosts[0]!;
}

async function resolveHost(
  hostname: string,
  lookup: HostLookup,
  signal: AbortSignal,
): Promise<readonly ResolvedHost[]> {
  const literal = hostname.replace(/^\[|\]$/g, '');
  const family = isIP(literal);
  if (family !== 0) return [{ address: literal, family }];
  try {
    const hosts = await Promise.race([lookup(hostname), rejectOn(signal)]);
    if (hosts.length > 0) return hosts;
  } catch (error) {
    throw new FetchFailedError({ reason: 'its host name could not be looked up', cause: error });
  }
  throw new FetchFailedError({ reason: 'its host name has no address' });
}

function lookupAll(hostname: string): Promise<readonly ResolvedHost[]> {
  return dnsLookup(hostname, { all: true, order: 'ipv4first' });
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

interface RawResponse extends SafeResponse {
  readonly location: string | null;
}

/** One request without redirects, on a connection of its own: a pooled one might lead to an address nobody checked. */
function request(
  url: URL,
  host: ResolvedHost,
  post: PostContent | undefined,
  { signal, maxBytes }: Limits,
): Promise<RawResponse> {
  const { request: open } = url.protocol === 'https:' ? https : http;
  const headers = { 'accept-encoding': 'identity', ...post?.headers };
  const method = post === undefined ? 'GET' : 'POST';
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown) => reject(asFetchError(cause, signal));
    const outgoing = open(url, { method, headers, agent: false, signal, lookup: pinned(host) });
    outgoing.on('error', fail);
    outgoing.on('response', (incoming) => void readResponse(incoming, maxBytes).then(resolve, fail));
    outgoing.end(post?.body);
  });
}

function pinned({ address, family }: ResolvedHost): LookupFunction {
  return (_hostname, options, callback) => {
    if (options.all) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

async function readResponse(incoming: http.IncomingMessage, maxBytes: number): Promise<RawResponse> {
  const status = incoming.statusCode!;
  const { location } = incoming.headers;
  if (REDIRECTS.has(status) && location !== undefined) {
    incoming.destroy();
    return { status, body: new Uint8Array(), location };
  }
  return { status, body: await readBody(incoming, maxBytes), location: null };
}

async function readBody(incoming: http.IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new FetchTooLargeError({ limitBytes: maxBytes }); // leaving the loop closes the connection
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function asFetchError(cause: unknown, signal: AbortSignal): Error {
  if (cause instanceof FetchTooLargeError) return cause;
  if (signal.aborted) return new FetchFailedError({ reason: 'its server took too long', cause });
  return new FetchFailedError({ reason: 'its server could not be reached or broke off', cause });
}
