import { dataLength, Interface } from 'ethers';
import type { Clock } from '../common/clock.js';
import type { EthAddress } from '../common/ids.js';
import { BoundedCache } from './bounded-cache.js';
import { ChainReader, type ChainReaderSettings } from './chain-reader.js';
import { NamingUnavailableError } from './errors.js';

export interface ChainAccountSettings extends ChainReaderSettings {
  readonly clock: Clock;
  /** How long an answer is believed, milliseconds. */
  readonly ttlMs: number;
}

const MAX_FACTS = 10_000;
const SUBJECT = "The sender's account";
const WORD_BYTES = 32;
const erc20 = new Interface(['function balanceOf(address owner) view returns (uint256)']);

/**
 * What the chain says of accounts: how active they are and what they hold. Answers are believed for a bounded time, and
 * whoever asks the same at once shares one question. A chain that does not answer is an error, never a zero.
 */
export class ChainAccount {
  readonly #chain: ChainReader;
  readonly #facts: BoundedCache<bigint>;

  constructor({ clock, ttlMs, ...chain }: ChainAccountSettings) {
    this.#chain = new ChainReader({ ...chain, subject: SUBJECT });
    this.#facts = new BoundedCache({ clock, maxEntries: MAX_FACTS, ttlMs: () => ttlMs });
  }

  /** Transactions the account has sent. @throws NamingUnavailableError */
  nonce(account: EthAddress): Promise<bigint> {
    return this.#facts.get(`nonce ${account}`, async () => BigInt(await this.#chain.nonce(account)));
  }

  /** Wei. @throws NamingUnavailableError */
  balance(account: EthAddress): Promise<bigint> {
    return this.#facts.get(`balance ${account}`, () => this.#chain.balance(account));
  }

  /**
   * Smallest units of an ERC-20 token (EIP-20 `balanceOf`).
   * @throws NamingUnavailableError, also if there is no such contract: that says nothing about the account
   */
  tokenBalance(token: EthAddress, account: EthAddress): Promise<bigint> {
    return this.#facts.get(`${token} ${account}`, async () => {
      const answer = await this.#chain.call(token, erc20.encodeFunctionData('balanceOf', [account]));
      if (answer !== null && dataLength(answer) === WORD_BYTES) return BigInt(answer);
      throw new NamingUnavailableError({ subject: SUBJECT, reason: `there is no ERC-20 token at ${token}` });
    });
  }

  /** Closes the connections; calls under way fail. */
  close(): void {
    this.#chain.close();
  }
}
