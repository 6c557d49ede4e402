import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, UseFilters } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { EthAddress } from '../../common/ids.js';
import { NameService } from '../../naming/name-service.js';
import { LoginService } from '../access/login.service.js';
import { RestErrorFilter } from '../api/errors.js';
import { parseBody } from '../api/parse-body.js';
import { CHANNEL_TYPES, type ChannelType } from './channel.js';
import { NotificationSettings } from './notification-settings.js';

const type = z.enum(CHANNEL_TYPES);
const switchBody = z.object({ isEnabled: z.boolean() });
const typeBody = z.object({ notificationChannelType: type });
/** A push subscription comes as an object or as its JSON text. */
const addBody = typeBody.extend({
  recipientValue: z.union([z.string().min(1).max(4_000), z.record(z.string(), z.unknown())]),
});
const verifyBody = typeBody.extend({ otp: z.string().min(1).max(20) });
const enableBody = typeBody.extend(switchBody.shape);

/** What clients read as success. */
const OK = 'OK';

/** In the shape in which clients read it. */
interface ChannelView {
  readonly type: ChannelType;
  readonly config: { readonly recipientValue: string; readonly isEnabled: boolean; readonly isVerified: boolean };
}

/** How an account is told of messages while it is away (dm3 delivery service REST, `/notifications`). */
@ApiTags('dm3 delivery service')
@UseFilters(RestErrorFilter)
@Controller('ds/notifications')
export class NotificationsController {
  constructor(
    private readonly names: NameService,
    private readonly logins: LoginService,
    private readonly settings: NotificationSettings,
  ) {}

  @Get('global/:name')
  async isOn(@Param('name') name: string, @Headers('authorization') token?: string): Promise<{ isEnabled: boolean }> {
    return { isEnabled: await this.settings.isOn(await this.#account(name, token)) };
  }

  @Post('global/:name')
  @HttpCode(200)
  async setOn(
    @Param('name') name: string,
    @Body() body: unknown,
    @Headers('authorization') token?: string,
  ): Promise<string> {
    const account = await this.#account(name, token);
    await this.settings.setOn(account, parseBody(switchBody, body).isEnabled);
    return OK;
  }

  @Get(':name')
  async channels(
    @Param('name') name: string,
    @Headers('authorization') token?: string,
  ): Promise<{ notificationChannels: ChannelView[] }> {
    const channels = await this.settings.channels(await this.#account(name, token));
    const notificationChannels = channels.map(({ type, recipient, isEnabled, isVerified }) => ({
      type,
      config: { recipientValue: recipient, isEnabled, isVerified },
    }));
    return { notificationChannels };
  }

  @Post(':name')
  @HttpCode(200)
  async add(
    @Param('name') name: string,
    @Body() body: unknown,
    @Headers('authorization') token?: string,
  ): Promise<string> {
    const account = await this.#account(name, token);
    const { notificationChannelType, recipientValue } = parseBody(addBody, body);
    await this.settings.add(account, notificationChannelType, recipientValue);
    return OK;
  }

  @Post('otp/:name')
  @HttpCode(200)
  async resendCode(
    @Param('name') name: string,
    @Body() body: unknown,
    @Headers('authorization') token?: string,
  ): Promise<string> {
    const account = await this.#account(name, token);
    await this.settings.resendCode(account, parseBody(typeBody, body).notificationChannelType);
    return OK;
  }

  @Post('otp/verify/:name')
  @HttpCode(200)
  async verify(
    @Param('name') name: string,
    @Body() body: unknown,
    @Headers('authorization') token?: string,
  ): Promise<string> {
    const account = await this.#account(name, token);
    const { notificationChannelType, otp } = parseBody(verifyBody, body);
    await this.settings.verify(account, notificationChannelType, otp);
    return OK;
  }

  @Post('channel/:name')
  @HttpCode(200)
  async setEnabled(
    @Param('name') name: string,
    @Body() body: unknown,
    @Headers('authorization') token?: string,
  ): Promise<string> {
    const account = await this.#account(name, token);
    const { notificationChannelType, isEnabled } = parseBody(enableBody, body);
    await this.settings.setEnabled(account, notificationChannelType, isEnabled);
    return OK;
  }

  @Delete('channel/:type/:name')
  async remove(
    @Param('type') channelType: string,
    @Param('name') name: string,
    @Headers('authorization') token?: string,
  ): Promise<{ message: string }> {
    const account = await this.#account(name, token);
    const removed = parseBody(type, channelType);
    await this.settings.remove(account, removed);
    return { message: `Notification channel ${removed} has been removed successfully` };
  }

  async #account(name: string, token: string | undefined): Promise<EthAddress> {
    return this.logins.authorise(await this.names.canonical(name), token);
  }
}
