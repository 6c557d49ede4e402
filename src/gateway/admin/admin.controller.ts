import {
  BadRequestException,
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  ParseUUIDPipe,
  Post,
  UseGuards,
} from '@nestjs/common';
import { z } from 'zod';
import type { MessageId } from '../../common/ids.js';
import { AdminGuard, Needs } from './admin.guard.js';
import { AdminService } from './admin.service.js';

const LANE = z.strictObject({
  network: z.string().regex(/^[a-z][a-z0-9]*$/, 'a network such as dm3 or email'),
  destination: z.string().min(1).max(255).optional(),
});
const MAX_ID = 1_000;
const NO_DEAD_LETTER = 'There is no dead letter of this id.';

/** For operators, on the admin port only. */
@UseGuards(AdminGuard)
@Controller('admin/v1')
export class AdminController {
  constructor(private readonly admin: AdminService) {}

  @Get('queue')
  @Needs('read')
  async queue() {
    return { ...(await this.admin.counts()), ...(await this.admin.queue()) };
  }

  @Post('queue/pause')
  @HttpCode(204)
  @Needs('act')
  async pause(@Body() body: unknown): Promise<void> {
    const { network, destination } = laneOf(body);
    await this.admin.pause(network, destination);
  }

  @Post('queue/resume')
  @HttpCode(204)
  @Needs('act')
  async resume(@Body() body: unknown): Promise<void> {
    const { network, destination } = laneOf(body);
    if (!(await this.admin.resume(network, destination))) throw new NotFoundException('Nothing of this is paused.');
  }

  @Get('messages/:id')
  @Needs('read')
  async message(@Param('id') id: string) {
    const trace = id.length <= MAX_ID ? await this.admin.message(id) : null;
    if (!trace) throw new NotFoundException('There is no message of this id.');
    return trace;
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
    if (!(await this.admin.retry(id as MessageId))) throw new NotFoundException(NO_DEAD_LETTER);
  }

  @Delete('dead-letters/:id')
  @HttpCode(204)
  @Needs('act')
  async discard(@Param('id', ParseUUIDPipe) id: string): Promise<void> {
    if (!(await this.admin.discard(id as MessageId))) throw new NotFoundException(NO_DEAD_LETTER);
  }
}

/** @throws BadRequestException saying what is expected */
function laneOf(body: unknown): z.output<typeof LANE> {
  const { data, error } = LANE.safeParse(body);
  if (data) return data;
  const [{ path, message }] = error.issues as [z.core.$ZodIssue];
  throw new BadRequestException(
    `${path.join('.') || 'body'}: ${message}; send {"network": "email", "destination": "example.org"}.`,
  );
}
