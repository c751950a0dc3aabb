"use strict";
// Microsoft's Graph client and credential for JavaScript against the emulator; only
// addresses and credentials differ.
//
// Reads its settings from the environment and prints one JSON line for each step. GRAPH and
// AUTHORITY are https addresses, whose certificate NODE_EXTRA_CA_CERTS names.
// Needs @azure/identity, @microsoft/microsoft-graph-client, and node 20 or later.

const { ClientSecretCredential } = require("@azure/identity");
const { Client, GraphError } = require("@microsoft/microsoft-graph-client");
const {
  TokenCredentialAuthenticationProvider,
} = require("@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials");

const settings = process.env;
const person = "#microsoft.graph.invitationParticipantInfo";

function tell(step, facts) {
  console.log(JSON.stringify({ step, ...facts }));
}

function graphClient() {
  const { TENANT, CLIENT_ID, CLIENT_SECRET, AUTHORITY } = settings;
  const credential = new ClientSecretCredential(TENANT, CLIENT_ID, CLIENT_SECRET, {
    authorityHost: AUTHORITY,
    disableInstanceDiscovery: true,
  });
  return Client.initWithMiddleware({
    authProvider: new TokenCredentialAuthenticationProvider(credential, {
      scopes: ["https://graph.microsoft.com/.default"],
    }),
    // The client puts `/v1.0` behind it, and gives tokens to https alone.
    baseUrl: settings.GRAPH.replace(/v1\.0$/, ""),
    customHosts: new Set([new URL(settings.GRAPH).hostname]),
  });
}

function user(id) {
  return {
    "@odata.type": person,
    identity: { "@odata.type": "#microsoft.graph.identitySet", user: { id } },
  };
}

/** What every call of this application says. */
function callWith(more) {
  return {
    "@odata.type": "#microsoft.graph.call",
    callbackUri: settings.CALLBACK,
    requestedModalities: ["audio"],
    mediaConfig: { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
    tenantId: settings.TENANT,
    ...more,
  };
}

/** Asks until there is something, for at most half a minute. */
async function eventually(what, ask) {
  for (let tries = 0; tries < 300; tries += 1) {
    const found = await ask();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`never: ${what}`);
}

function established(graph, id) {
  return eventually("the call is established", async () => {
    const call = await graph.api(`/communications/calls/${id}`).get();
    return call.state === "established" && call;
  });
}

function rosterOf(call, people) {
  return eventually(`there are ${people} participants`, async () => {
    const roster = (await call("/participants").get()).value;
    return roster.length === people && roster;
  });
}

/** Calls someone, plays them a prompt, mutes itself and ends the call. */
async function inACall(graph) {
  const created = await graph
    .api("/communications/calls")
    .post(callWith({ targets: [user(settings.USER)] }));
  tell("created", { state: created.state });
  const call = (path) => graph.api(`/communications/calls/${created.id}${path}`);
  tell("established", { direction: (await established(graph, created.id)).direction });

  const played = await call("/playPrompt").post({
    clientContext: "from-node",
    prompts: [
      {
        "@odata.type": "#microsoft.graph.mediaPrompt",
        mediaInfo: { "@odata.type": "#microsoft.graph.mediaInfo", uri: settings.PROMPT },
      },
    ],
  });
  tell("played", { context: played.clientContext });
  const muted = await call("/mute").post({ clientContext: "m" });
  tell("muted", { status: muted.status });

  const unknown = "/communications/calls/00000000-0000-0000-0000-000000000000";
  await graph.api(unknown).get().catch((error) => {
    if (!(error instanceof GraphError)) throw error;
    tell("unknown", { status: error.statusCode, code: error.code });
  });
  await call("").delete();
  tell("deleted");
}

/** Plans a meeting, joins it, invites someone, mutes and removes them, and leaves. */
async function inAMeeting(graph) {
  const meetings = `/users/${settings.ORGANIZER}/onlineMeetings`;
  const meeting = await graph.api(meetings).post({
    subject: "From node",
    joinMeetingIdSettings: { isPasscodeRequired: true },
  });
  const found = await graph.api(`${meetings}/${meeting.id}`).get();
  tell("meeting", { subject: found.subject, same: found.joinWebUrl === meeting.joinWebUrl });

  const { joinMeetingId, passcode } = meeting.joinMeetingIdSettings;
  const meetingInfo = {
    "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
    joinMeetingId,
    passcode,
  };
  const created = await graph.api("/communications/calls").post(callWith({ meetingInfo }));
  const call = (path) => graph.api(`/communications/calls/${created.id}${path}`);
  await established(graph, created.id);
  const [alone] = await rosterOf(call, 1);
  tell("joined", { me: alone.id === created.myParticipantId });

  const invited = await call("/participants/invite").post({
    clientContext: "i",
    participants: [user(settings.GUEST)],
  });
  const [, guest] = await rosterOf(call, 2);
  tell("invited", {
    context: invited.clientContext,
    guest: guest.info.identity.user.displayName,
  });

  const participant = `/participants/${guest.id}`;
  const muted = await call(`${participant}/mute`).post({ clientContext: "m" });
  const after = await call(participant).get();
  tell("guest-muted", { status: muted.status, is_muted: after.isMuted });
  await call(participant).delete();
  await rosterOf(call, 1);
  await call("").delete();
  await graph.api(`${meetings}/${meeting.id}`).delete();
  tell("left");
}

async function main() {
  const graph = graphClient();
  await inACall(graph);
  await inAMeeting(graph);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
