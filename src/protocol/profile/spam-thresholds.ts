import { z } from 'zod';

/**
 * What a sender must have for an account to take its messages, as published in the profile extension (dm3 MTP: spam
 * protection). All that are set must hold; a minimum is reached by being equal.
 */
export interface SpamThresholds {
  /** Transactions the account behind the sender's name has sent. */
  readonly minNonce?: number;
  /** Its wei, decimal. */
  readonly minBalance?: string;
  /** What it holds of an ERC-20 token: the contract's address, and the token's smallest units, decimal. */
  readonly minTokenBalance?: { readonly address: string; readonly amount: string };
  /** The sender must have a dm3 profile, and its signature must match. */
  readonly requireVerifiedSender?: boolean;
}

/** 78 digits hold every uint256. */
const amount = z.string().regex(/^\d{1,78}$/, 'expected a decimal number without a sign');
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/, 'expected 0x and 40 hex digits');

export const spamThresholdsShape = {
  minNonce: z.number().int().nonnegative().optional(),
  minBalance: amount.optional(),
  minTokenBalance: z.strictObject({ address, amount }).optional(),
  requireVerifiedSender: z.boolean().optional(),
} as const;
