import { DeliveryFailedError } from '../../gateway/adapter/errors.js';
import { fitsAny } from './portals/globs.js';
import type { RenderedMatrix } from './rendering.js';

interface Lists {
  /** Patterns of user ids. */
  readonly allow: readonly string[];
  /** Wins. */
  readonly block: readonly string[];
}

/** What has nothing to say of its own is left out without a word. */
const SILENT = new Set<RenderedMatrix['kind']>(['reaction', 'read']);

/** Who of Matrix this gateway serves, by the operator's lists. */
export class AccessList {
  constructor(private readonly lists: Lists) {}

  /** @param userId `@alice:hs.org` */
  allows(userId: string): boolean {
    const { allow, block } = this.lists;
    return fitsAny(allow, userId) && !fitsAny(block, userId);
  }

  /**
   * Whether something leaves for Matrix. Notices do, and what takes them back: they are about what was taken from there.
   * @throws DeliveryFailedError NOT_SERVED: permanent
   */
  lets(rendered: RenderedMatrix): boolean {
    if (rendered.kind === 'notice' || rendered.kind === 'retraction') return true;
    const { speaker } = rendered;
    if ('portal' in speaker || this.allows(speaker.user)) return true;
    if (SILENT.has(rendered.kind)) return false;
    const reason = `The operator of this gateway does not let anybody write to ${speaker.user}.`;
    throw new DeliveryFailedError({ code: 'NOT_SERVED', reason, retryable: false });
  }
}
