import { Controller, Get, HttpCode, NotFoundException, Param, ParseUUIDPipe, Post, UseGuards } from '@nestjs/common';
import type { MessageId } from '../../common/ids.js';
import { AdminGuard, Needs } from './admin.guard.js';
import { AdminService } from './admin.service.js';

/** For operators, on the admin port only. */
@UseGuards(AdminGuard)
@Controller('admin/v1')
export class AdminController {
  constructor(private readonly admin: AdminService) {}

  @Get('queue')
  @Needs('read')
  queue() {
    return this.admin.queue();
  }

  @Get('messages/:id')
  @Needs('read')
  async message(@Param('id', ParseUUIDPipe) id: string) {
    const status = await this.admin.message(id);
    if (!status) throw new NotFoundException('There is no message of this id.');
    return status;
  }

  @Get('dead-letters')
  @Needs('read')
  deadLetters() {
    return this.admin.deadLetters();
  }

  @Post('dead-letters/:id/retry')
  @HttpCode(204)
  @Needs('act')
  async retry(@Param('id', ParseUUIDPipe) id: string): Promise<void> {
    if (!(await this.admin.retry(id as MessageId))) throw new NotFoundException('There is no dead letter of this id.');
  }
}
