export type Outcome = 'acknowledged' | 'recalled';

/**
 * Part of a statement that removes rows of `mailbox`, or notes that they were read: keeps what became of those whose
 * verified sender may ask.
 * @param rows name of a part of the same statement, with the columns receiver, sender_key, message_key, encrypted_key
 *   and verdict of those rows
 */
export function keepOutcome(rows: string, outcome: Outcome): string {
  return `INSERT INTO mailbox_outcome (encrypted_key, sender_key, message_key, outcome)
    SELECT encrypted_key, sender_key, message_key, '${outcome}' FROM ${rows} JOIN account ON account.address = receiver
    WHERE verdict = 'verified' AND account.permissions && '{deliveryStates,recall}'
    ON CONFLICT DO NOTHING`;
}

/** What `keepOutcome` needs of a row. */
export const OUTCOME_COLUMNS = 'receiver, sender_key, message_key, encrypted_key, verdict';
