// What docs/alias-names.md says, made from the code that makes the names.

const WALLET = '0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045';
const INBOX = '1b4e28ba2fa11d2883b95dd8b6f4b3a5c1d2e3f405162738495a6b7c8d9eafb0';
const LONG_DOMAIN = `${'b'.repeat(62)}.${'c'.repeat(62)}.${'d'.repeat(62)}.example`;

/** Forty addresses: what they show, and the address as people write it. */
const EXAMPLES = {
  Mail: [
    ['a plain address', 'alice@example.com'],
    ['capitals do not count', 'Alice@Example.COM'],
    ['dots stay dots', 'bob.smith@mail.example.co.uk'],
    ['a hyphen inside', 'mary-ann@my-host.example'],
    ['`+` is a label', 'alice+news@example.com'],
    ['so is `_`', 'first_last@example.com'],
    ['both, several times', 'a.b+t_1@x.org'],
    ['digits', '12345@67.example'],
    ['no dot in the domain', 'root@localhost'],
    ['an apostrophe: escaped', "o'brien@example.com"],
    ['a hyphen at the end: escaped', 'alice-@example.com'],
    ['two hyphens: escaped', 'a--b@example.com'],
    ['two dots: quoted and escaped', 'a..b@docomo.example'],
    ['quotes with a space', '"john doe"@example.com'],
    ['needless quotes', '"alice"@example.com'],
    ['an @ in quotes', '"a@b"@example.com'],
    ['a local part in Unicode', '用户@example.com'],
    ['a domain in Unicode', 'alice@bücher.example'],
    ['the same domain in A-labels', 'alice@xn--bcher-kva.example'],
    ['Cyrillic', 'иван@пример.com'],
    ['a domain that old clients would change', 'alice@faß.de'],
    ['an emoji domain', 'alice@🦊.example'],
    ['a local part of 64 octets', `${'x'.repeat(64)}@example.com`],
    ['too long for a name: a hash', `${'a'.repeat(50)}@${LONG_DOMAIN}`],
  ],
  Matrix: [
    ['a user', '@alice:hs.org'],
    ['a user by URI', 'matrix:u/alice:hs.org'],
    ['`_` is a label', '@_irc_bob:hs.org'],
    ['a server with a port', '@alice:hs.org:8448'],
    ['capitals count: escaped', '@Alice:hs.org'],
    ['`=` and `/`: escaped', '@a=2f/b:hs.org'],
    ['a server in A-labels', '@alice:xn--bcher-kva.example'],
    ['a room', '#dev:hs.org'],
    ['a room in Unicode', '#例え:hs.org'],
    ['the id of a room', '!OGEhHVWSdvArJzumhm:hs.org'],
    ['the id of a room of version 12', '!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM'],
    ['a room too long for a name: a hash', `#${'long '.repeat(40).trim()}:hs.org`],
  ],
  XMTP: [
    ['an address', WALLET.toLowerCase()],
    ['its capitals do not count', WALLET],
    ['an inbox id', INBOX],
    ['by scheme', `xmtp:${INBOX}`],
  ],
};

/**
 * @param readAddress what somebody typed -> canonical address
 * @param nameOf canonical address -> its name
 */
export function aliasNamesPage({ readAddress, nameOf }) {
  const tables = Object.entries(EXAMPLES).map(([network, examples]) =>
    table(network, examples, { readAddress, nameOf }),
  );
  return `# Names of addresses

Made by \`npm run docs\` from the code; edit \`scripts/alias-names-page.mjs\`.

Every address on another network has one ENS name below the gateway's root, here \`gateway.eth\`, and every such name
one address. \`dm3-gateway name <address or name>\` translates both ways and says why it cannot;
\`GET /resolver/alias?of=<address or name>\` answers the same as JSON. Names of networks that a gateway has no adapter for
can be translated, but do not resolve.

- \`@\` (in Matrix, the \`:\` before the server) is the label \`_at\`; \`+\` is \`_p\`, \`_\` is \`_u\`. A Matrix room starts with
  \`_room\`, the id of one with \`_roomid\`, an XMTP inbox with \`_inbox\`.
- What labels cannot spell is \`_x\` and base32 (RFC 4648, lower case, no padding) of its UTF-8 bytes, cut into labels.
- Every name stays as it is under ENSIP-15 and under the nameprep of ethers 5, which dm3 clients use. No label is longer
  than 63 bytes and no name longer than 255 in DNS form; where it would be, it is \`h\` and base32 of the SHA-256 of the
  address, which only the gateway that made it can read back.
- There is one spelling: another one of the same address is refused, with the right one in the refusal.

${tables.join('\n\n')}
`;
}

function table(network, examples, { readAddress, nameOf }) {
  const rows = examples.map(([shows, text]) => row([shows, code(text), code(nameOf(readAddress(text)))]));
  return [`## ${network}`, '', row(['', 'address', 'name']), row(['---', '---', '---']), ...rows].join('\n');
}

const row = (cells) => `| ${cells.join(' | ')} |`;
const code = (text) => `\`${text}\``;
