#!/bin/sh
# Runs a command with a Node that is new enough, installing the dependencies first when they are missing or stale.
#   sh scripts/with-node.sh node dist/cli/main.js --help
# Node >= 22.19 from the system is used as it is; else the one that `npm install` brought (optionalDependencies).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

if [ ! -f "$root/node_modules/.installed" ] || [ "$root/package-lock.json" -nt "$root/node_modules/.installed" ]; then
  echo "Installing dependencies (first run: about a minute)..." >&2
  (cd "$root" && npm install --no-audit --no-fund --loglevel=error) >&2
  touch "$root/node_modules/.installed"
fi

new_enough() {
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 19) ? 0 : 1)' 2>/dev/null
}

if ! { command -v node >/dev/null 2>&1 && new_enough node; }; then
  for bin in "$root"/node_modules/node-*/bin; do
    if [ -x "$bin/node" ] && new_enough "$bin/node"; then
      PATH="$bin:$PATH"
      export PATH
      break
    fi
  done
  if ! { command -v node >/dev/null 2>&1 && new_enough node; }; then
    echo "dm3-gateway needs Node 22.19 or newer; this machine has $(node -v 2>/dev/null || echo none) and no packaged Node fits it. Install a newer Node and try again." >&2
    exit 1
  fi
fi

cd "${DM3_GATEWAY_CWD:-$PWD}"
exec "$@"
