import { Body, Controller, Get, Headers, HttpCode, Param, Post, UseFilters } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { NameService } from '../../naming/name-service.js';
import { LoginService } from '../access/login.service.js';
import { grantedIn, permissionSet, permissionsSchema, type PermissionSet } from '../permissions/permission.js';
import { Permissions } from '../permissions/permissions.js';
import { RestErrorFilter } from './errors.js';
import { parseBody } from './parse-body.js';

/** What an account lets other accounts of this service do; its owner reads and sets all of it. */
@ApiTags('dm3 delivery service')
@UseFilters(RestErrorFilter)
@Controller('ds/permissions')
export class PermissionsController {
  constructor(
    private readonly names: NameService,
    private readonly logins: LoginService,
    private readonly permissions: Permissions,
  ) {}

  @Get(':name')
  async read(@Param('name') name: string, @Headers('authorization') token?: string): Promise<PermissionSet> {
    const account = await this.logins.authorise(await this.names.canonical(name), token);
    return permissionSet(await this.permissions.of(account));
  }

  @Post(':name')
  @HttpCode(200)
  async set(
    @Param('name') name: string,
    @Body() body: unknown,
    @Headers('authorization') token?: string,
  ): Promise<PermissionSet> {
    const account = await this.logins.authorise(await this.names.canonical(name), token);
    const set = parseBody(permissionsSchema, body);
    await this.permissions.set(account, grantedIn(set));
    return set;
  }
}
