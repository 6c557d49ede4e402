import type { EnsName, EthAddress } from '../../common/ids.js';

/** What the resolver says about a name. */
export interface NameRecords {
  readonly address: EthAddress;
  /** Text records (EIP-634) by key. */
  readonly texts: Readonly<Record<string, string>>;
}

/** Something that knows names under our root: the codec of foreign addresses, the table of subdomains. */
export interface RecordSource {
  /** Null if the name is not this source's. @throws retryable errors only, where it cannot know */
  find(name: EnsName): Promise<NameRecords | null>;
}
