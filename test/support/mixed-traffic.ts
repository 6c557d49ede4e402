import { randomBytes, randomUUID } from 'node:crypto';
import type { EnsName, ForeignAddress } from '../../src/common/ids.js';
import { NotificationChannelStore } from '../../src/delivery/notifications/channel.store.js';
import { OwnService } from '../../src/delivery/own-service.js';
import { adminTokenStore } from '../../src/gateway/admin/admin-token.store.js';
import { GhostKeys } from '../../src/gateway/ghosts/ghost-keys.js';
import { GhostService } from '../../src/gateway/ghosts/ghost.service.js';
import type { Link } from '../../src/gateway/links/link.js';
import { LinkStore } from '../../src/gateway/links/link.store.js';
import { NameService } from '../../src/naming/name-service.js';
import type { ProfileKeys } from '../../src/protocol/crypto/keys.js';
import type { Person } from '../../src/sandbox/people.js';
import { Sealer } from '../../src/storage/sealer.js';
import { Correspondent } from './correspondent.js';
import { eventually } from './eventually.js';
import { startForeignService, type ForeignService } from './foreign-service.js';
import { ask } from './http-answer.js';
import type { MailServer } from './mail-server.js';
import type { Secret } from './secrets.js';
import { SmtpClient } from './smtp-client.js';
import { DOMAIN, type TestGateway } from './test-gateway.js';

const CAROL = 'carol.secretperson@mailbox.example';
const CAROL_ALIAS = 'carol.secretperson._at.mailbox.example.email.gateway.eth';
const LOST_ALIAS = 'gone.nobody._at.refusing.example.email.gateway.eth';
const MAIL_FILE = bytes(37);
const REPLY_FILE = bytes(91);

/**
 * People who write in all directions: mail to dm3 and back with subjects, files and answers, dm3 to dm3, mail to a
 * foreign delivery service, and whatever can go wrong. `begin` leaves what needs the far side in the queue, `finish`
 * has it delivered or fail for good. All that is private in it is unique and noted down, so that it can be searched for.
 */
export class MixedTraffic {
  /** Private wherever they turn up. */
  readonly secrets = new Map<string, Secret>();
  /** dm3 addresses: the database may know them, since everything belongs to them. */
  readonly identities = new Map<string, Secret>();
  readonly alice: Correspondent;
  readonly bob: Correspondent;

  private constructor(
    private readonly gateway: TestGateway,
    private readonly mailServer: MailServer,
    private readonly elsewhere: ForeignService,
    dave: Person,
  ) {
    this.alice = new Correspondent(gateway, gateway.alice);
    this.bob = new Correspondent(gateway, gateway.bob);
    const foreign = `mailto:${CAROL}` as ForeignAddress;
    const ghost = gateway.running.app.get(GhostService).ofForeign(foreign);
    const ghostKeys = gateway.running.app.get(GhostKeys).dm3(foreign, 1);
    for (const { name, address } of [gateway.alice, gateway.bob, dave]) {
      this.#note(`name ${name}`, name);
      this.identities.set(`address of ${name}`, address.slice(2));
    }
    this.identities.set('address of a ghost', ghost.address.slice(2));
    this.#noteKeys({ alice: gateway.alice.keys, bob: gateway.bob.keys, ghost: ghostKeys });
  }

  /** @param mailServer the smart host of the gateway, not started */
  static async prepare(gateway: TestGateway, mailServer: MailServer): Promise<MixedTraffic> {
    const elsewhere = await startForeignService(gateway, { name: 'ds.foreign.eth' });
    const dave = await gateway.addPerson('dave.eth', { deliveryService: elsewhere.name });
    return new MixedTraffic(gateway, mailServer, elsewhere, dave);
  }

