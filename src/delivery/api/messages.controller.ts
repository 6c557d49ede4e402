import type { FastifyReply } from 'fastify';
import {
  applyDecorators,
  Body,
  Controller,
  Get,
  Headers,
  HttpCode,
  Param,
  Post,
  Query,
  Res,
  UseFilters,
} from '@nestjs/common';
import { ApiQuery, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import type { Hash } from '../../common/ids.js';
import { tryNormaliseName } from '../../naming/ens-name.js';
import { NameService } from '../../naming/name-service.js';
import { LoginService } from '../access/login.service.js';
import { MAX_PAGE, MessageAccess, type MessagePage, type Wanted } from '../access/message-access.js';
import type { Read } from '../mailbox/mailbox.store.js';
import { RestErrorFilter } from './errors.js';
import { parseBody } from './parse-body.js';

/** Facts beside the array of envelopes, whose shape clients check. */
export const MESSAGE_HEADERS = { next: 'x-dm3-next', unverified: 'x-dm3-unverified', count: 'x-dm3-acknowledged' };

/** Many HTTP clients refuse an answer with more than 16 KB of headers; a hash takes 67 bytes. */
const MAX_LISTED = 100;
/** Instead of a longer list: take none of this page's envelopes for verified, or ask for smaller pages. */
const ANY = '*';

const device = z.string().regex(/^[\w.:-]{1,100}$/);
const readQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .default(MAX_PAGE)
    .transform((limit) => Math.min(limit, MAX_PAGE)),
  since: z.string().max(200).optional(),
  device: device.optional(),
});

/** By hash, or as clients did before August 2024: by sender and time of the postmark. */
const item = z.union([
  z.object({ messageHash: z.string().regex(/^0x[0-9a-fA-F]{64}$/) }),
  z.object({ contactAddress: z.string().max(1_000), messageDeliveryServiceTimestamp: z.number().int().nonnegative() }),
]);
type Item = z.infer<typeof item>;
const items = z.array(item).max(10_000);
const readBody = z.union([z.object({ acknowledgements: items }), z.object({ acknoledgments: items })]);

type HeaderFields = Readonly<Record<string, string | undefined>>;

const PerDevice = () => ApiQuery({ name: 'device', required: false, description: 'also as header x-dm3-device' });
const Paged = () =>
  applyDecorators(
    ApiQuery({ name: 'limit', required: false, description: `1 to ${MAX_PAGE}` }),
    ApiQuery({ name: 'since', required: false, description: `what ${MESSAGE_HEADERS.next} of the page before said` }),
    PerDevice(),
  );

/** Names looked up for one acknowledgement; what is not acknowledged with it comes again. */
const MAX_CONTACTS = 50;

/** Reading and acknowledging messages (dm3 delivery service REST, `/delivery/messages`). */
@ApiTags('dm3 delivery service')
@UseFilters(RestErrorFilter)
@Controller('ds/delivery/messages')
export class MessagesController {
  constructor(
    private readonly names: NameService,
    private readonly logins: LoginService,
    private readonly messages: MessageAccess,
  ) {}

  @Get('incoming/:name')
  @Paged()
  async incoming(
    @Param('name') name: string,
    @Query() query: unknown,
    @Headers() headers: HeaderFields,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<readonly object[]> {
    const account = await this.logins.authoriseReader(await this.names.canonical(name), headers['authorization']);
    return answer(reply, await this.messages.read(account, wanted(query, headers)));
  }

  @Get(':name/contact/:contact')
  @Paged()
  async fromContact(
    @Param('name') name: string,
    @Param('contact') contact: string,
    @Query() query: unknown,
    @Headers() headers: HeaderFields,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<readonly object[]> {
    const account = await this.logins.authoriseReader(await this.names.canonical(name), headers['authorization']);
    const senders = await this.#sendersCalled(contact);
    return answer(reply, await this.messages.read(account, { ...wanted(query, headers), senders }));
  }

  /** Older clients misspell it, and add when they last fetched, which says nothing about what they got. */
  @Post([':name/syncAcknowledgements', ':name/syncAcknowledgment/:fetchedAt', ':name/syncAcknoledgment/:fetchedAt'])
  @HttpCode(200)
  @PerDevice()
  async acknowledge(
    @Param('name') name: string,
    @Body() body: unknown,
    @Query() query: unknown,
    @Headers() headers: HeaderFields,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const account = await this.logins.authoriseReader(await this.names.canonical(name), headers['authorization']);
    const parsed = parseBody(readBody, body);
    const read = await this.#read('acknowledgements' in parsed ? parsed.acknowledgements : parsed.acknoledgments);
    const count = await this.messages.acknowledge(account, read, wanted(query, headers).device);
    void reply.header(MESSAGE_HEADERS.count, count);
  }

  async #read(acknowledged: readonly Item[]): Promise<Read> {
    const hashes = acknowledged.flatMap((each) => ('messageHash' in each ? [each.messageHash as Hash] : []));
    const times = acknowledged.flatMap((each) => ('messageHash' in each ? [] : [each]));
    const contacts = [...new Set(times.map(({ contactAddress }) => contactAddress))].slice(0, MAX_CONTACTS);
    const found = contacts.map(async (contact) => [contact, await this.#sendersCalled(contact)] as const);
    const senders = new Map(await Promise.all(found));
    const arrivals = times.map(({ contactAddress, messageDeliveryServiceTimestamp }) => ({
      senders: senders.get(contactAddress) ?? [],
      postmarkedAt: messageDeliveryServiceTimestamp,
    }));
    return { hashes, arrivals };
  }

  /** The address behind a name, and the name itself: an unverified sender is known by nothing else. */
  async #sendersCalled(contact: string): Promise<readonly string[]> {
    const name = tryNormaliseName(contact) && (await this.names.canonical(contact));
    const address = name && (await this.names.resolveAddress(name));
    return [...new Set([address, name, contact].filter((known) => known !== null))];
  }
}

function wanted(query: unknown, headers: HeaderFields): Wanted {
  const named = headers['x-dm3-device'];
  return parseBody(readQuery, named === undefined ? query : { device: named, ...(query as object) });
}

function answer(reply: FastifyReply, { envelopes, next, unverified }: MessagePage): readonly object[] {
  if (next !== null) void reply.header(MESSAGE_HEADERS.next, next);
  const listed = unverified.length > MAX_LISTED ? ANY : unverified.join(',');
  if (listed !== '') void reply.header(MESSAGE_HEADERS.unverified, listed);
  return envelopes;
}
