import type { MatrixApi } from './api.js';
import { objectIn, textIn, type MatrixEvent } from './event.js';
import { withoutReplyFallback } from './html.js';
import type { MatrixLinking } from './linking.js';
import { noticeContent } from './notice.js';
import { transactionFor } from './part-id.js';
import type { Room } from './room.store.js';

interface Parts {
  readonly api: Pick<MatrixApi, 'send'>;
  readonly linking: MatrixLinking;
}

/** `!dm3 link` and `!dm3 unlink` in a direct chat: the ghost answers, and nothing of it is passed on. */
export class LinkCommands {
  constructor(private readonly parts: Parts) {}

  /** False for what is no such command. */
  async handle(room: Room, event: MatrixEvent): Promise<boolean> {
    const [command, ...args] = wordsOf(event);
    if (command !== 'link' && command !== 'unlink') return false;
    const { api, linking } = this.parts;
    const answer = command === 'link' ? linking.answer(event.sender, args) : linking.unlink(event.sender);
    const relation = { 'm.relates_to': { 'm.in_reply_to': { event_id: event.event_id } } };
    const place = { as: room.ghost, room: room.roomId!, txn: transactionFor('answer', event.event_id) };
    await api.send(place, 'm.room.message', { ...noticeContent(await answer), ...relation });
    return true;
  }
}

/** The words after `!dm3`, also of a message that was changed to one; none for anything else. */
function wordsOf({ type, content }: MatrixEvent): string[] {
  const said = 'm.new_content' in content ? objectIn(content, 'm.new_content') : content;
  const body = type === 'm.room.message' && said['msgtype'] === 'm.text' ? textIn(said, 'body') : null;
  const [first, command, ...rest] = withoutReplyFallback(body ?? '')
    .trim()
    .split(/\s+/);
  return first?.toLowerCase() === '!dm3' && command !== undefined ? [command.toLowerCase(), ...rest] : [];
}
