import type { Clock } from '../../common/clock.js';
import type { EthAddress } from '../../common/ids.js';
import type { Database } from '../../storage/database.js';
import { clientGroup } from '../../storage/rate-limits/client-group.js';
import { RateLimiter } from '../../storage/rate-limits/rate-limiter.js';
import type { Sealer } from '../../storage/sealer.js';

interface Parts {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly rates: {
    readonly submissionsPerMinute: number;
    readonly requestsPerMinute: number;
    readonly rpcCallsPerMinute: number;
  };
}

/** How much of the service one sender, or one client, may ask for in a minute. */
export class Limits {
  readonly #submissions: RateLimiter;
  readonly #requests: RateLimiter;
  readonly #rpcCalls: RateLimiter;

  constructor({ rates, ...parts }: Parts) {
    this.#submissions = new RateLimiter({ ...parts, what: 'messages', limit: rates.submissionsPerMinute });
    this.#requests = new RateLimiter({ ...parts, what: 'requests', limit: rates.requestsPerMinute });
    this.#rpcCalls = new RateLimiter({ ...parts, what: 'calls', limit: rates.rpcCallsPerMinute });
  }

  /**
   * One more message of a sender. Whoever is not verified may take any name, so all of them share what one may send
   * to a receiver.
   * @param sender null for one who is not verified
   * @throws RateLimitedError; StorageUnavailableError
   */
  submission(sender: EthAddress | null, receiver: EthAddress): Promise<void> {
    return this.#submissions.take(sender ?? `unverified to ${receiver}`);
  }

  /**
   * One more request of a client that has not proved who it is.
   * @param ip as the connection or a trusted proxy says
   * @throws RateLimitedError; StorageUnavailableError
   */
  request(ip: string): Promise<void> {
    return this.#requests.take(clientGroup(ip));
  }

  /**
   * JSON-RPC calls of a client, all of a batch or none. They have a bound of their own: one client may be a delivery
   * service that hands in the mail of many.
   * @param ip as the connection or a trusted proxy says
   * @throws RateLimitedError; StorageUnavailableError
   */
  rpcCalls(ip: string, count: number): Promise<void> {
    return this.#rpcCalls.take(clientGroup(ip), count);
  }
}
