import type { Clock } from '../../common/clock.js';
import { parseEthAddress, type EnsName, type EthAddress } from '../../common/ids.js';
import { CcipSenderRefusedError } from './errors.js';
import type { NameRecords, RecordSource } from './records.js';
import { parseRecordRequest } from './request.js';
import type { AnswerSigner } from './signer.js';

export interface CcipReadOptions {
  /** Asked in order; the first that knows the name answers. */
  readonly sources: readonly RecordSource[];
  readonly signer: AnswerSigner;
  /** The resolver contracts we answer for. */
  readonly resolvers: readonly EthAddress[];
  readonly clock: Clock;
  /** How long a verifier takes an answer, seconds. Default 300: an answer outlives a changed record by no more. */
  readonly validitySeconds?: number;
}

export interface CcipAnswer {
  /** `0x`-hex: what the resolver contract's callback takes. */
  readonly data: string;
  /** How long HTTP caches may hand it out: half of its validity, so that nobody gets it when it is about to expire. */
  readonly maxAgeSeconds: number;
}

const VALIDITY_SECONDS = 300;

/** The off-chain half of a wildcard resolver: looks records up and signs them (ERC-3668, ENSIP-10). */
export class CcipReadService {
  readonly #validitySeconds: number;

  constructor(private readonly options: CcipReadOptions) {
    this.#validitySeconds = options.validitySeconds ?? VALIDITY_SECONDS;
  }

  /**
   * Answers a lookup; a name or record that does not exist gets a signed empty answer.
   *
   * @param sender the resolver contract, hex in any case.
   * @param data call data of `resolve(bytes,bytes)`, `0x`-hex.
   * @throws CcipSenderRefusedError, CcipRequestInvalidError, UnsupportedRecordError
   */
  async answer(sender: string, data: string): Promise<CcipAnswer> {
    const target = this.#target(sender);
    const request = parseRecordRequest(data);
    const result = request.encode(await this.#find(request.name));
    const expires = Math.floor(this.options.clock.now() / 1000) + this.#validitySeconds;
    return {
      data: this.options.signer.sign({ target, expires, request: data, result }),
      maxAgeSeconds: Math.floor(this.#validitySeconds / 2),
    };
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
