import { ifAllowed, type MatrixApi } from './api.js';
import type { MatrixEvent } from './event.js';
import { noticeContent } from './notice.js';
import { transactionFor } from './part-id.js';
import { commandIn, type CommandText } from './portals/command-text.js';
import type { Room } from './room.store.js';

interface Parts {
  readonly api: Pick<MatrixApi, 'send'>;
  /** The answer to a command that is about people, not about a room. */
  readonly answer: (event: MatrixEvent, command: CommandText) => Promise<string>;
  readonly botId: string;
}

const ABOUT_PEOPLE = new Set(['link', 'unlink', 'whois']);

/** `!dm3 …` in a direct chat: the ghost answers, and nothing of it is passed on. */
export class ChatCommands {
  constructor(private readonly parts: Parts) {}

  /** False for what is no command. */
  async handle(room: Room, event: MatrixEvent): Promise<boolean> {
    const command = commandIn(event);
    if (!command) return false;
    const { api, answer, botId } = this.parts;
    const text = ABOUT_PEOPLE.has(command.verb) ? await answer(event, command) : helpText(room.name, botId);
    const relation = { 'm.relates_to': { 'm.in_reply_to': { event_id: event.event_id } } };
    const place = { as: room.ghost, room: room.roomId!, txn: transactionFor('answer', event.event_id) };
    await ifAllowed(api.send(place, 'm.room.message', { ...noticeContent(text), ...relation }));
    return true;
  }
}

const helpText = (name: string, botId: string) =>
  [
    `Whatever else you write here goes to ${name} in dm3.`,
    '',
    '- `!dm3 link bob.eth`: show in dm3 that you are bob.eth, whose owner has to sign it; `!dm3 unlink` takes it back',
    '- `!dm3 whois bob.eth`: who that is',
    '',
    `To bridge a room of several, invite ${botId} there.`,
  ].join('\n');
