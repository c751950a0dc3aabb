# shellcheck shell=bash
# Sourced by scripts: says what is going on (on stderr), and gets the tools that
# are missing through the system's package manager.
# With DRY_RUN=1 nothing is installed or run, only said.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

missing_apt=() missing_dnf=() missing_pacman=() missing_apk=()

# need "COMMAND [COMMAND...]" WHY APT DNF PACMAN APK: notes the packages to get
# unless one of the commands is there. Package lists may hold several names.
need() {
    local command
    for command in $1; do
        if command -v "$command" >/dev/null 2>&1; then return; fi
    done
    say "missing: ${1%% *} ($2)"
    # shellcheck disable=SC2206 # the lists are meant to be split
    missing_apt+=($3) missing_dnf+=($4) missing_pacman+=($5) missing_apk+=($6)
}

need_cargo() {
    if ! command -v cargo >/dev/null 2>&1 && [[ -x ${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo ]]; then
        PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    fi
    command -v cargo >/dev/null 2>&1 || fail "cargo is missing. Install Rust (https://rustup.rs), then run this again:
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
}

# What compiling takes: libopus is built from its C sources by CMake.
need_build_tools() {
    need_cargo
    need "cc gcc clang" "links Rust programs and compiles libopus and AWS-LC" "gcc libc6-dev" "gcc glibc-devel" gcc "gcc musl-dev"
    need cmake "configures libopus, the Opus codec" cmake cmake cmake cmake
    need "make gmake" "builds libopus" make make make make
}

# Installs what `need` noted, or says what to run and stops.
install_missing() {
    ((${#missing_apt[@]})) || return 0
    local as_root=()
    if [[ $(id -u) != 0 ]]; then
        if ! command -v sudo >/dev/null 2>&1; then how_to_install; fi
        as_root=(sudo)
        # Without a terminal nobody can type a password.
        [[ -t 0 ]] || as_root+=(-n)
    fi
    command -v apt-get >/dev/null 2>&1 || how_to_install
    say "installing with apt-get: ${missing_apt[*]} (a minute or two)"
    apt_get update || say "the package lists could not be updated; trying with those there are"
    apt_get install -y --no-install-recommends "${missing_apt[@]}" || how_to_install
}

apt_get() {
    if [[ ${DRY_RUN:-} ]]; then
        say "would run: ${as_root[*]} apt-get $*"
        return
    fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null >&2
}

how_to_install() {
    fail "please install what is missing, as root, then run this again:
  Debian, Ubuntu:  apt-get install ${missing_apt[*]}
  Fedora:          dnf install ${missing_dnf[*]}
  Arch:            pacman -S ${missing_pacman[*]}
  Alpine:          apk add ${missing_apk[*]}"
}
