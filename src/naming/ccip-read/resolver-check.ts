import type { EthAddress } from '../../common/ids.js';
import { failure, fine, warning, type Finding } from '../../ops/doctor/finding.js';
import type { ResolverState } from './resolver-state.js';
import type { SignerAddresses } from './signer-keys.js';

/** What the contract should say. */
export interface OwnService {
  readonly resolver: EthAddress;
  /** `http.publicUrl`. */
  readonly publicUrl: string;
  readonly signers: SignerAddresses;
}

/** The URL template (ERC-3668) of the service behind a public URL. */
export function ccipUrl(publicUrl: string): string {
  return `${publicUrl}/ccip/{sender}/{data}.json`;
}

/**
 * Compares a resolver contract with the service behind it. Clients cannot tell: where the contract does not take our
 * answers, they see names without records.
 */
export function checkResolver(state: ResolverState, own: OwnService): Finding[] {
  if (state.urls === null) return [noResolver(own)];
  return [...signerFindings(state.trusts, own), ...urlFindings(state.urls, own)];
}

function noResolver({ resolver, publicUrl, signers }: OwnService): Finding {
  return failure(
    'NO_CCIP_RESOLVER',
    `The contract ${resolver} (ccipRead.resolvers) sends nobody to a CCIP-read service.`,
    `Deploy an OffchainResolver with the URL ${ccipUrl(publicUrl)} and the signer ${signers.current}.`,
  );
}

function signerFindings(trusts: ResolverState['trusts'], { resolver, signers }: OwnService): Finding[] {
  const { current, previous } = signers;
  const finding = trusts.current
    ? fine('CCIP_SIGNER', `The resolver ${resolver} takes answers signed by ${current}.`)
    : failure(
        'CCIP_SIGNER',
        `The resolver ${resolver} refuses answers signed by ${current}: to clients our names have no records.`,
        `Call setSigner(${current}, true) on it; if that was done, set ccipRead.digest to the form it checks.`,
      );
  return previous !== null && trusts.previous ? [finding, formerSigner(resolver, previous)] : [finding];
}

function formerSigner(resolver: EthAddress, signer: EthAddress): Finding {
  return warning(
    'CCIP_FORMER_SIGNER',
    `The resolver ${resolver} still takes answers signed by ${signer}, our former key.`,
    `Call setSigner(${signer}, false) on it once every process signs with the new key.`,
  );
}

function urlFindings(urls: readonly string[], { resolver, publicUrl }: OwnService): Finding[] {
  const others = urls.filter((url) => !isOurs(url, publicUrl));
  if (others.length === urls.length) {
    const message = `The resolver ${resolver} does not send clients to this service: its URLs are ${listed(urls)}.`;
    return [failure('CCIP_URL', message, `Call setUrls(["${ccipUrl(publicUrl)}"]) on it.`)];
  }
  const ours = fine('CCIP_URL', `The resolver ${resolver} sends clients to this service.`);
  return others.length === 0 ? [ours] : [ours, otherUrls(resolver, others)];
}

function otherUrls(resolver: EthAddress, others: readonly string[]): Finding {
  return warning(
    'CCIP_OTHER_URLS',
    `The resolver ${resolver} also sends clients to ${listed(others)}.`,
    'Take them away with setUrls, unless services of yours with a trusted signer answer there.',
  );
}

/** All the forms that `CcipReadController` serves. */
function isOurs(template: string, publicUrl: string): boolean {
  const forms = ['', '/{sender}', '/{sender}.json', '/{sender}/{data}', '/{sender}/{data}.json'];
  return forms.some((form) => template.replace(/\/$/, '') === `${publicUrl}/ccip${form}`);
}

const listed = (urls: readonly string[]): string => (urls.length === 0 ? 'none' : urls.join(', '));
