import { Foundation1790000000000 } from './1790000000000-foundation.js';
import { SpamRules1790000100000 } from './1790000100000-spam-rules.js';
import { MailboxPush1790000200000 } from './1790000200000-mailbox-push.js';
import { Limits1790000300000 } from './1790000300000-limits.js';
import { Access1790000310000 } from './1790000310000-access.js';
import { Traffic1790000400000 } from './1790000400000-traffic.js';
import { SignUp1790000450000 } from './1790000450000-sign-up.js';
import { DeliveryStates1790000500000 } from './1790000500000-delivery-states.js';
import { Notifications1790000600000 } from './1790000600000-notifications.js';
import { GhostKeyRotation1790000700000 } from './1790000700000-ghost-key-rotation.js';
import { Subdomains1790000800000 } from './1790000800000-subdomains.js';
import { LinkedProfiles1790000900000 } from './1790000900000-linked-profiles.js';
import { QueueCare1790001000000 } from './1790001000000-queue-care.js';
import { Attachments1790001100000 } from './1790001100000-attachments.js';
import { Upkeep1790001200000 } from './1790001200000-upkeep.js';
import { RemoteSends1790001300000 } from './1790001300000-remote-sends.js';
import { Matrix1790002000000 } from './1790002000000-matrix.js';
import { LeasesAndIdle1790003000000 } from './1790003000000-leases-and-idle.js';
import { MatrixInboxCare1790003200000 } from './1790003200000-matrix-inbox-care.js';
import { Portals1790003300000 } from './1790003300000-portals.js';
import { Leases1790003400000 } from './1790003400000-leases.js';
import { MatrixFormerRooms1790003500000 } from './1790003500000-matrix-former-rooms.js';
import { RoomsInTheMaking1790003600000 } from './1790003600000-rooms-in-the-making.js';
import { MatrixInboxRooms1790003700000 } from './1790003700000-matrix-inbox-rooms.js';

/** Oldest first. A migration that has been released is never edited. */
export const migrations = [
  Foundation1790000000000,
  SpamRules1790000100000,
  MailboxPush1790000200000,
  Limits1790000300000,
  Access1790000310000,
  Traffic1790000400000,
  SignUp1790000450000,
  DeliveryStates1790000500000,
  Notifications1790000600000,
  GhostKeyRotation1790000700000,
  Subdomains1790000800000,
  LinkedProfiles1790000900000,
  QueueCare1790001000000,
  Attachments1790001100000,
  Upkeep1790001200000,
  RemoteSends1790001300000,
  Matrix1790002000000,
  LeasesAndIdle1790003000000,
  MatrixInboxCare1790003200000,
  Portals1790003300000,
  Leases1790003400000,
  MatrixFormerRooms1790003500000,
  RoomsInTheMaking1790003600000,
  MatrixInboxRooms1790003700000,
];
