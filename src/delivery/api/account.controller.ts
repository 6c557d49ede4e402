import { Body, Controller, Get, Header, Headers, HttpCode, Param, Post, UseFilters } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { EnsName, Hash } from '../../common/ids.js';
import { NameNotFoundError } from '../../naming/errors.js';
import { NameService } from '../../naming/name-service.js';
import { Database } from '../../storage/database.js';
import { AccountService } from '../accounts/account.service.js';
import { LoginService } from '../access/login.service.js';
import { MailboxStore } from '../mailbox/mailbox.store.js';
import { RestErrorFilter } from './errors.js';
import { parseBody } from './parse-body.js';

/** Per contact conversation and for the whole mailbox: what clients expect to get in one call. */
const PAGE = 1_000;

/** Challenges and tokens are answered as JSON strings. */
const JSON_TEXT = Header('content-type', 'application/json; charset=utf-8');

const loginBody = z.strictObject({ challenge: z.string().max(1_000), signature: z.string().max(200) });

/** `messageHash` may be either hash; the contact's name is no part of the match, since clients acknowledge for all. */
const acknowledgementBody = z.object({
  acknowledgements: z
    .array(z.object({ messageHash: z.string().regex(/^0x[0-9a-fA-F]{64}$/) }))
    .max(10_000)
    .describe('what the client has read'),
});

/** The delivery service's REST calls of dm3 clients: profile, login, incoming messages, acknowledgements. */
@ApiTags('dm3 delivery service')
@UseFilters(RestErrorFilter)
@Controller('ds')
export class AccountController {
  constructor(
    private readonly db: Database,
    private readonly names: NameService,
    private readonly accounts: AccountService,
    private readonly logins: LoginService,
    private readonly mailbox: MailboxStore,
  ) {}

  @Get('profile/:name')
  async profile(@Param('name') name: string): Promise<object> {
    const ensName = this.#name(name);
    const address = await this.names.resolveAddress(ensName);
    const stored = address && (await this.accounts.stored(address));
    if (!stored) throw new NameNotFoundError({ name: ensName });
    return stored;
  }

  @Post('profile/:name')
  @JSON_TEXT
  @HttpCode(200)
  async submitProfile(@Param('name') name: string, @Body() body: unknown): Promise<string> {
    const ensName = this.#name(name);
    await this.accounts.submitProfile(ensName, body);
    return JSON.stringify(await this.logins.issueToken(ensName));
  }

  @Get('auth/:name')
  @JSON_TEXT
  async challenge(@Param('name') name: string): Promise<string> {
    return JSON.stringify(await this.logins.challenge(this.#name(name)));
  }

  @Post('auth/:name')
  @JSON_TEXT
  @HttpCode(200)
  async login(@Param('name') name: string, @Body() body: unknown): Promise<string> {
    const { challenge, signature } = parseBody(loginBody, body);
    return JSON.stringify(await this.logins.login(this.#name(name), challenge, signature));
  }

  @Get('delivery/messages/incoming/:name')
  async incoming(@Param('name') name: string, @Headers('authorization') token?: string): Promise<object[]> {
    const address = await this.logins.authorise(this.#name(name), token);
    return this.mailbox.list(this.db, address, PAGE);
  }

  @Get('delivery/messages/:name/contact/:contact')
  async fromContact(
    @Param('name') name: string,
    @Param('contact') contact: string,
    @Headers('authorization') token?: string,
  ): Promise<object[]> {
    const address = await this.logins.authorise(this.#name(name), token);
    const sender = await this.names.resolveAddress(this.#name(contact));
    return sender ? this.mailbox.listFrom(this.db, address, sender, PAGE) : [];
  }

  @Post('delivery/messages/:name/syncAcknowledgements')
  @HttpCode(200)
  async acknowledge(
    @Param('name') name: string,
    @Body() body: unknown,
    @Headers('authorization') token?: string,
  ): Promise<void> {
    const address = await this.logins.authorise(this.#name(name), token);
    const { acknowledgements } = parseBody(acknowledgementBody, body);
    await this.mailbox.acknowledge(
      this.db,
      address,
      acknowledgements.map(({ messageHash }) => messageHash as Hash),
    );
  }

  #name(name: string): EnsName {
    return this.names.canonical(name);
  }
}
