import { parseEthAddress, type EthAddress } from '../../common/ids.js';
import type { ChainAccount } from '../../naming/chain-account.js';
import type { SpamThresholds } from '../../protocol/profile/spam-thresholds.js';
import type { ForeignOrigin } from '../submission/origin.js';
import { isEnding, type NetworkRule, type SpamRules } from './rules.js';

/** The rule that stands in a sender's way. */
export type BrokenRule =
  | { readonly rule: 'block' | 'requireVerifiedSender' }
  | { readonly rule: 'firstContact'; readonly needs: 'consent' | 'authenticated' }
  | { readonly rule: 'minNonce' | 'minBalance'; readonly minimum: string }
  | { readonly rule: 'minTokenBalance'; readonly minimum: string; readonly token: string };

/** Rules, and the addresses that the names on their lists stood for when they were set. */
export interface HeldRules {
  readonly rules: SpamRules;
  readonly addresses: Readonly<Record<string, EthAddress>>;
}

export interface SpamSubject {
  /** What the sender is called: as the envelope says, and what the address calls itself. */
  readonly names: readonly string[];
  /** Null if the sender could not be verified: then the names are mere claims. */
  readonly address: EthAddress | null;
  /** Null for senders on dm3 itself. */
  readonly origin: ForeignOrigin | null;
}

export type ChainFacts = Pick<ChainAccount, 'nonce' | 'balance' | 'tokenBalance'>;

interface Minimum {
  readonly broken: Extract<BrokenRule, { minimum: string }>;
  actual(account: EthAddress): Promise<bigint>;
}

/**
 * The first rule that refuses the sender; null if none does. Whoever is on the allow list needs nothing else.
 * @throws NamingUnavailableError if the chain does not say
 */
export async function brokenRule(held: HeldRules, subject: SpamSubject, facts: ChainFacts): Promise<BrokenRule | null> {
  const { rules } = held;
  const { address, origin } = subject;
  if (address && isListed(rules.allow, held, subject)) return null;
  if (isListed(rules.block, held, subject)) return { rule: 'block' };
  if (rules.requireVerifiedSender && !isVerified(subject)) return { rule: 'requireVerifiedSender' };
  if (origin) return brokenContact(rules.networks?.[origin.network], origin);
  return brokenThreshold(rules, address, facts);
}

/**
 * The first minimum that an account does not reach; an unknown account (null) reaches none but zero.
 * @throws NamingUnavailableError if the chain does not say
 */
export async function brokenThreshold(
  thresholds: SpamThresholds,
  account: EthAddress | null,
  facts: ChainFacts,
): Promise<BrokenRule | null> {
  for (const { broken, actual } of minimumsIn(thresholds, facts)) {
    const minimum = BigInt(broken.minimum);
    if (minimum > 0n && (!account || (await actual(account)) < minimum)) return broken;
  }
  return null;
}

function minimumsIn({ minNonce = 0, minBalance = '0', minTokenBalance }: SpamThresholds, facts: ChainFacts): Minimum[] {
  return [
    { broken: { rule: 'minNonce', minimum: String(minNonce) }, actual: (account) => facts.nonce(account) },
    { broken: { rule: 'minBalance', minimum: minBalance }, actual: (account) => facts.balance(account) },
    ...(minTokenBalance ? [tokenMinimum(minTokenBalance, facts)] : []),
  ];
}

function tokenMinimum({ address, amount }: { address: string; amount: string }, facts: ChainFacts): Minimum {
  const token = parseEthAddress(address)!;
  return {
    broken: { rule: 'minTokenBalance', minimum: amount, token },
    actual: (account) => facts.tokenBalance(token, account),
  };
}

async function brokenContact(rule: NetworkRule | undefined, origin: ForeignOrigin): Promise<BrokenRule | null> {
  const needs = rule?.firstContact ?? 'open';
  if (needs === 'open' || (needs === 'authenticated' && origin.authenticated) || (await origin.isKnown())) return null;
  return { rule: 'firstContact', needs };
}

/** A ghost signs for everybody who writes from its network's address: there it is the network that must be sure. */
function isVerified({ address, origin }: SpamSubject): boolean {
  return address !== null && origin?.authenticated !== false;
}

function isListed(list: readonly string[] = [], { addresses }: HeldRules, subject: SpamSubject): boolean {
  return list.some((entry) => {
    if (isEnding(entry)) return subject.names.some((name) => name.endsWith(entry));
    const listed = parseEthAddress(entry) ?? addresses[entry];
    return listed && subject.address ? listed === subject.address : subject.names.includes(entry);
  });
}
