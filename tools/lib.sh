# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# What demo, test and bench share.  Sourced; the caller has `set -euo pipefail`.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${VMCTL_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/vmctl}
export DEBIAN_FRONTEND=noninteractive

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

is_root() {
    [[ $(id -u) -eq 0 ]]
}

# Runs a command as root: straight, or through sudo.
as_root() {
    if is_root; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo DEBIAN_FRONTEND=noninteractive "$@"
    else
        die "'$*' needs root, and there is no sudo"
    fi
}

is_systemd() {
    [[ -d /run/systemd/system ]]
}

# The packages for the purposes named; "image" is what the templates need.
packages_for() {
    local purpose
    for purpose in "$@"; do
        if [[ $purpose == image ]]; then
            cat "$top"/images/*/packages
        else
            awk -v purpose="$purpose" '$1 == purpose { print $2 }' "$top/tools/packages"
        fi
    done
}

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Installs the packages of these purposes that are missing.
install_packages() {
    local package missing=() try
    for package in $(packages_for "$@" | sort -u); do
        is_installed "$package" || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    command -v apt-get >/dev/null || die "missing, and there is no apt-get to install it: ${missing[*]}"
    say "installing ${missing[*]}"
    for try in 1 2 3; do
        if as_root apt-get update -qq &&
            as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null; then
            return 0
        fi
        [[ $try -eq 3 ]] || sleep $((try * 3))
    done
    die "apt-get could not install ${missing[*]}"
}

# Templates are fetched as packages: apt has to know them.
refresh_apt() {
    apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || as_root apt-get update -qq
}

# build_template NAME: builds it into the cache, unless it is there; prints the folder that holds it.
build_template() {
    local name=$1 folder old
    folder=$cache/images/$("$top/images/build" --hash "$name")
    if [[ ! -f $folder/$name/recipe.sha256 ]]; then
        refresh_apt
        mkdir -p "$folder"
        "$top/images/build" "$name" "$folder/$name" >&2
        # Those of older recipes.
        for old in "$cache"/images/*/"$name"; do
            [[ $old == "$folder/$name" ]] || rm -rf "$(dirname "$old")"
        done
    fi
    printf '%s\n' "$folder"
}

# build_tree FOLDER [MESON OPTION...]: sets up and builds; the output is shown only if it fails.
build_tree() {
    local folder=$1 log=$1.log
    shift
    if [[ ! -f $folder/build.ninja ]]; then
        rm -rf "$folder"
        meson setup "$folder" "$top" "$@" >"$log" 2>&1 || {
            cat "$log" >&2
            return 1
        }
    fi
    ninja -C "$folder" >"$log" 2>&1 || {
        grep -v '^\[[0-9]*/[0-9]*\] \(Compiling\|Generating\|Linking\)' "$log" | tail -n 60 >&2
        return 1
    }
    rm -f "$log"
}