  async begin(): Promise<void> {
    this.elsewhere.mood = 'fails';
    await this.#mailsArrive();
    await this.#bobWrites();
    await this.alice.send({ to: 'bob.eth', text: this.#note('dm3 text', 'Quince marmalade between us two') });
    await this.#settings();
    await this.#mistakes();
  }

  /** Mail leaves, but for one that is refused; the foreign delivery service refuses what it was to get. */
  async finish(): Promise<void> {
    this.elsewhere.mood = 'refuses';
    this.mailServer.knows = (address) => !address.endsWith('refusing.example');
    await this.mailServer.start();
    await eventually('an empty queue', async () => {
      const sql = 'SELECT count(*)::int AS waiting FROM outbox_item';
      const [row] = await this.gateway.db.query<{ waiting: number }>(sql);
      return row!.waiting === 0;
    });
  }

  async stop(): Promise<void> {
    await this.elsewhere.stop();
    await this.mailServer.stop();
  }

  #note<Value extends Secret>(what: string, value: Value): Value {
    this.secrets.set(what, value);
    return value;
  }

  #noteKeys(people: Record<string, ProfileKeys>): void {
    const { rootSecret, storageKeys } = this.gateway.running.runtime.secrets;
    this.#note('root secret', rootSecret);
    this.#note('storage key', storageKeys[0].key);
    const { keys } = this.gateway.running.app.get(OwnService);
    for (const [whose, { encryption, signing, storageKey }] of Object.entries({ ...people, service: keys })) {
      this.#note(`encryption key of ${whose}`, encryption.privateKey);
      this.#note(`signing key of ${whose}`, signing.privateKey.subarray(0, 32));
      this.#note(`key seed of ${whose}`, storageKey);
    }
  }

  /** One that is delivered, one that waits for its delivery service, and three that are refused. */
  async #mailsArrive(): Promise<void> {
    const from = this.#note('foreign address', CAROL);
    this.#note('foreign domain', 'mailbox.example');
    const to = `bob.eth@${DOMAIN}`;
    const client = await SmtpClient.connect(this.gateway.smtpPort);
    await client.deliver(this.#mail('mail', 'Persimmon harvest figures'), { from, to });
    await client.deliver(this.#mail('stuck mail', 'Loganberry dispatch'), { from, to: `dave.eth@${DOMAIN}` });
    await client.deliver('Bare line end:\n\r\n', { from, to });
    await client.recipient(`${this.#note('unknown name', 'nobody-here')}.eth@${DOMAIN}`, from);
    await client.recipient(`${this.#note('relay', 'x._at.victim.example')}.email@${DOMAIN}`, from);
    client.close();
    await eventually('the mail in the mailbox', async () => (await this.bob.inbox()).length > 0);
  }

  #mail(kind: string, subject: string): string {
    return [
      `From: ${this.#note('display name', 'Carolina Ypsilanti')} <${CAROL}>`,
      `Subject: ${this.#note(`subject of ${kind}`, subject)}`,
      `Message-ID: ${this.#note(`Message-ID of ${kind}`, `<${kind.replace(' ', '.')}.7f3a@mailbox.example>`)}`,
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      '',
      this.#note(`text of ${kind}`, `What the ${kind} says about medlars`),
      '--b',
      `Content-Disposition: attachment; filename="${this.#note('file name', 'medlar-ledger.bin')}"`,
      'Content-Transfer-Encoding: base64',
      '',
      this.#note('file', MAIL_FILE).toString('base64'),
      '--b--',
      '',
    ].join('\r\n');
  }

