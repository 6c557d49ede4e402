import { GatewayError } from '../common/errors.js';

/** The database cannot be reached or is shutting down, or two transactions collided: the same call may work later. */
export class StorageUnavailableError extends GatewayError {
  constructor({ cause, message = 'The database cannot take this right now; try again in a moment.' }: Unavailability) {
    super({ code: 'STORAGE_UNAVAILABLE', kind: 'unavailable', message, retryable: true, cause });
  }
}

interface Unavailability {
  readonly cause: unknown;
  readonly message?: string;
}

/** A newer program has changed the tables: this one could neither read nor write them safely. */
export class DatabaseNewerError extends GatewayError {
  constructor({ schema, unknown }: { schema: string; unknown: readonly string[] }) {
    const message = `A newer version has changed the tables of schema ${schema} (this one does not know ${unknown.join(', ')}): run the newer version, or restore the backup made before it.`;
    super({ code: 'DATABASE_NEWER', kind: 'unsupported', message });
  }
}

/** A sealed column does not open: wrong storage key, another row's bytes, or damage. */
export class SealBrokenError extends GatewayError {
  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super({ code: 'SEAL_BROKEN', kind: 'internal', message: `A sealed column does not open: ${reason}.`, cause });
  }
}

/** A value is sealed with a key that this machine does not have yet: whoever rotates the keys brings it here. */
export class StorageKeyMissingError extends GatewayError {
  constructor({ id, cause }: { id: number; cause?: unknown }) {
    const message = `A sealed column does not open: storage key ${id} is not among the configured keys.`;
    super({ code: 'STORAGE_KEY_MISSING', kind: 'unavailable', message, retryable: true, cause });
  }
}

/** SQLSTATE classes and codes that pass by themselves: connection, resources, operator intervention, collisions. */
const PASSING = /^(08|53|57P0|40001|40P01|55P03|57014|25P03)/;
const NETWORK = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH']);

/** SQLSTATE of a lock that was not to be had in time. */
export const LOCK_NOT_AVAILABLE = '55P03';

/** What pg and its pool say without a code. */
const SILENCE = 'Query read timeout';
const LOST = new RegExp(
  `Connection terminated|is not queryable|timeout exceeded when trying to connect|timeout expired|${SILENCE}|Cannot use a pool after calling end`,
);

/** Whether the server did not answer at all: the connection still waits for it, and is good for nothing else. */
export function isSilence(error: unknown): error is Error {
  return error instanceof Error && error.message === SILENCE;
}

/** Turns what pg and TypeORM throw into a named error; a fault of ours (bad SQL, broken constraint) stays as it is. */
export function storageError(error: unknown): unknown {
  const code = sqlState(error);
  if (code !== undefined && (PASSING.test(code) || NETWORK.has(code)))
    return new StorageUnavailableError({ cause: error });
  const text = error instanceof Error ? error.message : '';
  return LOST.test(text) ? new StorageUnavailableError({ cause: error }) : error;
}

/** SQLSTATE or errno of a database error, wherever the driver put it. */
export function sqlState(error: unknown): string | undefined {
  const { code, driverError } = (error ?? {}) as { code?: string; driverError?: { code?: string } };
  return driverError?.code ?? code;
}
