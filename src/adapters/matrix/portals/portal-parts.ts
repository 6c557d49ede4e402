import type { GatewayPort } from '../../../gateway/adapter/adapter.js';
import type { Database } from '../../../storage/database.js';
import type { Sealer } from '../../../storage/sealer.js';
import type { MatrixApi } from '../api.js';
import type { MatrixBot } from '../bot.js';
import type { MatrixConfig } from '../config.js';
import type { MatrixEvent } from '../event.js';
import type { EventStore } from '../event.store.js';
import { InboxStore } from '../inbox.store.js';
import type { MediaBudget } from '../media-budget.js';
import type { MatrixGhosts } from '../ghosts.js';
import type { AccessList } from '../access.js';
import type { MatrixLimits } from '../limits.js';
import type { MatrixLinking } from '../linking.js';
import type { RoomStore } from '../room.store.js';
import { shortNameOf } from '../short-name.js';
import { RoomCommands } from './commands.js';
import { FanOut } from './fan-out.js';
import { MemberStore } from './member.store.js';
import { PortalIntake } from './portal-intake.js';
import { PortalLife } from './portal-life.js';
import { PortalMembership } from './portal-membership.js';
import { PortalStore } from './portal.store.js';
import { MatrixPortals } from './portals.js';
import { Upgrades } from './upgrades.js';

interface Line {
  readonly db: Database;
  readonly api: MatrixApi;
  readonly bot: MatrixBot;
  readonly ghosts: MatrixGhosts;
  readonly events: EventStore;
  readonly chats: RoomStore;
  readonly sealer: Sealer;
  readonly config: MatrixConfig;
}

/** What only processes have that handle events. */
interface Reception {
  readonly port: GatewayPort;
  readonly isOurs: (userId: string) => boolean;
  readonly now: () => number;
  readonly budget: MediaBudget;
  readonly bring: (events: readonly MatrixEvent[]) => Promise<unknown>;
  readonly linking: MatrixLinking;
  readonly limits: MatrixLimits;
  readonly access: AccessList;
}

/** Puts together what rooms of several take. */
export class PortalParts {
  readonly portals: MatrixPortals;
  readonly #store: PortalStore;
  readonly #members: MemberStore;

  constructor(private readonly line: Line) {
    const { db, api, bot, ghosts, sealer, config } = line;
    const store = new PortalStore(sealer);
    const members = new MemberStore(sealer);
    const { joinByWriting, maxMembers } = config;
    this.#store = store;
    this.#members = members;
    this.portals = new MatrixPortals({ db, api, bot, ghosts, store, members, joinByWriting, maxMembers });
  }

  async isOpen(roomId: string): Promise<boolean> {
    return (await this.#store.ofRoom(this.line.db, roomId))?.state === 'open';
  }

  /** Or goes on being so until its members are told; also for what it was before it was upgraded. */
  async isBridged(roomId: string): Promise<boolean> {
    const portal = await this.#store.ofRoom(this.line.db, roomId);
    return portal !== null && portal.state !== 'closed';
  }

  /** Of what our ghosts said: what was said in portal rooms. What the bot says or takes back is nobody's message. */
  async echoesInPortals(echoes: readonly MatrixEvent[]): Promise<MatrixEvent[]> {
    const { db, bot } = this.line;
    const said = echoes.filter(({ sender }) => sender !== bot.userId);
    const rooms = [...new Set(said.map(({ room_id }) => room_id))];
    const found = await Promise.all(rooms.map((room) => this.#store.ofRoom(db, room)));
    const open = new Set(rooms.filter((_, index) => found[index]?.state === 'open'));
    return said.filter(({ room_id }) => open.has(room_id));
  }

  intake(reception: Reception): PortalIntake {
    const { config, ...line } = this.line;
    const { serverName, askMembers } = config;
    const bridgeBy = config.bridgeBy ?? [`@*:${serverName}`];
    const stores = { store: this.#store, members: this.#members, portals: this.portals };
    const all = { ...line, ...reception, ...stores, config, serverName, askMembers, bridgeBy };
    const fanOut = new FanOut({ ...all, inbox: new InboxStore(line.sealer) });
    const life = new PortalLife({ ...all, fanOut });
    const upgrades = new Upgrades({ ...all, fanOut });
    const membership = new PortalMembership({ ...all, life, upgrades });
    const commands = new RoomCommands({ ...all, life });
    const shortName = (id: string) => shortNameOf(id, serverName);
    return new PortalIntake({ ...all, life, fanOut, upgrades, membership, commands, shortName });
  }
}
