import { Global, Module } from '@nestjs/common';
import type { Clock } from '../../common/clock.js';
import { fromParts } from '../../config/from-parts.js';
import type { Settings } from '../../config/settings.js';
import { CLOCK, CRYPTO, SETTINGS } from '../../config/tokens.js';
import { AccountService } from '../../delivery/accounts/account.service.js';
import { OneTimeCodes } from '../../delivery/notifications/one-time-codes.js';
import { AliasTranslator } from '../../naming/alias/translator.js';
import { BoundedCache } from '../../naming/bounded-cache.js';
import { NameService } from '../../naming/name-service.js';
import { OwnerCheck } from '../../naming/owner-check.js';
import { Database } from '../../storage/database.js';
import { RateLimiter } from '../../storage/rate-limits/rate-limiter.js';
import { Sealer } from '../../storage/sealer.js';
import { AdapterRegistry } from '../adapters.js';
import { GhostService } from '../ghosts/ghost.service.js';
import { LinkCodes } from './link-codes.js';
import { LinkDeskService } from './link-desk.js';
import { LinkParties } from './link-parties.js';
import { LinkRemoval } from './link-removal.js';
import { LinkRequests } from './link-requests.js';
import { LinkStore } from './link.store.js';
import { LinkedProfiles } from './linked-profiles.js';
import { LinkedRecords } from './linked-records.js';
import { LinksController } from './links.controller.js';
import { OwnerSignatures } from './owner-signatures.js';
import { RelayPolicy } from './relay-policy.js';

const SIGNATURES_KEPT = 10_000;
const BELIEVED = Symbol('signatures of wallets');
const BUDGET = Symbol('letters to strangers');
const publicUrlOf = ({ http }: Settings) => http.publicUrl;

function believedSignatures({ ens }: Settings, clock: Clock): BoundedCache<boolean> {
  const ttlMs = () => ens.cacheSeconds * 1_000;
  return new BoundedCache({ clock, maxEntries: SIGNATURES_KEPT, ttlMs });
}

@Global()
@Module({
  controllers: [LinksController],
  providers: [
    { provide: LinkStore, inject: [Sealer], useFactory: (sealer: Sealer) => new LinkStore(sealer) },
    {
      provide: BUDGET,
      inject: [SETTINGS, CLOCK, Database, Sealer],
      useFactory: ({ links }: Settings, clock: Clock, db: Database, sealer: Sealer) =>
        new RateLimiter({ db, sealer, clock, what: 'codes for links', limit: links.codesPerMinute }),
    },
    { provide: BELIEVED, inject: [SETTINGS, CLOCK], useFactory: believedSignatures },
    fromParts(OwnerSignatures, { crypto: CRYPTO, owners: OwnerCheck, accounts: AccountService }),
    fromParts(LinkedProfiles, {
      db: Database,
      store: LinkStore,
      names: NameService,
      signatures: OwnerSignatures,
      believed: BELIEVED,
    }),
    fromParts(LinkParties, {
      translator: AliasTranslator,
      names: NameService,
      ghosts: GhostService,
      adapters: AdapterRegistry,
    }),
    fromParts(LinkCodes, {
      db: Database,
      sealer: Sealer,
      adapters: AdapterRegistry,
      parties: LinkParties,
      codes: OneTimeCodes,
      budget: BUDGET,
    }),
    fromParts(LinkRequests, {
      crypto: CRYPTO,
      clock: CLOCK,
      db: Database,
      store: LinkStore,
      parties: LinkParties,
      ghosts: GhostService,
      adapters: AdapterRegistry,
      signatures: OwnerSignatures,
      codes: LinkCodes,
      links: LinkedProfiles,
      publicUrl: [SETTINGS, publicUrlOf],
    }),
    fromParts(LinkDeskService, {
      crypto: CRYPTO,
      clock: CLOCK,
      db: Database,
      store: LinkStore,
      parties: LinkParties,
      ghosts: GhostService,
      accounts: AccountService,
      signatures: OwnerSignatures,
      links: LinkedProfiles,
      publicUrl: [SETTINGS, publicUrlOf],
      isOn: [SETTINGS, ({ links }: Settings) => links.enabled],
    }),
    fromParts(LinkRemoval, {
      db: Database,
      store: LinkStore,
      parties: LinkParties,
      adapters: AdapterRegistry,
      signatures: OwnerSignatures,
      codes: LinkCodes,
      publicUrl: [SETTINGS, publicUrlOf],
    }),
    fromParts(LinkedRecords, { ghosts: GhostService, links: LinkedProfiles }),
    fromParts(RelayPolicy, { ghosts: GhostService, links: LinkedProfiles, accounts: AccountService }),
  ],
  exports: [LinkStore, LinkDeskService, LinkedProfiles, LinkedRecords, RelayPolicy],
})
export class LinksModule {}
