import type { FastifyReply } from 'fastify';
import { Controller, Get, Inject, Query, Res, UseFilters, UseGuards } from '@nestjs/common';
import { ApiQuery, ApiTags } from '@nestjs/swagger';
import { GatewayError } from '../../common/errors.js';
import type { Settings } from '../../config/settings.js';
import { SERVED_NETWORKS, SETTINGS } from '../../config/tokens.js';
import { AliasTranslator, type Translation } from '../../naming/alias/translator.js';
import { NameService } from '../../naming/name-service.js';
import { LINKED_NAME_RECORD } from '../../protocol/profile/profile-link.js';
import { ClientLimitGuard } from './client-limit.guard.js';
import { RestErrorFilter } from './errors.js';

class NothingAskedError extends GatewayError {
  constructor() {
    const message = 'Say what to translate, once: /resolver/alias?of=<address or name>.';
    super({ code: 'NOTHING_ASKED', kind: 'invalid-input', message });
  }
}

/** Foreign address <-> ENS name, for everybody: what `dm3-gateway name` says. */
@ApiTags('names')
@UseFilters(RestErrorFilter)
@UseGuards(ClientLimitGuard)
@Controller('resolver')
export class AliasController {
  readonly #cacheControl: string;

  constructor(
    private readonly translator: AliasTranslator,
    private readonly nameService: NameService,
    @Inject(SERVED_NETWORKS) private readonly networks: readonly string[],
    @Inject(SETTINGS) { names }: Settings,
  ) {
    this.#cacheControl = `public, max-age=${names.aliasCacheSeconds}`;
  }

  /**
   * `served`: somebody of a network that this gateway has nothing to do with has a name all the same. `linkedName`: the
   * dm3 name of the same person, where there is one (docs/linked-profiles.md).
   */
  @Get('alias')
  @ApiQuery({ name: 'of', description: 'carol@example.org, @carol:hs.org, an XMTP address, or the name of one' })
  async translate(
    @Query('of') of: unknown,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Translation & { served: boolean; linkedName?: string }> {
    if (typeof of !== 'string' || of === '') throw new NothingAskedError();
    const translation = await this.translator.translate(of);
    const { kind, name } = translation;
    const served = kind === 'ens' || this.networks.includes(kind);
    const linkedName = (await this.nameService.localRecords(name))?.texts[LINKED_NAME_RECORD];
    // A link that is taken back must not live on in caches.
    void reply.header('cache-control', linkedName === undefined ? this.#cacheControl : 'no-store');
    return { ...translation, served, ...(linkedName === undefined ? {} : { linkedName }) };
  }
}
