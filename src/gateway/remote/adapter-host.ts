import { errorCode, GatewayError } from '../../common/errors.js';
import type { EventLog } from '../../ops/event-log.js';
import type { Database } from '../../storage/database.js';
import type { Adapter, OutgoingChallenge } from '../adapter/adapter.js';
import { RequestLateError, RequestUnusableError } from './errors.js';
import { remoteSendStore } from './remote-send.store.js';
import type { PacketSealer, SealedPacket } from './sealed-packet.js';
import type { SendOnce } from './send-once.js';
import { localCalls, type NetworkCalls } from './stand-in.js';
import { answerToJson, errorToJson, requestFromJson, type RemoteAnswer, type RemoteRequest } from './wire.js';

interface Parts {
  readonly adapter: Adapter;
  readonly db: Database;
  readonly packets: PacketSealer;
  readonly once: SendOnce;
  readonly log: EventLog;
}

/** The answer to something that has no id to bind one to; to whoever asked, it is as good as none. */
const NOTHING = { refused: true };

/** Answers for an adapter that runs in this process. */
export class AdapterHost {
  constructor(private readonly parts: Parts) {}

  /** Never rejects: whatever goes wrong is an answer, too. */
  async answer(packet: unknown): Promise<SealedPacket | typeof NOTHING> {
    const { packets } = this.parts;
    const id = (packet as { id?: unknown } | null)?.id;
    try {
      const answer = answerToJson(await this.#do(this.#open(packet)));
      return packets.seal('answer', id as string, answer);
    } catch (error) {
      this.#log(error);
      return typeof id === 'string' ? packets.seal('answer', id, errorToJson(error)) : NOTHING;
    }
  }

  /** @throws RequestUnusableError: that a request arrives damaged says nothing about the message in it */
  #open(packet: unknown): RemoteRequest {
    try {
      return requestFromJson(this.parts.packets.open('request', packet).json);
    } catch (cause) {
      throw cause instanceof RequestUnusableError
        ? cause
        : new RequestUnusableError({ reason: 'it is damaged', cause });
    }
  }

  async #do({ until, call }: RemoteRequest): Promise<RemoteAnswer> {
    const { adapter, once } = this.parts;
    const calls = localCalls(adapter, (rendering) => once.send(adapter, rendering, until));
    if (call.call === 'render') return calls.render(call.message);
    if (call.call === 'render-notice') return calls.renderNotice(call.notice);
    if (call.call === 'send') await calls.send(call.rendering);
    else await this.#challenge(calls, call.challenge, until);
    return undefined;
  }

  /** A repeated one is a second letter with the same code: nothing that has to be held off. */
  async #challenge(calls: NetworkCalls, challenge: OutgoingChallenge, until: string): Promise<void> {
    if (!(await remoteSendStore.isAwaited(this.parts.db, until))) throw new RequestLateError();
    await calls.sendChallenge(challenge);
  }

  #log(error: unknown): void {
    const { adapter, log } = this.parts;
    const fields = { network: adapter.network, code: errorCode(error) };
    if (error instanceof GatewayError) log.warn('remote.call-failed', fields);
    else log.error('remote.call-failed', fields, error);
  }
}
