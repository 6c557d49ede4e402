import {
  Body,
  Controller,
  Get,
  Header,
  HttpCode,
  Inject,
  Injectable,
  Param,
  Post,
  UseFilters,
  UseGuards,
  type CanActivate,
} from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { EnsName, EthAddress } from '../../common/ids.js';
import type { Settings } from '../../config/settings.js';
import { SETTINGS } from '../../config/tokens.js';
import { ClientLimitGuard } from '../../delivery/api/client-limit.guard.js';
import { RestErrorFilter } from '../../delivery/api/errors.js';
import { parseBody } from '../../delivery/api/parse-body.js';
import { AliasTranslator } from '../../naming/alias/translator.js';
import { NameService } from '../../naming/name-service.js';
import {
  profileLinkMessage,
  profileLinkRemovalMessage,
  type ProfileLink,
  type SignedProfileLink,
} from '../../protocol/profile/profile-link.js';
import { AdapterRegistry } from '../adapters.js';
import { GhostService } from '../ghosts/ghost.service.js';
import { LinksOffError } from './errors.js';
import { LinkRemoval } from './link-removal.js';
import { LinkRequests, REQUEST_SECONDS } from './link-requests.js';
import type { SignedLink } from './link.js';
import { LinkedProfiles } from './linked-profiles.js';

const DEFAULT_DAYS = 365;
const MAX_DAYS = 1_095;

const address = z.string().min(1).max(400);
/** Long enough for the wallets that concatenate their owners' signatures (ERC-1271). */
const signature = z.string().min(1).max(20_000);
const code = z.string().min(1).max(20);
const id = z.uuid();

const beginBody = z.object({
  address,
  name: z.string().min(1).max(300),
  type: z.enum(['EthAddressLink', 'ProfileLink']).default('EthAddressLink'),
  days: z.number().int().min(1).max(MAX_DAYS).default(DEFAULT_DAYS),
});
const signatureBody = z.object({ id, signature });
const codeBody = z.object({ id, code });
const addressBody = z.object({ address });
const removalBody = z.union([addressBody.extend({ signature }), addressBody.extend({ code })]);

/** A link for everybody to check. */
interface LinkView extends SignedProfileLink {
  /** `alice@example.com` */
  readonly address: string;
  /** The name that stands for it. */
  readonly alias: EnsName;
  /** The dm3 name of the same person. */
  readonly name: EnsName;
  /** What the owner of the name signs to take it back. */
  readonly removalText: string;
}

/** Links that were made can be looked up and taken back even so. */
@Injectable()
class LinksOnGuard implements CanActivate {
  constructor(@Inject(SETTINGS) private readonly settings: Settings) {}

  /** @throws LinksOffError */
  canActivate(): boolean {
    if (!this.settings.links.enabled) throw new LinksOffError();
    return true;
  }
}

/** Links between people outside dm3 and dm3 names (docs/linked-profiles.md). */
@ApiTags('names')
@UseFilters(RestErrorFilter)
@UseGuards(ClientLimitGuard)
@Controller('resolver/links')
export class LinksController {
  constructor(
    private readonly requests: LinkRequests,
    private readonly removal: LinkRemoval,
    private readonly links: LinkedProfiles,
    private readonly translator: AliasTranslator,
    private readonly names: NameService,
    private readonly ghosts: GhostService,
    private readonly adapters: AdapterRegistry,
  ) {}

  @Post()
  @UseGuards(LinksOnGuard)
  @HttpCode(200)
  async begin(
    @Body() body: unknown,
  ): Promise<{ id: string; profileLink: ProfileLink; text: string; validSeconds: number }> {
    const { id, profileLink } = await this.requests.begin(parseBody(beginBody, body));
    return { id, profileLink, text: profileLinkMessage(profileLink), validSeconds: REQUEST_SECONDS };
  }

  @Post('signature')
  @UseGuards(LinksOnGuard)
  @HttpCode(200)
  async sign(@Body() body: unknown): Promise<{ message: string }> {
    const signed = parseBody(signatureBody, body);
    await this.requests.sign(signed.id, signed.signature);
    return { message: 'A code was sent to the address.' };
  }

  @Post('code')
  @HttpCode(200)
  async confirm(@Body() body: unknown): Promise<LinkView> {
    const typed = parseBody(codeBody, body);
    return this.#view(await this.requests.confirm(typed.id, typed.code));
  }

  @Post('removal-code')
  @HttpCode(200)
  async sendRemovalCode(@Body() body: unknown): Promise<{ message: string }> {
    await this.removal.sendCode(parseBody(addressBody, body).address);
    return { message: 'A code was sent to the address.' };
  }

  @Post('removal')
  @HttpCode(200)
  async remove(@Body() body: unknown): Promise<{ message: string }> {
    const wanted = parseBody(removalBody, body);
    if ('signature' in wanted) await this.removal.bySignature(wanted.address, wanted.signature);
    else await this.removal.byCode(wanted.address, wanted.code);
    return { message: 'The link was removed.' };
  }

  // A wildcard, since Fastify cuts named parameters at 100 characters.
  @Get('*')
  @Header('cache-control', 'no-store')
  async of(@Param('*') text: string): Promise<{ links: LinkView[] }> {
    const name = await this.translator.nameOf(text);
    const ghost = await this.ghosts.byName(name);
    const owner = ghost ? null : await this.names.resolveAddress(name);
    const links = ghost ? await this.#ofGhost(ghost.address) : owner ? await this.links.ofOwner(owner) : [];
    return { links: links.map((link) => this.#view(link)) };
  }

  async #ofGhost(ghost: EthAddress): Promise<SignedLink[]> {
    const link = await this.links.ofGhost(ghost);
    return link ? [link] : [];
  }

  #view({ foreign, main, profileLink, signature: proof }: SignedLink): LinkView {
    return {
      address: this.adapters.format(foreign),
      alias: this.ghosts.ofForeign(foreign).name,
      name: main,
      profileLink,
      signature: proof,
      removalText: profileLinkRemovalMessage(profileLink),
    };
  }
}
