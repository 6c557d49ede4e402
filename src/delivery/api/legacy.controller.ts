import {
  Body,
  Controller,
  Get,
  HttpCode,
  Inject,
  NotFoundException,
  Param,
  Post,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { EnsName } from '../../common/ids.js';
import type { Settings } from '../../config/settings.js';
import { SETTINGS } from '../../config/tokens.js';
import { NameService } from '../../naming/name-service.js';
import { LoginService } from '../access/login.service.js';
import { loginBody } from './account.controller.js';
import { ClientLimitGuard } from './client-limit.guard.js';
import { RestErrorFilter } from './errors.js';
import { parseBody } from './parse-body.js';

/**
 * Login as clients built on the older delivery API library do it: `{challenge}`, then only the signature, then
 * `{token}`. Operators who still serve such clients switch it on and give them `<public URL>/legacy/ds`.
 */
@ApiTags('dm3 delivery service')
@UseFilters(RestErrorFilter)
@UseGuards(ClientLimitGuard)
@Controller('legacy/ds/auth')
export class LegacyLoginController {
  readonly #enabled: boolean;

  constructor(
    private readonly names: NameService,
    private readonly logins: LoginService,
    @Inject(SETTINGS) { deliveryService }: Settings,
  ) {
    this.#enabled = deliveryService.legacyLogin;
  }

  @Get(':name')
  async challenge(@Param('name') name: string): Promise<{ challenge: string }> {
    return { challenge: await this.logins.challenge(await this.#name(name)) };
  }

  @Post(':name')
  @HttpCode(200)
  async login(@Param('name') name: string, @Body() body: unknown): Promise<{ token: string }> {
    const ensName = await this.#name(name);
    const { challenge, signature } = parseBody(loginBody, body);
    if (challenge !== undefined) return { token: await this.logins.login(ensName, challenge, signature) };
    return { token: await this.logins.answerLatest(ensName, signature) };
  }

  async #name(name: string): Promise<EnsName> {
    if (!this.#enabled) throw new NotFoundException();
    return this.names.canonical(name);
  }
}

const PREFIX = '/legacy/ds/';

/** All other calls below the older clients' base URL are the ordinary ones. */
export function withoutLegacyPrefix(url: string): string {
  return url.startsWith(PREFIX) && !url.startsWith(`${PREFIX}auth/`) ? url.slice('/legacy'.length) : url;
}
