import type { EnsName } from '../../common/ids.js';
import type { NameRecords, RecordSource } from '../../naming/ccip-read/records.js';
import { LINKED_NAME_RECORD, PROFILE_LINK_RECORD } from '../../protocol/profile/profile-link.js';
import { dataRecord } from '../../protocol/profile/record.js';
import type { LinkedProfiles } from './linked-profiles.js';

interface Parts {
  readonly ghosts: RecordSource;
  readonly links: Pick<LinkedProfiles, 'shownOf'>;
}

/** The records of ghosts, with the link where there is one that names just this name. */
export class LinkedRecords implements RecordSource {
  constructor(private readonly parts: Parts) {}

  async find(name: EnsName): Promise<NameRecords | null> {
    const { ghosts, links } = this.parts;
    const records = await ghosts.find(name);
    const link = records && (await links.shownOf(records.address));
    if (link?.profileLink.linkedProfile !== name) return records;
    const { main, profileLink, signature } = link;
    const texts = {
      ...records!.texts,
      description: `${records!.texts['description']} Linked with ${main}.`,
      [LINKED_NAME_RECORD]: main,
      [PROFILE_LINK_RECORD]: dataRecord({ profileLink, signature }),
    };
    return { ...records!, texts };
  }
}
