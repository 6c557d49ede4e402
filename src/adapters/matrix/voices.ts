import type { Database } from '../../storage/database.js';
import type { MatrixEvent } from './event.js';
import { commandIn } from './portals/command-text.js';
import type { PortalParts } from './portals/portal-parts.js';
import type { RoomStore } from './room.store.js';

interface Parts {
  readonly db: Database;
  readonly rooms: RoomStore;
  readonly portals: Pick<PortalParts, 'isOpen'>;
  readonly botId: string;
}

/**
 * Who of ours speaks with the author of an event, where it was said: the ghost of a chat, the bot in a room of several
 * and wherever it is given a command. Null where that is nobody, or the chat is somebody else's.
 */
export async function voiceFor({ db, rooms, portals, botId }: Parts, event: MatrixEvent): Promise<string | null> {
  const { room_id, sender } = event;
  const room = await rooms.find(db, room_id);
  const isActive = room !== null && room.state !== 'closed' && room.state !== 'declined';
  if (isActive) return room.user === sender ? room.ghost : null;
  return (await portals.isOpen(room_id)) || commandIn(event) ? botId : null;
}
