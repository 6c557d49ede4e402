import type { EventLog } from '../../ops/event-log.js';
import { errorCode } from '../../common/errors.js';
import type { AliasRegistryReader } from './registry-reader.js';
import { TopLevelAliases } from './top-level.js';

const REFRESH_MS = 5 * 60_000;

/**
 * The top-level aliases that hold now: those of the settings, overridden by the contract. While the contract cannot be
 * read, the last known ones stay.
 */
export class TopLevelDirectory {
  #current: TopLevelAliases;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly settings: ReadonlyMap<string, string>,
    private readonly reader: AliasRegistryReader | null,
    private readonly log: EventLog,
  ) {
    this.#current = new TopLevelAliases(settings);
  }

  get current(): TopLevelAliases {
    return this.#current;
  }

  async start(): Promise<void> {
    await this.refresh();
    this.#timer = setInterval(() => void this.refresh(), REFRESH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.reader?.close();
  }

  async refresh(): Promise<void> {
    if (!this.reader) return;
    try {
      const published = await this.reader.readAll();
      this.#current = new TopLevelAliases(new Map([...this.settings, ...published]));
    } catch (error) {
      this.log.warn('alias-registry.unreachable', { code: errorCode(error) });
    }
  }
}
