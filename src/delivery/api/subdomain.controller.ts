import { Body, Controller, Get, HttpCode, Inject, Param, Post, UseFilters, UseGuards } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { parseEthAddress, type EthAddress } from '../../common/ids.js';
import { NothingPublishedError, SubdomainsOffError } from '../subdomains/errors.js';
import { Subdomains } from '../subdomains/subdomains.js';
import { ClientLimitGuard } from './client-limit.guard.js';
import { RestErrorFilter } from './errors.js';
import { InvalidBodyError, parseBody } from './parse-body.js';

const name = z.string().min(1).max(300);
const signature = z.string().max(200);
const ethAddress = z.string().transform((text, context) => {
  const address = parseEthAddress(text);
  if (!address) context.addIssue({ code: 'custom', message: 'it is not an Ethereum address' });
  return address!;
});

const profileBody = z.object({ signedUserProfile: z.unknown(), address: ethAddress, subdomain: name });
const claimBody = z.object({ dm3Name: name, addressName: name, signature });
const removalBody = z.object({ dm3Name: name, signature });

/** The subdomain managers' REST (dm3 MTP: subdomains), as clients of the reference service call it. */
@ApiTags('dm3 subdomains')
@UseFilters(RestErrorFilter)
@UseGuards(ClientLimitGuard)
@Controller('resolver/profile')
export class SubdomainController {
  constructor(@Inject(Subdomains) private readonly managers: Subdomains | null) {}

  @Post('address')
  @HttpCode(200)
  async publish(@Body() body: unknown): Promise<string> {
    const { signedUserProfile, address, subdomain } = parseBody(profileBody, body);
    await this.#subdomains.publish(address, subdomain, signedUserProfile);
    return 'OK';
  }

  @Post('name')
  @HttpCode(200)
  async claim(@Body() body: unknown): Promise<string> {
    const { dm3Name, addressName, signature: signed } = parseBody(claimBody, body);
    await this.#subdomains.claim({ name: dm3Name, signature: signed }, addressName);
    return 'OK';
  }

  @Post('deleteName')
  @HttpCode(200)
  async release(@Body() body: unknown): Promise<string> {
    const { dm3Name, signature: signed } = parseBody(removalBody, body);
    await this.#subdomains.release({ name: dm3Name, signature: signed });
    return 'OK';
  }

  @Get('name/:address')
  async nameOf(@Param('address') text: string): Promise<{ name: string }> {
    const address = parseAddress(text);
    const found = await this.#subdomains.nameOf(address);
    if (!found) throw new NothingPublishedError({ address, what: 'name' });
    return { name: found };
  }

  @Get(':address')
  async profileOf(@Param('address') text: string): Promise<object> {
    const address = parseAddress(text);
    const found = await this.#subdomains.profileOf(address);
    if (!found) throw new NothingPublishedError({ address, what: 'profile' });
    return found;
  }

  get #subdomains(): Subdomains {
    if (!this.managers) throw new SubdomainsOffError();
    return this.managers;
  }
}

function parseAddress(text: string): EthAddress {
  const address = parseEthAddress(text);
  if (!address) throw new InvalidBodyError({ cause: new Error('The path names no Ethereum address.') });
  return address;
}
