# shellcheck shell=bash
# Sourced by scripts/test: other people's programs that some tests talk to. What
# can't be had is left out, and those tests say so (tests/src/skip.rs).

# Where they are kept between runs.
peers_dir() {
    printf '%s/peers' "${CARGO_TARGET_DIR:-target}"
}

# python_peer NAME REQUIREMENTS...: prints the Python of an environment that has them.
python_peer() {
    local name=$1 dir wanted
    shift
    dir=$(peers_dir)/$name
    # An environment names its own folder in its programs: one that was moved is of no use.
    wanted=$(printf '# in %s\n' "$(realpath --no-symlinks -m "$dir")" && cat "$@")
    if [[ $(cat "$dir/requirements.txt" 2>/dev/null) != "$wanted" ]]; then
        rm -rf "$dir"
        python3 -m venv "$dir" >&2 &&
            printf '%s\n' "$wanted" >"$dir/wanted.txt" &&
            "$dir/bin/pip" install --quiet --no-compile --disable-pip-version-check -r "$dir/wanted.txt" >&2 &&
            mv "$dir/wanted.txt" "$dir/requirements.txt" || return
    fi
    realpath --no-symlinks "$dir/bin/python"
}

# node_peer PACKAGE@VERSION: prints the folder node finds it in.
node_peer() {
    local package=$1 dir
    dir=$(peers_dir)/node
    if [[ ! -e $dir/node_modules/${package%@*}/package.json ]]; then
        mkdir -p "$dir" && npm install --silent --no-audit --no-fund --prefix "$dir" "$package" >&2 || return
    fi
    realpath "$dir/node_modules"
}

# What can't be had ends up in missing_peers, which scripts/test says at its end;
# SWITCHBOARD_NEED_PEERS=1 makes that an error.
find_peers() {
    local found
    missing_peers=
    if found=${SWITCHBOARD_PYTHON:-$(python_peer python fixtures/workers/requirements.txt tests/python/requirements.txt)}; then
        export SWITCHBOARD_PYTHON=$found
    else
        missing_peers+=" Python's packages of fixtures/workers and tests/python,"
    fi
    if found=$(python_peer pipecat fixtures/workers/pipecat-requirements.txt); then
        export SWITCHBOARD_PIPECAT=$found
    else
        missing_peers+=" pipecat-ai,"
    fi
    if found=$(node_peer @azure/communication-call-automation@1.6.0 && node_peer ws@8.18.3 >/dev/null &&
        node_peer @microsoft/microsoft-graph-client@3.0.7 >/dev/null && node_peer @azure/identity@4.13.1 >/dev/null &&
        node_peer axe-core@4.10.3 >/dev/null); then
        export NODE_PATH=$found
    else
        missing_peers+=" node with the packages of scripts/lib/peers.sh,"
    fi
    if found=$(python_peer kubernetes tests/python/kubernetes-requirements.txt); then
        export SWITCHBOARD_KUBERNETES_VALIDATE=${found%/*}/kubernetes-validate
    else
        missing_peers+=" kubernetes-validate,"
    fi
    missing_peers=${missing_peers%,}
    say "   peers: Python ${SWITCHBOARD_PYTHON:-none}, pipecat ${SWITCHBOARD_PIPECAT:-none}, node ${NODE_PATH:-none}"
    [[ -z $missing_peers || ! ${SWITCHBOARD_NEED_PEERS:-} ]] || fail "missing:$missing_peers"
}
