#!/usr/bin/env bash
# Installs the pinned environment of this project on one node, the way `make install` does.
#
#   setup_node.sh [PACKAGE ...]     PACKAGE: what only this node needs, as boto3 on an AWS head
#
# Run again it changes nothing and takes a second. It needs Python 3.11 or later with venv
# (name one with PYTHON=...), and Ray's token in ~/.ray/auth_token.
set -euo pipefail

fail() {
  echo "setup_node.sh: $*" >&2
  exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3}
token=$HOME/.ray/auth_token

[ -s "$token" ] || fail "$token is missing or empty; on your own machine: ray get-auth-token --generate"
chmod 700 "$HOME/.ray"
chmod 600 "$token"

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$python is missing or older than Python 3.11; name another with PYTHON=..."

wanted=$(printf '%s\n' "$@" | cat - pyproject.toml constraints.txt | sha256sum)
if [ "$(cat .venv/.installed 2>/dev/null)" != "$wanted" ]; then
  "$python" -m venv .venv || fail "$python has no venv; on Debian and Ubuntu: apt-get install python3-venv"
  .venv/bin/pip install -qq --disable-pip-version-check -c constraints.txt -e . "$@"
  echo "$wanted" >.venv/.installed
fi

# What Ray's launcher runs by itself (`ray stop`, `ray status`) starts from this file.
for line in "export PATH=\"$PWD/.venv/bin:\$PATH\"" "export RAY_AUTH_MODE=token"; do
  grep -qsxF "$line" "$HOME/.bashrc" || echo "$line" >>"$HOME/.bashrc"
done
