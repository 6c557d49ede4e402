import { Body, Controller, Get, Header, HttpCode, Param, Post, UseFilters, UseGuards } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { EnsName } from '../../common/ids.js';
import { NameNotFoundError } from '../../naming/errors.js';
import { NameService } from '../../naming/name-service.js';
import { AccountService } from '../accounts/account.service.js';
import { LoginService } from '../access/login.service.js';
import { ClientLimitGuard } from './client-limit.guard.js';
import { RestErrorFilter } from './errors.js';
import { parseBody } from './parse-body.js';

/** Challenges and tokens are answered as JSON strings. */
const JSON_TEXT = Header('content-type', 'application/json; charset=utf-8');

/** Clients of the older generation leave the challenge away: they mean the last one they were given. */
export const loginBody = z.strictObject({
  challenge: z.string().max(1_000).optional(),
  signature: z.string().max(200),
});

/** The delivery service's REST calls of dm3 clients before they read messages: profile and login. */
@ApiTags('dm3 delivery service')
@UseFilters(RestErrorFilter)
@UseGuards(ClientLimitGuard)
@Controller('ds')
export class AccountController {
  constructor(
    private readonly names: NameService,
    private readonly accounts: AccountService,
    private readonly logins: LoginService,
  ) {}

  @Get('profile/:name')
  async profile(@Param('name') name: string): Promise<object> {
    const ensName = await this.#name(name);
    const address = await this.names.resolveAddress(ensName);
    const stored = address && (await this.accounts.stored(address));
    if (!stored) throw new NameNotFoundError({ name: ensName });
    return stored;
  }

  @Post('profile/:name')
  @JSON_TEXT
  @HttpCode(200)
  async submitProfile(@Param('name') name: string, @Body() body: unknown): Promise<string> {
    const ensName = await this.#name(name);
    const submitted = await this.accounts.submitProfile(ensName, body);
    return JSON.stringify(await this.logins.answerProfile(ensName, submitted));
  }

  @Get('auth/:name')
  @JSON_TEXT
  async challenge(@Param('name') name: string): Promise<string> {
    return JSON.stringify(await this.logins.challenge(await this.#name(name)));
  }

  @Post('auth/:name')
  @JSON_TEXT
  @HttpCode(200)
  async login(@Param('name') name: string, @Body() body: unknown): Promise<string> {
    const { challenge, signature } = parseBody(loginBody, body);
    const ensName = await this.#name(name);
    if (challenge !== undefined) return JSON.stringify(await this.logins.login(ensName, challenge, signature));
    return JSON.stringify({ token: await this.logins.answerLatest(ensName, signature) });
  }

  #name(name: string): Promise<EnsName> {
    return this.names.canonical(name);
  }
}
