import type { Environment } from '../config/env.js';
import type { Settings } from '../config/settings.js';
import type { Queryable } from '../storage/database.js';

/** What a change of keys needs to know and to talk to. */
export interface Rotation {
  readonly db: Queryable;
  readonly settings: Settings;
  readonly env: Environment;
  /** Only say what would be done. */
  readonly dryRun: boolean;
  /** False if the operator would rather not. */
  readonly agree: (plan: string) => Promise<boolean>;
  readonly say: (text: string) => void;
}
