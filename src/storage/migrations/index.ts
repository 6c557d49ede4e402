import { Foundation1790000000000 } from './1790000000000-foundation.js';
import { SpamRules1790000100000 } from './1790000100000-spam-rules.js';
import { MailboxPush1790000200000 } from './1790000200000-mailbox-push.js';
import { Limits1790000300000 } from './1790000300000-limits.js';
import { Access1790000310000 } from './1790000310000-access.js';
import { Traffic1790000400000 } from './1790000400000-traffic.js';

/** Oldest first. A migration that has been released is never edited. */
export const migrations = [
  Foundation1790000000000,
  SpamRules1790000100000,
  MailboxPush1790000200000,
  Limits1790000300000,
  Access1790000310000,
  Traffic1790000400000,
];
