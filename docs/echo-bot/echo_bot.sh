#!/bin/sh
# The same bot in plain shell: curl asks Graph, jq reads JSON, socat listens.
#
#     switchboard emulate --bot http://127.0.0.1:3978/api/calls | sh echo_bot.sh
#
# It believes every notification, so it is for an emulator on this machine alone.
set -eu

ask() { # PATH BODY
    token=$(curl -sf "$token_url" -d grant_type=client_credentials -d client_id="$client_id" \
        -d client_secret="$client_secret" -d scope=https://graph.microsoft.com/.default |
        jq -r .access_token)
    curl -sf "$graph/communications/calls/$1" -H "Authorization: Bearer $token" \
        -H 'Content-Type: application/json' -d "$2" >&2
}

# One connection: a request on standard input, its answer on standard output.
notified() {
    length=0
    while read -r header value && [ "$header" ] && [ "$header" != "$(printf '\r')" ]; do
        case $header in
        [Cc]ontent-[Ll]ength:) length=$(printf %s "$value" | tr -d '\r') ;;
        esac
    done
    body=$(head -c "$length")
    printf 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
    exec >/dev/null
    [ "$body" ] || return 0
    # Call, state and tone, a "-" for what is not there.
    set -- $(printf %s "$body" | jq -r '.value[0] |
        (.resourceUrl | split("/")[3]), (.resourceData | .state // "-", .toneInfo.tone // "-")')
    case $2:$3 in
    incoming:*)
        ask "$1/answer" '{"acceptedModalities": ["audio"], "mediaConfig":
            {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"}}' ;;
    *:tone* | *:star | *:pound) ask "$1/sendDtmfTones" "{\"tones\": [\"$3\"]}" ;;
    established:-) ask "$1/subscribeToTone" '{}' ;;
    esac
}

if [ "${1:-}" = notified ]; then
    notified
    exit
fi
read -r site
for name in graph token_url client_id client_secret; do
    export "$name=$(printf %s "$site" | jq -r ".$name")"
done
exec socat "TCP-LISTEN:${PORT:-3978},bind=127.0.0.1,reuseaddr,fork" "EXEC:sh $0 notified"
