import type { Clock } from '../../src/common/clock.js';
import type { EnsName, EthAddress } from '../../src/common/ids.js';
import { AliasNames } from '../../src/naming/alias/alias-names.js';
import { emailCodec } from '../../src/naming/alias/email.js';
import { TopLevelDirectory } from '../../src/naming/alias/top-level-directory.js';
import { NamingUnavailableError } from '../../src/naming/errors.js';
import { NameService } from '../../src/naming/name-service.js';
import { OwnerCheck } from '../../src/naming/owner-check.js';
import { ProfileResolver } from '../../src/naming/profile-resolver.js';
import { createNobleProvider } from '../../src/protocol/crypto/noble.js';
import { dataRecord, DELIVERY_SERVICE_RECORD, USER_PROFILE_RECORD } from '../../src/protocol/profile/record.js';
import type { Person } from '../../src/sandbox/people.js';

const CLOCK = { now: () => 0 };

/** ENS without a chain: names and their records in memory. */
export class MemoryEns {
  /** As when the chain cannot be reached. */
  isDown = false;
  readonly #addresses = new Map<string, EthAddress>();
  readonly #texts = new Map<string, string>();
  readonly #primaryNames = new Map<string, EnsName>();

  setAddress(name: string, address: EthAddress): void {
    this.#addresses.set(name, address);
  }

  setText(name: string, key: string, value: string): void {
    this.#texts.set(`${name} ${key}`, value);
  }

  /** What an address calls itself. */
  setPrimaryName(address: EthAddress, name: EnsName): void {
    this.#primaryNames.set(address, name);
  }

  /** What somebody publishes who uses dm3. */
  publish({ name, address, profile }: Pick<Person, 'name' | 'address' | 'profile'>): void {
    this.setAddress(name, address);
    this.setText(name, USER_PROFILE_RECORD, dataRecord(profile));
  }

  publishService(name: string, profile: object): void {
    this.setText(name, DELIVERY_SERVICE_RECORD, dataRecord(profile));
  }

  resolveAddress = async (name: EnsName): Promise<EthAddress | null> => this.#answer(this.#addresses, name);
  text = async (name: EnsName, key: string): Promise<string | null> => this.#answer(this.#texts, `${name} ${key}`);
  primaryName = async (address: EthAddress): Promise<EnsName | null> => this.#answer(this.#primaryNames, address);

  #answer<T>(records: ReadonlyMap<string, T>, key: string): T | null {
    if (this.isDown) throw new NamingUnavailableError({ subject: 'The name', reason: 'the chain is down' });
    return records.get(key) ?? null;
  }
}

/** Of owners whose account is a key: there is no chain on which a contract could stand. */
export const keyOwners = new OwnerCheck({ crypto: createNobleProvider(), chain: { call: async () => '0x' } });

/** The real look-ups over it; nothing is believed for longer than one question, unless `ttlMs` says so. */
export function namesOver(
  ens: MemoryEns,
  options: { clock?: Clock; ttlMs?: number; acceptBareProfiles?: boolean } = {},
): { names: NameService; profiles: ProfileResolver } {
  const { clock = CLOCK, ttlMs = 0, acceptBareProfiles = false } = options;
  const ttl = { clock, positiveTtlMs: ttlMs, negativeTtlMs: ttlMs };
  const fetching = { acceptBareProfiles, ipfsGateway: 'http://127.0.0.1/ipfs/', allowPrivateFetch: true };
  const profiles = new ProfileResolver({ ens, crypto: createNobleProvider(), owners: keyOwners, ...fetching, ...ttl });
  const rootName = 'gateway.eth' as EnsName;
  const aliases = new AliasNames({ rootName, codecs: [emailCodec] });
  const topLevel = new TopLevelDirectory(new Map(), null);
  return { names: new NameService({ rootName, ens, profiles, aliases, topLevel, ...ttl }), profiles };
}
