import type { Settings } from '../../config/settings.js';
import { LONGEST_RETRY_SECONDS } from '../../outbox/seen.js';

/**
 * How long others may believe a ghost's profile after it was replaced: a signed answer that was made just before, and
 * then their own cache. Nobody tells how long theirs keeps, so it is taken to be like ours.
 */
export function profileBelievedSeconds({ ccipRead, ens }: Pick<Settings, 'ccipRead' | 'ens'>): number {
  return ccipRead.validitySeconds + ens.cacheSeconds;
}

/** How long after a rotation messages for the former keys are opened: belief in them, and then the longest retry. */
export function openedSeconds(believedSeconds: number): number {
  return believedSeconds + LONGEST_RETRY_SECONDS;
}
