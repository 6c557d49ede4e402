import type { Clock } from '../../common/clock.js';
import type { EthAddress } from '../../common/ids.js';
import type { Database } from '../../storage/database.js';
import type { Sealer } from '../../storage/sealer.js';
import { clientGroup } from './client-group.js';
import { RateLimiter } from './rate-limiter.js';

interface Parts {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly rates: { readonly submissionsPerMinute: number; readonly requestsPerMinute: number };
}

/** How much of the service one sender, or one client, may ask for in a minute. */
export class Limits {
  readonly #submissions: RateLimiter;
  readonly #requests: RateLimiter;

  constructor({ rates, ...parts }: Parts) {
    this.#submissions = new RateLimiter({ ...parts, what: 'messages', limit: rates.submissionsPerMinute });
    this.#requests = new RateLimiter({ ...parts, what: 'requests', limit: rates.requestsPerMinute });
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
}
