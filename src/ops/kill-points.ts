/**
 * Places between two steps of a message's way at which the fault suite ends the process (docs/delivery.md says what each
 * leaves behind). Nothing listens to them unless a preloaded script of the tests put a hook into the global object.
 */
export const KILL_POINTS = [
  /** A foreign message: in the transaction that accepts it, and after its commit, before the network has its answer. */
  'receive.committing',
  'receive.committed',
  /** The same for an envelope that is handed in for somebody on a foreign network. */
  'submit.committing',
  'submit.committed',
  /** A worker has the lease and has done nothing. */
  'outbox.claimed',
  /** In the transaction that removes a delivered item, and after its commit. */
  'outbox.settling',
  'outbox.settled',
  /** In the transaction that puts an item back for its next attempt, and after its commit. */
  'outbox.postponing',
  'outbox.postponed',
  /** In the transaction that moves an item to the dead letters and enqueues the notice, and after its commit. */
  'outbox.burying',
  'outbox.buried',
  /** In the transaction that tells an author once that his message still waits, and after its commit. */
  'delay.telling',
  'delay.told',
  /** In the transaction of an operator who has a dead letter tried again or gives it up, and after its commit. */
  'operator.retrying',
  'operator.retried',
  'operator.discarding',
  'operator.discarded',
  /** The ciphertext is committed; nothing has left. */
  'to-dm3.frozen',
  /** The receiver's delivery service has answered. */
  'to-dm3.forwarded',
  /** The rendering is committed; nothing has left. */
  'from-dm3.frozen',
  /** The foreign network has taken it. */
  'from-dm3.sent',
  /** Events of a homeserver: after the commit, before it has its answer; and handled, before that is written down. */
  'matrix.accepted',
  'matrix.handled',
  /** A bridged room: a member is in and not welcomed; one member has a message and the next one does not. */
  'portal.admitted',
  'portal.passed',
  /** One member has been told that it is over; and the room is to go on in another one, where nobody is yet. */
  'portal.dismissed',
  'portal.moved',
  'notice.frozen',
  'notice.sent',
] as const;

/** Only where a network's adapter runs in another process (docs/machines.md). */
export const REMOTE_KILL_POINTS = [
  /** The network has taken it; the host has not written that down. */
  'remote.sent',
  /** It has, and has not answered the worker. */
  'remote.marked',
] as const;

export type KillPoint = (typeof KILL_POINTS | typeof REMOTE_KILL_POINTS)[number];

/** Where the tests' hook is: a function of the point's name. */
export const KILL_HOOK = Symbol.for('dm3-gateway kill point');

export function killPoint(point: KillPoint): void {
  const hook = (globalThis as { [KILL_HOOK]?: (point: KillPoint) => void })[KILL_HOOK];
  if (hook) hook(point);
}
