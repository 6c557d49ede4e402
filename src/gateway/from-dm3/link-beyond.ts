import type { Capabilities } from '../adapter/adapter.js';
import type { NeutralAttachment, NeutralMessage } from '../adapter/message.js';
import { shrink, type Shelf, type Shrunk } from '../attachments/shrink.js';

/**
 * Puts attachments that are more than the network takes behind links, where it takes attachments at all. What does not
 * fit even so is for `fitMessage` to refuse.
 * @param shelf null where no files are kept
 * @throws AttachmentTooLargeError, AttachmentsTooLargeError
 */
export function linkBeyond(message: NeutralMessage, can: Capabilities, shelf: Shelf | null): Shrunk {
  const asItIs = { message, files: [] };
  if (!shelf || (can.attachments !== 'full' && can.attachments !== 'partial')) return asItIs;
  const measure = {
    frameBytes: 0,
    textBytes: () => 0, // has a limit of its own
    attachmentBytes,
    fits: (bytes: number) => bytes <= can.maxAttachmentBytes,
  };
  return shrink(message, measure, shelf) ?? asItIs;
}

function attachmentBytes({ content }: NeutralAttachment): number {
  return 'bytes' in content ? content.bytes.length : 0;
}
