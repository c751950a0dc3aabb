"""A calling bot in Python: answers, and presses back every key that is pressed.

Needs aiohttp. Reads the line that `switchboard emulate` prints from standard input:

    switchboard emulate --bot http://127.0.0.1:3978/api/calls | python echo_bot.py
"""

import base64
import hashlib
import json
import os
import sys
import time

from aiohttp import ClientSession, web

SITE = json.loads(sys.stdin.readline())
CALLS = SITE["graph"] + "/communications/calls/"
# DigestInfo of SHA-256 (RFC 8017, section 9.2)
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
keys, token = {}, {"until": 0.0}


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def key(http, kid):
    """The channel's public key of that name; fetched anew if it is not known."""
    if kid not in keys:
        async with http.get(SITE["openid_configuration"]) as answer:
            jwks = (await answer.json())["jwks_uri"]
        async with http.get(jwks) as answer:
            for jwk in (await answer.json())["keys"]:
                keys[jwk["kid"]] = [int.from_bytes(decoded(jwk[part]), "big") for part in "ne"]
    return keys.get(kid)


async def authentic(request):
    """Whether the notification is signed for this bot (RS256, RFC 7518 section 3.3)."""
    try:
        signed, signature = request.headers["Authorization"].removeprefix("Bearer ").rsplit(".", 1)
        header, claims = (json.loads(decoded(part)) for part in signed.split("."))
        n, e = await key(request.app["http"], header["kid"])
    except (KeyError, TypeError, ValueError):
        return False
    size = (n.bit_length() + 7) // 8
    digest = SHA256 + hashlib.sha256(signed.encode()).digest()
    expected = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    is_theirs = pow(int.from_bytes(decoded(signature), "big"), e, n) == int.from_bytes(expected, "big")
    mine = claims.get("aud") == SITE["client_id"] and claims.get("iss") == "https://api.botframework.com"
    return is_theirs and mine and header["alg"] == "RS256" and claims["exp"] > time.time() - 300


async def ask(http, method, path, body=None):
    if token["until"] < time.time():
        form = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}
        form |= {name: SITE[name] for name in ("client_id", "client_secret")}
        async with http.post(SITE["token_url"], data=form) as answer:
            fresh = await answer.json()
        token.update(value=fresh["access_token"], until=time.time() + fresh["expires_in"] - 60)
    bearer = {"Authorization": "Bearer " + token["value"]}
    async with http.request(method, CALLS + path, json=body, headers=bearer) as answer:
        if answer.status >= 300:
            print(method, path, answer.status, await answer.text(), file=sys.stderr)


async def notified(request):
    if not await authentic(request):
        return web.Response(status=401)
    for notification in (await request.json())["value"]:
        data, call = notification["resourceData"], notification["resourceUrl"].split("/")[3]
        state, tone = data.get("state"), data.get("toneInfo", {}).get("tone")
        if state == "incoming":
            media = {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"}
            await ask(request.app["http"], "POST", call + "/answer",
                      {"acceptedModalities": ["audio"], "mediaConfig": media})
        elif tone:
            await ask(request.app["http"], "POST", call + "/sendDtmfTones", {"tones": [tone]})
        elif state == "established":
            await ask(request.app["http"], "POST", call + "/subscribeToTone", {})
    return web.Response(status=202)


async def session(app):
    async with ClientSession() as app["http"]:
        yield


app = web.Application()
app.cleanup_ctx.append(session)
app.router.add_post("/api/calls", notified)
web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "3978")), print=None)
