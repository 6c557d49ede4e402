import { Body, Controller, Get, Headers, HttpCode, Param, Post, UseFilters } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { NameService } from '../../naming/name-service.js';
import { LoginService } from '../access/login.service.js';
import { spamRulesSchema, type SpamRules } from '../spam/rules.js';
import { SpamGuard } from '../spam/spam-guard.js';
import { RestErrorFilter } from './errors.js';
import { parseBody } from './parse-body.js';

/** From whom an account takes messages; its owner reads and sets the whole rule set. */
@ApiTags('dm3 delivery service')
@UseFilters(RestErrorFilter)
@Controller('ds/spam')
export class SpamController {
  constructor(
    private readonly names: NameService,
    private readonly logins: LoginService,
    private readonly guard: SpamGuard,
  ) {}

  @Get(':name')
  async rules(@Param('name') name: string, @Headers('authorization') token?: string): Promise<SpamRules> {
    return this.guard.rules(await this.logins.authorise(await this.names.canonical(name), token));
  }

  @Post(':name')
  @HttpCode(200)
  async setRules(
    @Param('name') name: string,
    @Body() body: unknown,
    @Headers('authorization') token?: string,
  ): Promise<SpamRules> {
    const address = await this.logins.authorise(await this.names.canonical(name), token);
    return this.guard.setRules(address, parseBody(spamRulesSchema, body));
  }
}
