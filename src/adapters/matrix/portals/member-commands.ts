import type { MatrixEvent } from '../event.js';
import type { MatrixLimits } from '../limits.js';
import type { PortalSpeaker } from '../rendering.js';
import { memberCommand, readCommand } from './command-text.js';
import type { MatrixPortals } from './portals.js';

interface Parts {
  readonly portals: MatrixPortals;
  readonly limits: Pick<MatrixLimits, 'command'>;
  /** Puts an event of our own among those that the homeserver brings. */
  readonly bring: (events: readonly MatrixEvent[]) => Promise<unknown>;
}

/** What somebody of dm3 writes to a room's name and means for the gateway. */
export class MemberCommands {
  constructor(private readonly parts: Parts) {}

  /**
   * It is carried out where events are handled, in the order of the room. Whom the room has nothing to say to is
   * refused at once: nothing of his stands in its line.
   * @param message what makes it one command, however often it is sent
   * @throws DeliveryFailedError TOO_MANY_COMMANDS, NOT_BRIDGED, NOT_A_MEMBER: permanent; HomeserverError
   */
  async take(speaker: PortalSpeaker, message: string, body: string): Promise<void> {
    const { portals, limits, bring } = this.parts;
    await limits.command(speaker, message);
    const { name, identity } = speaker;
    const { roomId } = await portals.forCommand(speaker, readCommand(body)?.verb ?? '');
    await bring([memberCommand({ roomId, message, name, identity, body })]);
  }
}
