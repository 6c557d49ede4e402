import type { Clock } from '../../common/clock.js';
import { parseEthAddress, type EnsName, type EthAddress } from '../../common/ids.js';
import { AnswerCache, type SignedAnswer } from './answer-cache.js';
import { CcipSenderRefusedError } from './errors.js';
import type { NameRecords, RecordSource } from './records.js';
import { parseRecordRequest } from './request.js';
import type { AnswerSigner } from './signer.js';

export interface CcipReadOptions {
  /** Asked in order; the first that knows the name answers. */
  readonly sources: readonly RecordSource[];
  readonly signer: Pick<AnswerSigner, 'sign'>;
  /** The resolver contracts we answer for. */
  readonly resolvers: readonly EthAddress[];
  readonly clock: Clock;
  /** How long a verifier takes an answer, seconds: an answer outlives a changed record by no more. */
  readonly validitySeconds: number;
}

export interface CcipAnswer {
  /** `0x`-hex: what the resolver contract's callback takes. */
  readonly data: string;
  /** How long HTTP caches may hand it out: half of what is left, so that nobody gets it when it is about to expire. */
  readonly maxAgeSeconds: number;
}

/** The off-chain half of a wildcard resolver: looks records up and signs them (ERC-3668, ENSIP-10). */
export class CcipReadService {
  readonly #answers = new AnswerCache();

  constructor(private readonly options: CcipReadOptions) {}

  /**
   * Answers a lookup; a name or record that does not exist gets a signed empty answer. One answer serves all who ask
   * the same until half of its time is over.
   *
   * @param sender the resolver contract, hex in any case.
   * @param data call data of `resolve(bytes,bytes)`, `0x`-hex.
   * @throws CcipSenderRefusedError, CcipRequestInvalidError; what the sources throw
   */
  async answer(sender: string, data: string): Promise<CcipAnswer> {
    const target = this.#target(sender);
    const now = Math.floor(this.options.clock.now() / 1000);
    const kept = this.#answers.take(target + data, now + this.options.validitySeconds / 2);
    return kept ? published(kept, now) : this.#makeAnswer(target, data, now);
  }

  async #makeAnswer(target: EthAddress, data: string, now: number): Promise<CcipAnswer> {
    const request = parseRecordRequest(data);
    const records = await this.#find(request.name);
    const expires = now + this.options.validitySeconds;
    const result = request.encode(records);
    const answer = { data: this.options.signer.sign({ target, expires, request: data, result }), expires };
    if (records === null) return { data: answer.data, maxAgeSeconds: 0 }; // it may be somebody's the next moment
    this.#answers.keep(target + data, answer);
    return published(answer, now);
  }

  #target(sender: string): EthAddress {
    const target = parseEthAddress(sender);
    if (target === null || !this.options.resolvers.includes(target)) throw new CcipSenderRefusedError({ sender });
    return target;
  }

  async #find(name: EnsName): Promise<NameRecords | null> {
    for (const source of this.options.sources) {
      const records = await source.find(name);
      if (records) return records;
    }
    return null;
  }
}

function published({ data, expires }: SignedAnswer, now: number): CcipAnswer {
  return { data, maxAgeSeconds: Math.floor((expires - now) / 2) };
}
