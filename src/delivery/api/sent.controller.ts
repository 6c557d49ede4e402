import { Body, Controller, Headers, HttpCode, Param, Post, UseFilters } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { Hash } from '../../common/ids.js';
import { NameService } from '../../naming/name-service.js';
import { LoginService } from '../access/login.service.js';
import { SentMessages } from '../sent/sent-messages.js';
import { RestErrorFilter } from './errors.js';
import { parseBody } from './parse-body.js';

const MAX_ASKED = 100;

const to = z.string().max(1_000);
const hash = z.string().regex(/^0x[0-9a-fA-F]{64}$/);
const statesBody = z.strictObject({ to, messageHashes: z.array(hash).min(1).max(MAX_ASKED) });
const recallBody = z.strictObject({ to, messageHash: hash });

interface Answer {
  readonly messageHash: string;
  readonly state: string;
}

/** What an account sent to others of this service: what became of it, and taking it back. */
@ApiTags('dm3 delivery service')
@UseFilters(RestErrorFilter)
@Controller('ds/delivery/sent')
export class SentController {
  constructor(
    private readonly names: NameService,
    private readonly logins: LoginService,
    private readonly sent: SentMessages,
  ) {}

  @Post(':name/states')
  @HttpCode(200)
  async states(
    @Param('name') name: string,
    @Body() body: unknown,
    @Headers('authorization') token?: string,
  ): Promise<readonly Answer[]> {
    const sender = await this.logins.authorise(await this.names.canonical(name), token);
    const { to, messageHashes } = parseBody(statesBody, body);
    const states = await this.sent.states(sender, to, messageHashes as Hash[]);
    return messageHashes.map((messageHash, index) => ({ messageHash, state: states[index]! }));
  }

  @Post(':name/recall')
  @HttpCode(200)
  async recall(
    @Param('name') name: string,
    @Body() body: unknown,
    @Headers('authorization') token?: string,
  ): Promise<Answer> {
    const sender = await this.logins.authorise(await this.names.canonical(name), token);
    const { to, messageHash } = parseBody(recallBody, body);
    await this.sent.recall(sender, to, messageHash as Hash);
    return { messageHash, state: 'recalled' };
  }
}
