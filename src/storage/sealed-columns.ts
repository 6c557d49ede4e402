/** A column of sealed values, and how the row of one is called in its seal (`SealPlace`). */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  /** The primary key's only column. */
  readonly key: string;
  readonly keyType: 'uuid' | 'bytea';
  readonly row: (key: string | Buffer) => string;
}

/**
 * All of them, for whoever has to seal everything anew. A table's owner seals and opens (`place` in its store); a
 * column that is missing here fails `sealed-columns.spec.ts`.
 */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  byAddress('account', 'sealed_rules'),
  byId('conversation', 'sealed_context'),
  byId('conversation', 'sealed_shown_name'),
  byAddress('ghost', 'sealed_foreign_address'),
  byKey('login_challenge', 'sealed_challenge', 'challenge_key'),
  byId('mailbox', 'sealed_envelope'),
  byKey('matrix_event', 'sealed_event_id', 'event_key'),
  byKey('matrix_ghost', 'sealed_ghost', 'user_key'),
  byId('matrix_inbox', 'sealed_event'),
  byId('matrix_member', 'sealed_member'),
  byId('matrix_portal', 'sealed_portal'),
  byId('matrix_room', 'sealed_room'),
  byId('message', 'sealed_payload'),
  byId('message', 'sealed_frozen'),
  byId('message_event', 'sealed_answer'),
  byId('message_map', 'sealed_ids'),
  byId('notification_channel', 'sealed_recipient'),
  {
    table: 'outbox_lane',
    column: 'sealed_destination',
    key: 'destination_key',
    keyType: 'bytea',
    row: hex,
  },
  byId('profile_link', 'sealed_link'),
];

function byId(table: string, column: string): SealedColumn {
  return { table, column, key: 'id', keyType: 'uuid', row: String };
}

function byKey(table: string, column: string, key: string): SealedColumn {
  return { table, column, key, keyType: 'bytea', row: hex };
}

function byAddress(table: string, column: string): SealedColumn {
  return { table, column, key: 'address', keyType: 'bytea', row: (key) => `0x${hex(key)}` };
}

function hex(key: string | Buffer): string {
  return Buffer.from(key as Buffer).toString('hex');
}
