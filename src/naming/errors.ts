import { GatewayError } from '../common/errors.js';
import type { EnsName } from '../common/ids.js';

/** No resolver, or no Ethereum address behind the name. */
export class NameNotFoundError extends GatewayError {
  constructor({ name }: { name: EnsName }) {
    super({
      code: 'NAME_NOT_FOUND',
      kind: 'not-found',
      message: `The ENS name ${name} does not exist or has no Ethereum address. Check its spelling.`,
    });
  }
}

/** The name exists, but whoever owns it has not published the dm3 record. */
export class ProfileNotFoundError extends GatewayError {
  /** @param options.record default: the user's profile record. */
  constructor({ name, record = 'network.dm3.profile' }: { name: EnsName; record?: string }) {
    super({
      code: 'PROFILE_NOT_FOUND',
      kind: 'not-found',
      message: `The ENS name ${name} has no ${record} record, so it cannot be reached through dm3.`,
    });
  }
}

/** There is a record, but it must not be used. */
export class ProfileInvalidError extends GatewayError {
  /** @param options.reason the rest of a sentence: "its signature is not the owner's". */
  constructor({ name, record, reason, cause }: { name: EnsName; record: string; reason: string; cause?: unknown }) {
    super({
      code: 'PROFILE_INVALID',
      kind: 'forbidden',
      message: `The ${record} record of ${name} cannot be used: ${reason}. Its owner has to publish it again.`,
      cause,
    });
  }
}

/** The chain, a CCIP-read service or the host of a record did not answer: nothing is known about the name. */
export class NamingUnavailableError extends GatewayError {
  /** @param options.reason the rest of a sentence: "the Ethereum node did not answer". */
  constructor({ subject, reason, cause }: { subject: string; reason: string; cause?: unknown }) {
    super({
      code: 'NAMING_UNAVAILABLE',
      kind: 'unavailable',
      message: `${subject} could not be looked up, because ${reason}. Try again later.`,
      retryable: true,
      cause,
    });
  }
}

/** The URL points where this service does not go: another scheme, a private network, too many redirects. */
export class FetchRefusedError extends GatewayError {
  constructor({ reason }: { reason: string }) {
    super({ code: 'FETCH_REFUSED', kind: 'forbidden', message: `The URL was not fetched: ${reason}.` });
  }
}

/** The server behind a URL could not be reached, broke off, or was too slow. */
export class FetchFailedError extends GatewayError {
  constructor({ reason, cause }: { reason: string; cause?: unknown }) {
    super({
      code: 'FETCH_FAILED',
      kind: 'unavailable',
      message: `The URL could not be fetched: ${reason}.`,
      retryable: true,
      cause,
    });
  }
}

/** The server behind a URL sent more than we read. */
export class FetchTooLargeError extends GatewayError {
  constructor({ limitBytes }: { limitBytes: number }) {
    super({
      code: 'FETCH_TOO_LARGE',
      kind: 'too-large',
      message: `The URL was not fetched: its content is larger than ${limitBytes} bytes.`,
      facts: { limitBytes },
    });
  }
}
