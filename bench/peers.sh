#!/bin/bash
# Installs the peers that `npm run bench` measures: Debian's packages, and the newest by `go install`.
# Run as root on Debian or Ubuntu. CRUN=/path/to/crun puts a newer crun before the package's.
# What it installs is for measuring only; nothing of it becomes part of hako.
set -euo pipefail

packages=(bubblewrap runc crun gcc musl-tools libseccomp-dev iptables pkg-config)
go_programs=(
  github.com/moby/moby/v2/cmd/dockerd
  github.com/moby/moby/v2/cmd/docker-proxy
  github.com/containerd/containerd/v2/cmd/containerd
  github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2
  github.com/containerd/containerd/v2/cmd/ctr
)

if command -v apt-get >/dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${packages[@]}" </dev/null
else
  echo "peers.sh: no apt-get here: install ${packages[*]} by your own package manager" >&2
fi

if command -v go >/dev/null; then
  for program in "${go_programs[@]}"; do
    name=${program##*/}
    [[ -x $(go env GOPATH)/bin/$name ]] || go install "$program@latest" </dev/null ||
      echo "peers.sh: $program could not be built; the bench will say that $name is absent" >&2
  done
  [[ -x $(go env GOPATH)/bin/runc ]] || go install -tags seccomp github.com/opencontainers/runc@latest </dev/null ||
    echo "peers.sh: the newest runc could not be built; the package's is measured" >&2
else
  echo "peers.sh: no go here: dockerd and the newest runc are left out" >&2
fi

if [[ -n ${CRUN:-} ]]; then
  directory=$(dirname "$(realpath "$CRUN")")
  echo "peers.sh: run the bench with HAKO_BENCH_PEERS=$directory to measure $("$CRUN" --version | head -1)"
fi
