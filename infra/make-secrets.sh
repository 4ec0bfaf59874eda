#!/usr/bin/env bash
# Makes the secrets of compose.yaml, which Kubernetes takes, too: one file each, random.
set -euo pipefail

FOLDER=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/secrets
RANDOM_ONES=(postgres-password prefect-password mlflow-password perennial-password prefect-admin-password
  mlflow-admin-password mlflow-worker-password mlflow-model-server-password mlflow-secret-key grafana-password)

HELP='infra/make-secrets.sh [FOLDER]: make the secrets of compose.yaml in infra/secrets, or in FOLDER.

One file each, random; one that is there is kept. Clients of Prefect name the user beside the password:
prefect-auth is admin: and prefect-admin-password. Back the folder up where your other secrets are.'

case ${1:-} in
  -h | --help)
    printf '%s\n' "$HELP"
    exit 0
    ;;
esac
FOLDER=${1:-$FOLDER}

random() {
  head -c 24 /dev/urandom | base64 | tr '+/' '-_'
}

# make NAME CONTENT: never half-written, never replaced.
make() {
  [[ ! -s $FOLDER/$1 ]] || return 0
  # Without a line's end: Kubernetes hands on all that the file holds.
  printf '%s' "$2" >"$FOLDER/$1.new"
  # The folder is yours alone. A file is mounted alone, and the user of a container, another than you, must read it.
  chmod 444 "$FOLDER/$1.new"
  mv "$FOLDER/$1.new" "$FOLDER/$1"
}

mkdir -p "$FOLDER"
chmod 700 "$FOLDER"
for name in "${RANDOM_ONES[@]}"; do make "$name" "$(random)"; done
make prefect-auth "admin:$(<"$FOLDER/prefect-admin-password")"
printf 'Secrets are in %s, which only you can open.\n' "$FOLDER"
