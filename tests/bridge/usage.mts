/** Not run, but checked by tsc: the bridge takes the real SDK, and the stand-in has the SDK's interface. */
import AgoraRTM, { RTMClient } from 'agora-rtm';
import { attach, keepAlive } from '../../src/server/bridge.js';
import { PlayedRTM } from '../../examples/agora-bridge/played-rtm.js';
import { RTM, Service } from './stand-in-rtm.mjs';

const real: RTMClient = new AgoraRTM.RTM('app', 'me');
const bridge = attach(real, {
  url: 'https://rollbook.example',
  observer: 'lobby',
  self: 'me',
  token: async () => 'token',
  onError: ({ kind, message }) => console.warn(kind satisfies string, message),
  onAck: (line: number, seq: number) => console.log(line, seq),
});
const everything: boolean = await bridge.flushed();
const { state, pending }: { state: 'connecting' | 'open' | 'waiting' | 'closed'; pending: number } = bridge.status;
const givenUp: number = await bridge.detach({ within: 1_000 });
console.log(everything, state, pending, givenUp);

AgoraRTM.setParameter('IGNORE_DUPLICATE_USER_ID_ERR', true);
const alive = keepAlive({
  create: () => new AgoraRTM.RTM('app', 'me'),
  fetchToken: async (channel) => `token of ${channel ?? 'the login'}`,
  join: async (rtm: RTMClient) => {
    await rtm.createStreamChannel('room').join({ token: 'token' });
  },
  bridge: { url: 'wss://rollbook.example', observer: 'lobby' },
});
alive.restart();
await alive.stop();

// The stand-ins say and take nothing that the SDK does not.
type Account = Pick<RTMClient, 'addEventListener' | 'removeEventListener' | 'login' | 'logout' | 'renewToken'>;
const standIns: Account[] = [new RTM(new Service(), 'me'), new PlayedRTM('ws://127.0.0.1:7401/v1/feed')];
for (const standIn of standIns) attach(standIn, { url: 'ws://127.0.0.1:7400', observer: 'test' });

// @ts-expect-error: not without an observer
attach(real, { url: 'https://rollbook.example' });
// @ts-expect-error: what is no client is not taken
attach({ addEventListener() {} }, { url: 'https://rollbook.example', observer: 'lobby' });
