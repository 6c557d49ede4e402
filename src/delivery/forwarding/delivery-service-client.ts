import { GatewayError } from '../../common/errors.js';
import type { Envelope } from '../../protocol/envelope/envelope.js';
import { RPC_ERROR, errorOf, resultOf, rpcRequest } from '../../protocol/json-rpc/json-rpc.js';
import { parseProfileExtension, type ProfileExtension } from '../../protocol/profile/extension.js';
import { parseDeliveryServiceProperties } from '../../protocol/profile/properties.js';

/** The little HTTP that is needed here; `naming/safe-fetch.ts` fills it for the world outside. */
export type PostJson = (url: string, body: unknown) => Promise<{ readonly status: number; readonly text: string }>;

/** What another delivery service made of an envelope. */
export type SubmitOutcome =
  | { readonly kind: 'accepted' }
  /** It speaks the other client dialect. */
  | { readonly kind: 'other-dialect' }
  | { readonly kind: 'refused'; readonly status: number; readonly reason: string }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly cause?: unknown };

/** JSON-RPC codes of refusals that pass: unavailable, limit exceeded (dm3 delivery service API). */
const PASSING_CODES: ReadonlySet<number> = new Set([RPC_ERROR.unavailable, RPC_ERROR.limitExceeded]);

/** Speaks to other delivery services: `POST <url>/rpc`. */
export class DeliveryServiceClient {
  constructor(private readonly post: PostJson) {}

  async submit(url: string, envelope: Envelope): Promise<SubmitOutcome> {
    try {
      return judge(await this.#call(url, 'dm3_submitMessage', [JSON.stringify(envelope)]));
    } catch (cause) {
      return {
        kind: 'unavailable',
        reason: cause instanceof GatewayError ? cause.message : 'it could not be reached',
        cause,
      };
    }
  }

  /** Largest envelope the service takes, bytes; null if it does not say or cannot be asked now. */
  async sizeLimit(url: string): Promise<number | null> {
    try {
      const { status, text } = await this.#call(url, 'dm3_getDeliveryServiceProperties', []);
      return status === 200 ? parseDeliveryServiceProperties(resultOf(text)).sizeLimit : null;
    } catch {
      return null;
    }
  }

  /** What one of the service's accounts takes; null if it does not say or cannot be asked now. */
  async profileExtension(url: string, receiver: string): Promise<ProfileExtension | null> {
    try {
      const { status, text } = await this.#call(url, 'dm3_getProfileExtension', [receiver]);
      return status === 200 ? parseProfileExtension(resultOf(text)) : null;
    } catch {
      return null;
    }
  }

  #call(url: string, method: string, params: readonly unknown[]) {
    return this.post(`${url}/rpc`, rpcRequest(method, params, 1));
  }
}

/** Status first, then an `error` member: the reference answers `OK` as plain text, others JSON-RPC. */
function judge({ status, text }: { status: number; text: string }): SubmitOutcome {
  const failure = errorOf(text);
  if (status >= 200 && status < 300 && !failure) {
    return isReceipt(text)
      ? { kind: 'accepted' }
      : { kind: 'unavailable', reason: 'what answers there is no delivery service' };
  }
  if (failure?.message === 'invalid schema') return { kind: 'other-dialect' };
  const reason = failure?.message || `HTTP ${status}`;
  const passing = status >= 500 || status === 408 || status === 429 || PASSING_CODES.has(failure?.code ?? 0);
  return passing ? { kind: 'unavailable', reason } : { kind: 'refused', status, reason };
}

/** `OK` of the reference, a JSON-RPC result, or nothing at all; a web page that answers everything took no message. */
function isReceipt(text: string): boolean {
  return resultOf(text) !== undefined || /^\s*("?OK"?)?\s*$/i.test(text);
}