  /** An answer with a file that waits for the mail server, and a message that the mail server will refuse. */
  async #bobWrites(): Promise<void> {
    const [letter] = await this.bob.inbox();
    this.#note('message hash', letter!.hash);
    this.#note('reply token', letter!.message.metadata.replyDeliveryInstruction!);
    const data = `data:application/octet-stream;base64,${this.#note('answered file', REPLY_FILE).toString('base64')}`;
    const answer = await this.bob.envelope({
      to: this.#note('alias name', CAROL_ALIAS),
      text: this.#note('text of answer', 'Damson cheese for the answer'),
      answers: letter!.hash,
      attachments: [{ name: this.#note('answered file name', 'sloe-gin.bin'), data }],
    });
    this.#note('encrypted message', payloadIn(answer.message));
    this.#note('encrypted delivery information', payloadIn(answer.metadata.deliveryInformation));
    this.#note('hash of answer', answer.metadata.messageHash!);
    await this.bob.submit(answer);
    this.#note('refused address', 'gone.nobody@refusing.example');
    await this.bob.send({
      to: this.#note('refused alias name', LOST_ALIAS),
      text: this.#note('refused text', 'Bullace jelly that nobody gets'),
    });
  }

  /** Where somebody is notified, who is linked with whom, and from whom somebody takes messages. */
  async #settings(): Promise<void> {
    const { db, running, alice } = this.gateway;
    const sealer = running.app.get(Sealer);
    const recipient = this.#note('notified address', 'alice.private@quietmail.example');
    const channel = { type: 'EMAIL', recipient, isVerified: true } as const;
    await db.transaction((tx) => new NotificationChannelStore(sealer).put(tx, alice.address, channel));
    const foreign = `mailto:${this.#note('linked address', 'alice.elsewhere@linkedmail.example')}` as ForeignAddress;
    const profileLink = { displayName: alice.name, description: this.#note('link’s words', 'Sorbus and serviceberry') };
    const link = { id: randomUUID(), foreign, main: alice.name, owner: alice.address, profileLink, signature: null };
    await new LinkStore(sealer).begin(
      db,
      link as unknown as Link,
      running.app.get(GhostService).ofForeign(foreign).address,
      600,
    );
  }

  /** What people, programs and burglars try. */
  async #mistakes(): Promise<void> {
    const service = this.gateway.deliveryServiceUrl;
    const forged = await this.alice.envelope({ to: 'bob.eth', text: 'x', envelopeFrom: 'dave.eth' });
    await this.alice.submit(forged);
    await this.alice.submit({ ...forged, metadata: { ...forged.metadata, deliveryInformation: 'broken' } });
    await this.alice.submit(
      await this.alice.envelope({ to: 'nobody-here.eth', text: 'x', receiverKey: randomBytes(32) }),
    );
    await ask(`${service}/rpc`, { body: `{"${this.#note('broken JSON', 'mirabelle')}"` });
    await ask(`${service}/rpc`, { body: { id: this.#note('request id', 'whortleberry'), method: 'rowanberry' } });
    const token = this.#note('session token', await this.bob.token());
    const challenge = this.#note('login challenge', await this.bob.challenge());
    await ask(`${service}/auth/bob.eth`, { body: { challenge, signature: this.#note('signature', 'greengageAAAA') } });
    await ask(`${service}/delivery/messages/incoming/alice.eth`, { token });
    await ask(`${service}/profile/bob.eth`, { body: this.gateway.alice.profile });
    await ask(`${this.gateway.url}/no/${this.#note('path', 'cloudberry')}?q=${this.#note('query', 'bilberry')}`);
    await this.gateway.running.app.get(NameService).userProfile(CAROL_ALIAS as EnsName);
    const admin = this.#note('admin token', randomBytes(32).toString('hex'));
    await adminTokenStore.add(this.gateway.db, admin, ['read']);
    for (const token of [admin, this.#note('wrong admin token', 'salal-salal-salal')]) {
      await ask(`${this.gateway.adminUrl}/queue`, { token });
    }
  }
}

/** Bytes that no text and no encoding of a text holds by chance. */
function bytes(step: number): Buffer {
  return Buffer.from(Array.from({ length: 96 }, (_, index) => (index * step + 11) % 256));
}

function payloadIn(wire: string): string {
  return (JSON.parse(wire) as { ciphertext: string }).ciphertext.slice(0, 80);
}
