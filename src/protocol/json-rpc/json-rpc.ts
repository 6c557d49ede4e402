import { z } from 'zod';
import { parseJson, parseShape } from '../encoding/json.js';
import { InvalidRpcRequestError } from './errors.js';

/** Error codes of JSON-RPC 2.0 §5.1 and of dm3 MTP. */
export const RPC_ERROR = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  invalidInput: -32000,
  notFound: -32001,
  unavailable: -32002,
  unauthorized: -32003,
  notSupported: -32004,
  limitExceeded: -32005,
  versionNotSupported: -32006,
  spam: -32010,
  tooBig: -32011,
} as const;

export type RpcErrorCode = (typeof RPC_ERROR)[keyof typeof RPC_ERROR];
export type RpcId = string | number | null;

export interface RpcRequest {
  readonly method: string;
  /** A bare value or object came as the only element. */
  readonly params: readonly unknown[];
  /** null if none came: dm3 clients send none, and wait for an answer all the same. */
  readonly id: RpcId;
}

export interface RpcErrorObject {
  /** null where the other side has no code to give. */
  readonly code: number | null;
  readonly message: string;
  readonly data?: unknown;
}

/** Requests in one batch. */
const MAX_BATCH = 100;

const idSchema = z.union([z.string(), z.number(), z.null()]);
const requestSchema = z.object({ method: z.string().min(1), params: z.unknown().optional(), id: idSchema.optional() });
const identifiedSchema = z.object({ id: idSchema });
const errorSchema = z.object({ code: z.number(), message: z.string() });

/**
 * Reads one request; `jsonrpc` is not asked for, since nothing hangs on it.
 * @param value JSON text, or the parsed body.
 * @throws InvalidRpcRequestError
 */
export function parseRpcRequest(value: unknown): RpcRequest {
  const fail = (reason: string, cause?: unknown): Error => new InvalidRpcRequestError({ reason, cause });
  const { method, params, id = null } = parseShape(requestSchema, value, fail);
  return { method, params: paramsList(params), id };
}

/**
 * The requests of a batch, to be parsed and answered one by one; null if the body is a single request.
 * @throws InvalidRpcRequestError for an empty batch (JSON-RPC 2.0 §6), and for one that is too long.
 */
export function batchOf(body: unknown): readonly unknown[] | null {
  if (!Array.isArray(body)) return null;
  if (body.length === 0) throw new InvalidRpcRequestError({ reason: 'the batch is empty' });
  if (body.length > MAX_BATCH) {
    throw new InvalidRpcRequestError({ reason: `the batch has more than ${MAX_BATCH} requests` });
  }
  return body;
}

/** The id to answer with where the request itself cannot be read. */
export function rpcIdOf(value: unknown): RpcId {
  return identifiedSchema.safeParse(value).data?.id ?? null;
}

/** A request as clients send it; `id` is left out unless given. */
export function rpcRequest(method: string, params: readonly unknown[], id?: RpcId) {
  return { jsonrpc: '2.0', method, params, ...(id === undefined ? {} : { id }) } as const;
}

export function rpcResult(id: RpcId, result: unknown) {
  return { jsonrpc: '2.0', id, result } as const;
}

export function rpcError(id: RpcId, code: number, message: string, data?: unknown) {
  return { jsonrpc: '2.0', id, error: { code, message, ...(data === undefined ? {} : { data }) } } as const;
}

/**
 * The error in an answer, whatever its shape: JSON-RPC's object, or the bare text of the reference services.
 * @param body JSON text, parsed JSON, or plain text such as `OK`.
 * @returns null if there is none.
 */
export function errorOf(body: unknown): RpcErrorObject | null {
  const error = memberOf(body, 'error');
  if (error === undefined || error === null) return null;
  if (errorSchema.safeParse(error).success) return error as RpcErrorObject;
  return { code: null, message: typeof error === 'string' ? error : 'The error has no message.' };
}

/** The result in an answer; undefined if there is none. @param body as for `errorOf`. */
export function resultOf(body: unknown): unknown {
  return memberOf(body, 'result');
}

function memberOf(body: unknown, member: 'error' | 'result'): unknown {
  const value = typeof body === 'string' ? jsonOrNull(body) : body;
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[member] : undefined;
}

function jsonOrNull(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
}

function paramsList(params: unknown): readonly unknown[] {
  if (params === undefined || params === null) return [];
  return Array.isArray(params) ? params : [params];
}
