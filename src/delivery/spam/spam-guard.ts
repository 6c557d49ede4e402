import type { Clock } from '../../common/clock.js';
import { parseEthAddress, type EnsName, type EthAddress } from '../../common/ids.js';
import { BoundedCache } from '../../naming/bounded-cache.js';
import { parseAddressName, tryNormaliseName } from '../../naming/ens-name.js';
import type { NameService } from '../../naming/name-service.js';
import type { SpamThresholds } from '../../protocol/profile/spam-thresholds.js';
import type { Database } from '../../storage/database.js';
import type { Origin } from '../submission/origin.js';
import type { Sender } from '../submission/parties.js';
import { SpamRefusedError } from './errors.js';
import { brokenRule, type ChainFacts, type HeldRules, type SpamSubject } from './evaluate.js';
import { isEnding, thresholdsOf, type SpamRules } from './rules.js';
import type { SpamRulesStore } from './rules.store.js';

interface Parts {
  readonly clock: Clock;
  readonly db: Database;
  readonly store: SpamRulesStore;
  readonly names: NameService;
  readonly facts: ChainFacts;
}

/** A message on its way into a mailbox. */
interface Arrival {
  readonly receiver: EthAddress;
  /** As the envelope says. */
  readonly from: string;
  readonly sender: Sender;
  readonly origin?: Origin;
}

const CACHED_ACCOUNTS = 10_000;
/** How late rules are seen that another process took. */
const CACHE_MS = 3_000;

/** Keeps the rules of accounts, and keeps out whom they do not let in. */
export class SpamGuard {
  readonly #held: BoundedCache<HeldRules | null>;

  constructor(private readonly parts: Parts) {
    this.#held = new BoundedCache({ clock: parts.clock, maxEntries: CACHED_ACCOUNTS, ttlMs: () => CACHE_MS });
  }

  /** @throws SpamRefusedError; NamingUnavailableError if the chain does not say whether a rule is kept */
  async check({ receiver, from, sender, origin }: Arrival): Promise<void> {
    if (origin === 'notice') return;
    const held = await this.#heldBy(receiver);
    if (!held) return;
    const names = await this.#namesOf(from, sender, held.rules);
    const subject: SpamSubject = { names, address: sender.signingKey && sender.address, origin: origin ?? null };
    const broken = await brokenRule(held, subject, this.parts.facts);
    if (broken) throw new SpamRefusedError({ broken });
  }

  /** What the account asks of everybody, for everybody to see. */
  async thresholds(account: EthAddress): Promise<SpamThresholds> {
    return thresholdsOf((await this.#heldBy(account))?.rules ?? {});
  }

  /** The account's own view. */
  async rules(account: EthAddress): Promise<SpamRules> {
    return (await this.parts.store.find(this.parts.db, account))?.rules ?? {};
  }

  /**
   * Replaces the rules. Listed names are taken for whom they stand for now: people are their address.
   * @returns the rules as they are kept, names written out
   * @throws NamingUnavailableError, also if there is no token where the rules say
   */
  async setRules(account: EthAddress, rules: SpamRules): Promise<SpamRules> {
    const { db, store, facts } = this.parts;
    const { minTokenBalance } = rules;
    if (minTokenBalance) await facts.tokenBalance(parseEthAddress(minTokenBalance.address)!, account);
    const [allow, block] = await Promise.all([this.#spelt(rules.allow), this.#spelt(rules.block)]);
    const held = await this.#resolved({ ...rules, allow, block });
    await store.save(db, account, held);
    this.#held.forget(account);
    return held.rules;
  }

  #heldBy(account: EthAddress): Promise<HeldRules | null> {
    return this.#held.get(account, () => this.parts.store.find(this.parts.db, account));
  }

  /** Clients write from address names: for lists with endings, the name counts that the address calls itself. */
  async #namesOf(from: string, sender: Sender, { allow = [], block = [] }: SpamRules): Promise<string[]> {
    if (!sender.signingKey) return [tryNormaliseName(from) ?? from];
    if (!parseAddressName(sender.name) || ![...allow, ...block].some(isEnding)) return [sender.name];
    const primary = await this.parts.names.primaryName(sender.address);
    return primary ? [sender.name, primary] : [sender.name];
  }

  async #spelt(list: readonly string[] | undefined): Promise<string[] | undefined> {
    return list && Promise.all(list.map((entry) => (isName(entry) ? this.parts.names.canonical(entry) : entry)));
  }

  async #resolved(rules: SpamRules): Promise<HeldRules> {
    const { names } = this.parts;
    const listed = [...(rules.allow ?? []), ...(rules.block ?? [])].filter(isName) as EnsName[];
    const found = await Promise.all(listed.map(async (name) => [name, await names.resolveAddress(name)] as const));
    return {
      rules,
      addresses: Object.fromEntries(found.flatMap(([name, address]) => (address ? [[name, address]] : []))),
    };
  }
}

const isName = (entry: string): boolean => !isEnding(entry) && !parseEthAddress(entry);
