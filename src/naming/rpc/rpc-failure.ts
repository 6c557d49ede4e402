import { isError } from 'ethers';

/**
 * Why an endpoint gave no answer. It carries a code and nothing of the error behind it: the errors of ethers and of
 * fetch quote the endpoint's URL, and with it the operator's API key.
 */
export class RpcFailure extends Error {
  /** `TIMEOUT`, `ECONNREFUSED`, `HTTP_429`, `RPC_-32005`, `WRONG_CHAIN`… */
  readonly code: string;
  /** False where the endpoint works and could not answer this one call, which perhaps nobody can. */
  readonly isEndpointsFault: boolean;

  constructor({ code, isEndpointsFault = true }: { code: string; isEndpointsFault?: boolean }) {
    super(`The Ethereum node gave no answer (${code}).`);
    this.name = 'RpcFailure';
    this.code = code;
    this.isEndpointsFault = isEndpointsFault;
  }
}

/**
 * What nodes answer when one call was too much for them, or asks for a block they lack (EIP-1474: invalid input).
 * Whoever writes a contract can provoke it, so it must not cost the endpoint its standing.
 */
const CALL_FAILED = -32_000;

export function rpcFailureOf(error: unknown): RpcFailure {
  if (error instanceof RpcFailure) return error;
  const answered = answeredCode(error);
  if (answered !== null) return new RpcFailure({ code: `RPC_${answered}`, isEndpointsFault: answered !== CALL_FAILED });
  if (isError(error, 'SERVER_ERROR')) return new RpcFailure({ code: `HTTP_${error.response?.statusCode ?? 'ERROR'}` });
  return new RpcFailure({ code: transportCode(error) });
}

/** The code of a JSON-RPC error: ethers keeps it in one place for `eth_call`, in another for all else. */
function answeredCode(error: unknown): number | null {
  const { info, error: plain } = error as { info?: { error?: { code?: unknown } }; error?: { code?: unknown } };
  const code = info?.error?.code ?? plain?.code;
  return typeof code === 'number' ? code : null;
}

function transportCode(error: unknown): string {
  const { name, cause } = error as { name?: string; cause?: { code?: unknown } };
  if (name === 'TimeoutError') return 'TIMEOUT';
  if (typeof cause?.code === 'string' && /^[A-Z0-9_]+$/.test(cause.code)) return cause.code;
  return name === 'TypeError' ? 'UNREACHABLE' : 'BAD_ANSWER';
}
