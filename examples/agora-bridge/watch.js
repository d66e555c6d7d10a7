/** Watches one stream channel for Rollbook. The bridge comes from the server that it talks to, so the two fit. */
import { PlayedRTM } from './played-rtm.js';

const form = document.querySelector('#watch');
const stop = document.querySelector('#stop');
const status = document.querySelector('#status');
const problems = document.querySelector('#problems');
const slipped = document.querySelector('#slipped');
const tell = (what) => problems.append(`${new Date().toISOString()} ${what}\n`);

/** Offline: what `rollbook replay --serve` plays at this address takes the place of Agora. */
const feed = new URLSearchParams(location.search).get('feed');
if (feed) form.elements.appId.required = false;

/** Shows who slipped in or out while nobody watched, as soon as it is known. Returns what ends it. */
function listen(rollbook, channel) {
  const address = new URL('/v1/subscribe', rollbook.replace(/^http/, 'ws'));
  let [seq, socket, over] = [0, undefined, false];
  const open = () => {
    address.search = new URLSearchParams({ channel, origin: 'inferred', after_seq: seq });
    socket = new WebSocket(address);
    socket.onmessage = ({ data }) => {
      const { type, user, topic, baseline, not_before: from, not_after: to, ...entry } = JSON.parse(data);
      seq = entry.seq; // after a lost connection it goes on from here
      // A baseline join is of one whom the first snapshot found.
      if (type && !baseline) slipped.append(`${user}, ${topic}: ${type} between ${from} and ${to}\n`);
    };
    socket.onclose = () => over || setTimeout(open, 1_000);
  };
  open();
  return () => {
    over = true;
    socket.close();
  };
}

form.addEventListener('submit', async (submitted) => {
  submitted.preventDefault();
  const { appId, user, channel, tokens, rollbook } = Object.fromEntries(new FormData(form));
  const { keepAlive } = await import(new URL('/bridge.js', rollbook));

  /** From your own server (see the README): to log in, or for one stream channel. */
  const fetchToken = async (of) => {
    if (!tokens) return ''; // in testing mode none is needed
    const query = new URLSearchParams({ user, ...(of && { channel: of }) });
    const answer = await fetch(`${tokens}?${query}`);
    if (!answer.ok) throw new Error(`the token server answered ${answer.status}`);
    return answer.text();
  };

  const played = (of, whole) => tell(whole ? `all of ${of} has been played` : `what was played of ${of} broke off`);
  // Without it, agora-rtm 2.3.0 refuses a second instance for one user, even after the first has logged out.
  if (!feed) AgoraRTM.setParameter('IGNORE_DUPLICATE_USER_ID_ERR', true);
  const alive = keepAlive({
    create: () => (feed ? new PlayedRTM(feed, played) : new AgoraRTM.RTM(appId, user)),
    fetchToken,
    join: async (rtm) => rtm.createStreamChannel(channel).join({ token: await fetchToken(channel) }),
    bridge: {
      url: rollbook,
      observer: user,
      self: user,
      // A Rollbook that asks for tokens gets one here, in the same way.
      onError: ({ kind, message, reasonCode = '', cause = '' }) => tell(`${kind}: ${message} ${reasonCode} ${cause}`),
    },
  });

  const listening = listen(rollbook, channel);
  const show = () => (status.textContent = JSON.stringify(alive.bridge.status, null, 2));
  const showing = setInterval(show, 500);
  const watching = (yes) => {
    stop.disabled = !yes;
    for (const field of form.querySelectorAll('input, button:not(#stop)')) field.disabled = yes;
  };
  watching(true);
  stop.onclick = async () => {
    stop.disabled = true;
    await alive.stop(); // all is durable, or given up and told
    listening();
    clearInterval(showing);
    show();
    watching(false);
  };
});
