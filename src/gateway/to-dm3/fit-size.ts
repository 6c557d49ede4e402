import type { EnsName } from '../../common/ids.js';
import { stringify } from '../../protocol/encoding/stringify.js';
import { predictEnvelopeSize } from '../../protocol/envelope/envelope.js';
import type { ForeignMessage, Target } from '../adapter/adapter.js';
import { MessageTooLargeError } from '../adapter/errors.js';
import type { NeutralAttachment } from '../adapter/message.js';
import { messageBytes, shrink, type Scale, type Shelf, type Shrunk } from '../attachments/shrink.js';
import type { Ghost } from '../ghosts/ghost.service.js';
import { composeMessage, dm3Attachment } from './compose.js';

/** Room for the signature (base64, 88 characters), the token and a reference, which are not known when it counts. */
const RESERVED_BYTES = 400;
const NOTHING = new Uint8Array(0);

/**
 * What receivers get whose delivery services do not take the message as it is: the same with links in place of what
 * does not fit. Whoever is not in the answer gets it as it is.
 * @param shelf null where no files are kept
 * @throws MessageTooLargeError naming the limit of the receiver's delivery service; AttachmentTooLargeError,
 *   AttachmentsTooLargeError naming ours
 */
export function fitToReceivers(
  { message, identity, to }: ForeignMessage,
  ghost: Ghost,
  shelf: Shelf | null,
): Map<Target, Shrunk> {
  const fitted = new Map<Target, Shrunk>();
  const limited = to.filter(({ sizeLimit }) => sizeLimit !== null);
  if (limited.length === 0) return fitted;
  const scale = scaleOf({ message, identity }, ghost);
  const bytes = messageBytes(message, scale);
  for (const target of limited) {
    const limitBytes = target.sizeLimit!;
    const envelopeBytes = (counted: number) => predictEnvelopeSize(counted + Buffer.byteLength(target.name));
    const fits = (counted: number) => envelopeBytes(counted) <= limitBytes;
    if (fits(bytes)) continue;
    const shrunk = shelf && shrink(message, { ...scale, fits }, shelf);
    if (!shrunk) throw new MessageTooLargeError({ sizeBytes: envelopeBytes(bytes), limitBytes });
    fitted.set(target, shrunk);
  }
  return fitted;
}

/** Counts what `composeMessage` would make, without making it: files can be large, and receivers many. */
function scaleOf({ message, identity }: Pick<ForeignMessage, 'message' | 'identity'>, ghost: Ghost): Scale {
  // Whatever it is about only takes words away.
  const bare = { ...message, type: 'new' as const, text: '', attachments: [] };
  const parts = { from: ghost.name, to: '' as EnsName, message: bare, identity, reference: null, replyToken: '' };
  const list = message.attachments.length === 0 ? '' : stringify({ attachments: [] });
  return {
    frameBytes: jsonBytes(composeMessage(parts)) + list.length + RESERVED_BYTES,
    textBytes: (text) => jsonBytes(text) - 2,
    attachmentBytes,
  };
}

function attachmentBytes(attachment: NeutralAttachment): number {
  const { content } = attachment;
  if ('uri' in content) return jsonBytes(dm3Attachment(attachment)) + 1;
  const base64 = 4 * Math.ceil(content.bytes.length / 3);
  return jsonBytes(dm3Attachment({ ...attachment, content: { bytes: NOTHING } })) + base64 + 1;
}

const jsonBytes = (value: unknown): number => Buffer.byteLength(stringify(value));
