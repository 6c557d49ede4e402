import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { HomeserverError } from './errors.js';
import { cleanLine } from './text.js';

export interface HomeserverOptions {
  readonly url: string;
  readonly token: string;
  readonly timeoutMs: number;
  /** How long one call may wait, all in all, because the homeserver asks it to. */
  readonly patienceMs?: number;
  /** Told what came of each call: null where it was answered as it should. */
  readonly onOutcome?: (error: HomeserverError | null) => void;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Encoded already: see `path`. */
  readonly path: string;
  /** Who of ours makes it; our bot where it is left out. */
  readonly as?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly bytes?: Upload;
  /** Without our token, which may be what is wrong. */
  readonly anonymous?: boolean;
  /** Made twice it would do something twice: it is not repeated by itself. */
  readonly once?: boolean;
}

/** A body that is sent in pieces, so that it is never there as a whole a second time. */
export interface Upload {
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** From the beginning at every attempt. */
  readonly pieces: () => Iterable<Uint8Array>;
}

const errorSchema = z.object({
  errcode: z.string(),
  error: z.string().default(''),
  retry_after_ms: z.number().optional(),
});

const PATIENCE_MS = 120_000;
/** What is under way when we stop gets so long to finish. */
const GRACE_MS = 10_000;
const DEFAULT_PAUSE_MS = 1_000;

/** `/_matrix/client/v3/rooms/!id/join`: parts that are none of ours, escaped. */
export function path(parts: TemplateStringsArray, ...values: readonly string[]): string {
  const [first = '', ...rest] = parts.raw;
  return rest.reduce((whole, part, index) => whole + encodeURIComponent(values[index]!) + part, first);
}

/**
 * The client-server API as our ghosts use it. A connection that died while nobody used it, and a homeserver that asks
 * to slow down, are dealt with here; everything else is thrown.
 */
export class Homeserver {
  readonly #closing = new AbortController();
  readonly #over = new AbortController();

  constructor(private readonly options: HomeserverOptions) {}

  /** @throws HomeserverError */
  async call(call: Call): Promise<unknown> {
    const response = await this.open(call);
    return response.json().catch((cause: unknown) => {
      throw new HomeserverError({ status: 0, errcode: null, words: 'its answer broke off.', cause });
    });
  }

  /** For answers that are no JSON: the body is the caller's to read. @throws HomeserverError */
  async open(call: Call): Promise<Response> {
    const { onOutcome } = this.options;
    try {
      const response = await this.#open(call);
      onOutcome?.(null);
      return response;
    } catch (error) {
      if (error instanceof HomeserverError) onOutcome?.(error);
      throw error;
    }
  }

  async #open(call: Call): Promise<Response> {
    let patienceMs = this.options.patienceMs ?? PATIENCE_MS;
    for (;;) {
      const response = await this.#fetch(call);
      if (response.ok) return response;
      const { error, pauseMs } = await refusalOf(response);
      if (response.status !== 429 || pauseMs > patienceMs) throw error;
      patienceMs -= pauseMs;
      await delay(pauseMs, undefined, { signal: this.#closing.signal }).catch((cause: unknown) => {
        throw new HomeserverError({ status: 429, errcode: null, words: 'the gateway stops.', cause });
      });
    }
  }

  /** Ends whatever waits at once, and calls that are under way a little later. */
  close(): void {
    this.#closing.abort();
    setTimeout(() => this.#over.abort(), GRACE_MS).unref();
  }

  /** A homeserver that was restarted leaves dead connections behind: the first call on each says so by failing. */
  async #fetch(call: Call): Promise<Response> {
    try {
      return await this.#attempt(call);
    } catch (error) {
      if (call.once || isTimeout(error) || this.#over.signal.aborted) throw unreachable(error);
    }
    return this.#attempt(call).catch((error: unknown) => {
      throw unreachable(error);
    });
  }

  #attempt({ method, path: where, as, query = {}, json, bytes, anonymous }: Call): Promise<Response> {
    const { url, token, timeoutMs } = this.options;
    const target = new URL(url + where);
    for (const [name, value] of Object.entries({ ...(as && { user_id: as }), ...query })) {
      target.searchParams.set(name, value);
    }
    const type = bytes?.mediaType ?? (json === undefined ? undefined : 'application/json');
    const headers = {
      ...(!anonymous && { authorization: `Bearer ${token}` }),
      ...(type && { 'content-type': type }),
      ...(bytes && { 'content-length': String(bytes.sizeBytes) }),
    };
    const body = bytes ? ReadableStream.from(bytes.pieces()) : json === undefined ? undefined : JSON.stringify(json);
    const signal = AbortSignal.any([this.#over.signal, AbortSignal.timeout(timeoutMs)]);
    return fetch(target, { method, headers, body, signal, redirect: 'error', ...(bytes && { duplex: 'half' }) });
  }
}

async function refusalOf(response: Response): Promise<{ error: HomeserverError; pauseMs: number }> {
  const { status, headers } = response;
  const answer = errorSchema.safeParse(await response.json().catch(() => null)).data;
  const words = answer ? `${cleanLine(answer.error, 200)} (${answer.errcode}).` : `it answered with HTTP ${status}.`;
  const error = new HomeserverError({ status, errcode: answer?.errcode ?? null, words });
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const asked = Number.isNaN(seconds) ? answer?.retry_after_ms : seconds * 1_000;
  return { error, pauseMs: Math.max(asked ?? DEFAULT_PAUSE_MS, answer?.retry_after_ms ?? 0) };
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}

function unreachable(cause: unknown): HomeserverError {
  const words = isTimeout(cause) ? 'it did not answer in time.' : 'it could not be reached or broke off.';
  return new HomeserverError({ status: 0, errcode: null, words, cause });
}
