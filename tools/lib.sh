# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the tools share.  Sourced: `root` is the checkout.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Runs a command as root.
as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "this needs root, and there is no sudo: $*"
    fi
}

# The packages of the given purposes; "image" is what building the templates needs.
list_packages() {
    local purpose
    for purpose in "$@"; do
        if [[ $purpose == image ]]; then
            "$root/images/build" --packages tiny
        else
            sed -n "/^$purpose:\$/,/^\$/ { /^[a-z]/ { /:\$/d; p } }" "$root/tools/packages"
        fi
    done
}

missing_packages() {
    list_packages "$@" | sort -u | while read -r package; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed' || echo "$package"
    done
}

# Installs what is missing, and nothing else.
ensure_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -gt 0 ]] || return 0
    say "Installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "${missing[@]}" >/dev/null ||
        die "apt-get could not install ${missing[*]}"
}

# apt has to know its packages before a template can be built from them.
ensure_apt_lists() {
    apt-cache show linux-image-cloud-amd64 >/dev/null 2>&1 || as_root apt-get update -qq
}

# Configures a build folder once, and builds it.
build() {
    local folder=$1
    shift
    if [[ ! -f $folder/build.ninja ]]; then
        meson setup "$folder" "$root" "$@" >"$folder.log" 2>&1 || {
            cat "$folder.log" >&2
            die "meson could not set up $folder"
        }
        rm -f "$folder.log"
    fi
    meson compile -C "$folder" >"$folder/build.log" 2>&1 || {
        tail -n 60 "$folder/build.log" >&2
        die "$folder could not be built"
    }
}

# Builds a template into a cache that is keyed by the hash of its recipe; prints the folder that holds it.
cached_images() {
    local name=$1 cache folder
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/vmctl/images
    folder=$cache/$("$root/images/build" --hash "$name")
    ensure_apt_lists >&2
    "$root/images/build" "$name" "$folder/$name" >&2 || die "the template $name could not be built"
    printf '%s\n' "$folder"
}

# The files of a Debian package, unpacked and not installed, so that nothing of it is started; prints their folder.
unpacked_package() {
    local package=$1 cache version folder scratch
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/vmctl/packages
    apt-cache show "$package" >/dev/null 2>&1 || as_root apt-get update -qq >&2
    version=$(apt-cache show --no-all-versions "$package" | sed -n 's/^Version: //p')
    folder=$cache/${package}_$version
    if [[ ! -d $folder ]]; then
        mkdir -p "$cache"
        scratch=$(mktemp -d "$cache/.new.XXXXXX")
        (cd "$scratch" && apt-get download -qq "$package" 2>/dev/null && dpkg-deb -x ./*.deb root) >&2 ||
            die "apt-get could not download $package"
        mv -T "$scratch/root" "$folder" 2>/dev/null || [[ -d $folder ]] || die "$folder could not be made"
        rm -rf "$scratch"
    fi
    printf '%s\n' "$folder"
}
