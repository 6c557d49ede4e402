import { z } from 'zod';
import { parseEthAddress } from '../../common/ids.js';
import { tryNormaliseName } from '../../naming/ens-name.js';
import { spamThresholdsShape, type SpamThresholds } from '../../protocol/profile/spam-thresholds.js';

/** From whom an account takes messages. Whatever is left out asks for nothing. */
export interface SpamRules extends SpamThresholds {
  /** ENS names, endings of names (`.dao.eth`, `.example.org.email.<root>`) or addresses; they need nothing else. */
  readonly allow?: readonly string[];
  /** Written the same way; nothing but the allow list helps them. */
  readonly block?: readonly string[];
  /** By network (`email`), for senders who come through a gateway. They have no balance, so no minimum is asked. */
  readonly networks?: Readonly<Record<string, NetworkRule>>;
}

export interface NetworkRule {
  /**
   * Who may write first: everybody; whom the account has written to before; or also whom the network has
   * authenticated (DMARC and the like).
   */
  readonly firstContact: 'open' | 'consent' | 'authenticated';
}

const MAX_LISTED = 200;
const MAX_NETWORKS = 20;

/** Compared as they are spelled here: names normalised, addresses in lower case. */
const listed = z
  .string()
  .max(255)
  .refine((text) => readListed(text) !== null, 'expected an ENS name, an ending of names or an address')
  .transform((text) => readListed(text)!);
const network = z.strictObject({ firstContact: z.enum(['open', 'consent', 'authenticated']) });

/** A whole rule set as its owner hands it in. */
export const spamRulesSchema: z.ZodType<SpamRules> = z.strictObject({
  ...spamThresholdsShape,
  allow: z.array(listed).max(MAX_LISTED).optional(),
  block: z.array(listed).max(MAX_LISTED).optional(),
  networks: z
    .record(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/), network)
    .refine((rules) => Object.keys(rules).length <= MAX_NETWORKS)
    .optional(),
});

/** What senders may know beforehand. The lists are nobody's business. */
export function thresholdsOf({ minNonce, minBalance, minTokenBalance, requireVerifiedSender }: SpamRules) {
  return { minNonce, minBalance, minTokenBalance, requireVerifiedSender } satisfies SpamThresholds;
}

/** Whether an entry of a list stands for all names with this ending. */
export function isEnding(entry: string): boolean {
  return entry.startsWith('.');
}

function readListed(text: string): string | null {
  if (isEnding(text)) return withDot(tryNormaliseName(text.slice(1)));
  const name = tryNormaliseName(text);
  return parseEthAddress(text) ?? (name?.includes('.') ? name : null);
}

const withDot = (name: string | null) => name && `.${name}`;
