#!/bin/sh
# Installs nvcc 11.8 and the g++ it accepts (Debian 12, components non-free and contrib: libcuda1 needs nvidia-support). Safe to run again.
#   native/ptxmachine/install-nvcc.sh          needs root
set -eu

fail() {
    echo "install-nvcc: $1" >&2
    exit 1
}

if command -v nvcc >/dev/null 2>&1 && command -v g++-11 >/dev/null 2>&1; then
    echo "install-nvcc: already installed: $(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/nvcc \1/p')"
    exit 0
fi

. /etc/os-release 2>/dev/null || fail "no /etc/os-release; install the CUDA toolkit (11.8 or later) from NVIDIA by hand"
[ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ] ||
    fail "this script knows Debian 12 only (this is ${PRETTY_NAME:-unknown}); install the CUDA toolkit (11.8 or later) from NVIDIA"
[ "$(id -u)" = 0 ] || fail "run as root"

sources=/etc/apt/sources.list.d/debian.sources
[ -f "$sources" ] || fail "$sources is missing; add contrib and non-free to the bookworm source by hand"
grep -q '^Components:.* contrib.* non-free\( \|$\)' "$sources" ||
    sed -i 's/^Components: main.*/Components: main contrib non-free non-free-firmware/' "$sources"

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends nvidia-cuda-toolkit g++-11 >/dev/null
echo "install-nvcc: installed $(nvcc --version | sed -n 's/.*release \([0-9.]*\).*/nvcc \1/p')"
