"""Microsoft's own Graph SDK against the emulator; only addresses and credentials differ.

Reads its settings from the environment and prints one JSON line for each step. With an https
AUTHORITY, whose certificate SSL_CERT_FILE names, the credential is Microsoft's own as well,
which asks nothing else for tokens.
"""

import asyncio
import json
import os

import httpx
from azure.identity.aio import ClientSecretCredential
from kiota_abstractions.api_error import APIError
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.communications.calls.item.mute.mute_post_request_body import (
    MutePostRequestBody,
)
from msgraph.generated.communications.calls.item.play_prompt.play_prompt_post_request_body import (
    PlayPromptPostRequestBody,
)
from msgraph.generated.communications.calls.item.participants.invite.invite_post_request_body import (
    InvitePostRequestBody,
)
from msgraph.generated.communications.calls.item.participants.item.mute.mute_post_request_body import (
    MutePostRequestBody as MuteParticipantPostRequestBody,
)
from msgraph.generated.models.call import Call
from msgraph.generated.models.identity import Identity
from msgraph.generated.models.identity_set import IdentitySet
from msgraph.generated.models.invitation_participant_info import InvitationParticipantInfo
from msgraph.generated.models.join_meeting_id_meeting_info import JoinMeetingIdMeetingInfo
from msgraph.generated.models.join_meeting_id_settings import JoinMeetingIdSettings
from msgraph.generated.models.media_info import MediaInfo
from msgraph.generated.models.media_prompt import MediaPrompt
from msgraph.generated.models.modality import Modality
from msgraph.generated.models.online_meeting import OnlineMeeting
from msgraph.generated.models.service_hosted_media_config import ServiceHostedMediaConfig

SETTINGS = os.environ
SCOPE = "https://graph.microsoft.com/.default"


def tell(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)


class ClientCredentials(AccessTokenProvider):
    """OAuth 2.0 client credentials against the emulator's token endpoint, over plain HTTP too."""

    async def get_authorization_token(self, uri, additional_authentication_context=None):
        form = {
            "grant_type": "client_credentials",
            "client_id": SETTINGS["CLIENT_ID"],
            "client_secret": SETTINGS["CLIENT_SECRET"],
            "scope": SCOPE,
        }
        async with httpx.AsyncClient() as http:
            response = await http.post(SETTINGS["TOKEN_URL"], data=form)
        response.raise_for_status()
        return response.json()["access_token"]

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([])


def microsofts_credential():
    return ClientSecretCredential(
        SETTINGS["TENANT"],
        SETTINGS["CLIENT_ID"],
        SETTINGS["CLIENT_SECRET"],
        authority=SETTINGS["AUTHORITY"],
        disable_instance_discovery=True,
    )


def client(authentication):
    adapter = GraphRequestAdapter(authentication)
    adapter.base_url = SETTINGS["GRAPH"]
    return GraphServiceClient(request_adapter=adapter)


def user(user_id):
    return InvitationParticipantInfo(identity=IdentitySet(user=Identity(id=user_id)))


async def established(calls, call_id):
    for _ in range(300):
        call = await calls.by_call_id(call_id).get()
        if call.state.value == "established":
            return call
        await asyncio.sleep(0.1)
    raise SystemExit("the call was never established")


async def roster_of(call, people):
    for _ in range(300):
        roster = (await call.participants.get()).value
        if len(roster) == people:
            return roster
        await asyncio.sleep(0.1)
    raise SystemExit(f"there were never {people} participants")


async def in_a_meeting(graph):
    """Plans a meeting, joins it, invites someone, mutes them and leaves."""
    meetings = graph.users.by_user_id(SETTINGS["ORGANIZER"]).online_meetings
    meeting = await meetings.post(
        OnlineMeeting(
            subject="From python",
            join_meeting_id_settings=JoinMeetingIdSettings(is_passcode_required=True),
        )
    )
    found = await meetings.by_online_meeting_id(meeting.id).get()
    tell("meeting", subject=found.subject, same=found.join_web_url == meeting.join_web_url)

    settings = meeting.join_meeting_id_settings
    calls = graph.communications.calls
    created = await calls.post(
        Call(
            callback_uri=SETTINGS["CALLBACK"],
            requested_modalities=[Modality.Audio],
            media_config=ServiceHostedMediaConfig(),
            meeting_info=JoinMeetingIdMeetingInfo(
                join_meeting_id=settings.join_meeting_id, passcode=settings.passcode
            ),
            tenant_id=SETTINGS["TENANT"],
        )
    )
    await established(calls, created.id)
    call = calls.by_call_id(created.id)
    alone = await roster_of(call, 1)
    tell("joined", me=alone[0].id == created.my_participant_id)

    invited = await call.participants.invite.post(
        InvitePostRequestBody(participants=[user(SETTINGS["GUEST"])], client_context="i")
    )
    guest = (await roster_of(call, 2))[1]
    tell("invited", context=invited.client_context, guest=guest.info.identity.user.display_name)

    participant = call.participants.by_participant_id(guest.id)
    muted = await participant.mute.post(MuteParticipantPostRequestBody(client_context="m"))
    tell("guest-muted", status=muted.status.value, is_muted=(await participant.get()).is_muted)
    await participant.delete()
    await roster_of(call, 1)
    await call.delete()
    await meetings.by_online_meeting_id(meeting.id).delete()
    tell("left")


async def drive(graph):
    """Places a call, then holds a meeting."""
    calls = graph.communications.calls
    created = await calls.post(
        Call(
            callback_uri=SETTINGS["CALLBACK"],
            targets=[user(SETTINGS["USER"])],
            requested_modalities=[Modality.Audio],
            media_config=ServiceHostedMediaConfig(),
            tenant_id=SETTINGS["TENANT"],
        )
    )
    tell("created", id=created.id, state=created.state.value)
    call = await established(calls, created.id)
    tell("established", direction=call.direction.value)

    prompt = MediaPrompt(media_info=MediaInfo(uri=SETTINGS["PROMPT"], resource_id="greeting"))
    played = await calls.by_call_id(created.id).play_prompt.post(
        PlayPromptPostRequestBody(prompts=[prompt], client_context="from-python")
    )
    tell("played", status=played.status.value, context=played.client_context)
    muted = await calls.by_call_id(created.id).mute.post(MutePostRequestBody(client_context="m"))
    tell("muted", status=muted.status.value)

    try:
        await calls.by_call_id("00000000-0000-0000-0000-000000000000").get()
    except APIError as error:
        tell("unknown", status=error.response_status_code, code=error.error.code)

    await calls.by_call_id(created.id).delete()
    tell("deleted")
    await in_a_meeting(graph)


async def main():
    if not SETTINGS["AUTHORITY"].startswith("https:"):
        await drive(client(BaseBearerTokenAuthenticationProvider(ClientCredentials())))
        return
    async with microsofts_credential() as credential:
        await drive(client(AzureIdentityAuthenticationProvider(credential, scopes=[SCOPE])))


asyncio.run(main())
