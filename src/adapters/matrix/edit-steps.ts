import type { Standing, StandingEvent } from './event.store.js';
import { fileDigest, type PartId } from './part-id.js';
import type { Part } from './rendering.js';

/** One thing to do for an edit. `index` is the part's in the edit: what is done twice is a repeat. */
export type EditStep =
  | { readonly kind: 'replace'; readonly index: number; readonly part: Part; readonly eventId: string }
  | {
      readonly kind: 'say';
      readonly index: number;
      readonly part: Part;
      /** Its place in the message that is changed; undefined where nothing stands of that. */
      readonly under: PartId | undefined;
    }
  | { readonly kind: 'redact'; readonly eventId: string };

interface Edit {
  readonly message: string;
  readonly parts: readonly Part[];
}

/**
 * What makes an edit of what stands: texts take the places of texts, in order, what is beyond is said, and texts too
 * many are taken out. Files stay where they are; an edit that has files of its own names all that the message has now
 * (dm3: attachments are absent, or the list). What an attempt before has said already is not said again.
 */
export function editSteps({ message, parts }: Edit, standing: Standing): EditStep[] {
  const left = { texts: textsIn(standing.events), files: standing.events.filter(({ file }) => file) };
  const hasFiles = parts.some(({ kind }) => kind === 'file');
  let place = Math.max(-1, ...standing.events.map((event) => event.place));
  const steps = parts.flatMap((part, index): EditStep[] => {
    const target = part.kind === 'text' ? left.texts.shift() : takeFile(left.files, part);
    if (target && (part.kind === 'file' || target.part.message === message)) return [];
    if (target) return [{ kind: 'replace', index, part, eventId: target.eventId }];
    const under = standing.events.length === 0 ? undefined : { message: standing.message, index: ++place };
    return [{ kind: 'say', index, part, under }];
  });
  const surplus = [...left.texts, ...(hasFiles ? left.files : [])];
  return [...steps, ...surplus.map(({ eventId }): EditStep => ({ kind: 'redact', eventId }))];
}

/** Of what nobody noted the kind, the first is taken for one, and the others are left alone. */
function textsIn(events: readonly StandingEvent[]): StandingEvent[] {
  return events.filter(({ file }, index) => file === null || (file === undefined && index === 0));
}

function takeFile(files: StandingEvent[], part: Part): StandingEvent | undefined {
  const digest = fileDigest(part);
  const at = files.findIndex(({ file }) => file === digest);
  return at < 0 ? undefined : files.splice(at, 1)[0];
}
