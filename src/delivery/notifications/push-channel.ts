import { safeFetch } from '../../naming/safe-fetch.js';
import type { NotificationChannel } from './channel.js';
import { PushRefusedError, RecipientGoneError } from './errors.js';
import { parsePushSubscription, type PushSubscription } from './push-subscription.js';
import type { VapidKeys } from './vapid.js';

interface Parts {
  readonly vapid: VapidKeys;
  /** `https:` or `mailto:` URL by which push services reach the operator (RFC 8292 §2.1). */
  readonly contact: string;
  /** Only for a sandbox: push services at http URLs and private addresses. */
  readonly allowPrivate: boolean;
}

/** How long a push service keeps a notification for a browser that is away; by then another one follows, or none is due. */
const KEPT_SECONDS = 86_400;
/** Of notifications that wait at the push service, the last replaces the others (RFC 8030 §5.4). */
const TOPIC = 'dm3-new-message';
const TIMEOUT_MS = 10_000;
/** In the members that clients' service workers show; neither who wrote nor what: it stands on a locked screen. */
const PAYLOAD = JSON.stringify({ title: 'New Message', body: 'You received a new message.' });

/** Web Push: whoever holds a subscription has it from the browser, which asked its user. */
export class PushChannel implements NotificationChannel {
  readonly type = 'PUSH';
  readonly publicConfig: { readonly publicVapidKey: string };

  constructor(private readonly parts: Parts) {
    this.publicConfig = { publicVapidKey: parts.vapid.publicKey };
  }

  parseRecipient(value: unknown): string {
    return JSON.stringify(parsePushSubscription(value, { allowHttp: this.parts.allowPrivate }));
  }

  /** @throws RecipientGoneError, PushRefusedError, FetchRefusedError; retryable: FetchFailedError */
  async notify(recipient: string): Promise<void> {
    const { endpoint, keys } = JSON.parse(recipient) as PushSubscription;
    const { default: webPush } = await import('web-push'); // heavy: only for a process that pushes
    const { vapid, contact, allowPrivate } = this.parts;
    const { headers, body } = webPush.generateRequestDetails({ endpoint, keys }, PAYLOAD, {
      vapidDetails: { subject: contact, ...vapid },
      TTL: KEPT_SECONDS,
      topic: TOPIC,
    });
    // The signature in the headers is for this origin: it is not carried to another one.
    const options = { allowPrivate, post: { headers, body }, maxRedirects: 0, timeoutMs: TIMEOUT_MS };
    judge((await safeFetch(endpoint, options)).status);
  }
}

/** RFC 8030 §5, §7.3 */
function judge(status: number): void {
  if (status >= 200 && status < 300) return;
  if (status === 404 || status === 410) throw new RecipientGoneError();
  throw new PushRefusedError({ status, retryable: status === 429 || status >= 500 });
}
