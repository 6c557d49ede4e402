import { GatewayError } from '../../common/errors.js';
import type { EnsName, RemoteId } from '../../common/ids.js';
import type { GatewayPort, Target } from '../../gateway/adapter/adapter.js';
import type { Database } from '../../storage/database.js';
import { parseUserId, toForeign } from './address.js';
import type { MatrixApi } from './api.js';
import type { MatrixConfig } from './config.js';
import { isEncryptionState, RECEIPT, type MatrixEvent } from './event.js';
import type { EventStore } from './event.store.js';
import { fromMatrix, type MatrixMessage } from './from-matrix.js';
import type { EventHandler } from './inbox.js';
import type { ChatCommands } from './chat-commands.js';
import type { MediaBudget } from './media-budget.js';
import { fetchFile, type HeldFile } from './media.js';
import type { Membership } from './membership.js';
import { MATRIX } from './network.js';
import type { Room, RoomStore } from './room.store.js';
import type { MatrixRooms } from './rooms.js';
import type { PortalIntake } from './portals/portal-intake.js';
import { shortNameOf } from './short-name.js';
import { noticeText } from './to-matrix.js';

interface Parts {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly port: GatewayPort;
  readonly config: MatrixConfig;
  readonly rooms: RoomStore;
  readonly chats: MatrixRooms;
  readonly events: EventStore;
  readonly budget: MediaBudget;
  readonly membership: Membership;
  readonly portals: PortalIntake;
  readonly commands: ChatCommands;
  readonly isOurs: (userId: string) => boolean;
  readonly now: () => number;
}

/** The chat belongs to somebody who does not hold the name any more. */
class NameMovedError extends GatewayError {
  constructor({ name }: { name: EnsName }) {
    const message = `${name} belongs to somebody else now than when this chat began; open another one to reach the new owner.`;
    super({ code: 'NAME_MOVED', kind: 'not-found', message });
  }
}

/** What of an event is silently nobody's: nothing is deleted or changed but by its author. */
const ABOUT_ONES_OWN = new Set(['edit', 'delete']);

/** Decides about events, one after the other inside a room. */
export class MatrixIntake implements EventHandler {
  constructor(private readonly parts: Parts) {}

  async handle(event: MatrixEvent): Promise<void> {
    const { isOurs, membership, portals } = this.parts;
    if (await portals.handle(event)) return;
    if (event.type === 'm.room.member') return membership.handle(event);
    if (isOurs(event.sender) || parseUserId(event.sender) === null) return;
    const room = await this.#roomOf(event);
    if (!room) return void (await portals.handleCommand(event));
    if (event.type === 'm.room.tombstone') return membership.upgraded(room, event);
    if (event.type === 'm.room.encrypted' || isEncryptionState(event)) return membership.encrypted(room, event);
    if (await this.parts.commands.handle(room, event)) return;
    const said = fromMatrix(event, (id) => (id === room.ghost ? room.name : this.#shortName(id)));
    if (said && (await this.#isPassedOn(said, event))) await this.#receive(room, event, said);
  }

  /** Tells the author once: the transaction id is the event's. Receipts fail in silence. */
  async fail(event: MatrixEvent, error: unknown): Promise<void> {
    if (await this.parts.portals.fail(event, error)) return;
    await this.parts.membership.abandon(event);
    const room = await this.parts.rooms.find(this.parts.db, event.room_id);
    const silent = event.type === RECEIPT || event.type === 'm.room.member' || event.content['msgtype'] === 'm.notice';
    if (silent || !room || room.state === 'closed') return;
    const named = error instanceof GatewayError;
    const text = named ? error.message : 'An unexpected fault on our side.';
    const reason = { code: named ? error.code : 'UNEXPECTED', text };
    await this.parts.membership.say(room, event.event_id, noticeText(room.name, reason), event.event_id);
  }

  async #roomOf(event: MatrixEvent): Promise<Room | null> {
    const room = await this.parts.chats.of(event.room_id, event.sender);
    if (!room || room.state === 'closed' || room.state === 'declined') return null;
    if (event.sender === room.user) return room;
    if (event.type !== RECEIPT && event.state_key === undefined) await this.parts.membership.crowd(room, event);
    return null;
  }

  async #isPassedOn({ type, automatic, about }: MatrixMessage, { sender }: MatrixEvent): Promise<boolean> {
    const { config, db, events } = this.parts;
    if (automatic && !config.bridgeNotices) return false;
    if (type === 'read-opened') return config.readReceipts && (await events.isBy(db, about[0]!, sender)) === false;
    if (!ABOUT_ONES_OWN.has(type)) return true;
    const own = await events.isBy(db, about[0]!, sender);
    return type === 'edit' ? own !== false : own === true;
  }

  async #receive(room: Room, event: MatrixEvent, said: MatrixMessage): Promise<void> {
    const { db, port, events, now } = this.parts;
    const from = toForeign(event.sender);
    const target = await port.lookup(room.name, from);
    if (target.address !== room.identity) throw new NameMovedError({ name: room.name });
    const inReplyTo = await Promise.all(said.about.map((id) => events.remoteIdOf(db, id)));
    const file = await this.#file(said, room, target);
    const attachments = file ? [file.attachment] : [];
    const remoteId = event.event_id as RemoteId;
    const receiving = port.receive({
      network: MATRIX,
      remoteId,
      from,
      identity: { verdict: 'verified', detail: `signed in as ${event.sender}` },
      to: [target],
      message: { type: said.type, text: said.text, attachments, sentAt: event.origin_server_ts ?? now() },
      dedup: event.event_id,
      inReplyTo,
      conversation: { room: event.room_id, ghost: room.ghost, thread: said.thread, auto: said.automatic },
    });
    await receiving.finally(() => file?.release());
    if (event.type !== RECEIPT) await events.addReceived(db, event.event_id, event.sender);
    await this.parts.rooms.touch(db, room);
  }

  async #file({ file }: MatrixMessage, { ghost }: Room, target: Target): Promise<HeldFile | null> {
    if (!file) return null;
    const { api, config, budget } = this.parts;
    // What does not fit into the envelope may still go as a link.
    const limitBytes = Math.min(config.maxMediaBytes, Math.max(target.sizeLimit ?? Infinity, target.linkedBytes ?? 0));
    return fetchFile(file, { api, budget, as: ghost, limitBytes });
  }

  /** How somebody is called who is mentioned. */
  #shortName(id: string): string {
    return shortNameOf(id, this.parts.config.serverName);
  }
}
