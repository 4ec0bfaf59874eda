#!/usr/bin/env bash
# Makes the databases and their users. PostgreSQL's image runs this once, when its volume is empty; by hand:
#   SECRETS=infra/secrets POSTGRES_USER=postgres PGHOST=… infra/postgres/databases.sh
# What is there is left as it is, so it may run again.
set -euo pipefail

SECRETS=${SECRETS:-/run/secrets}

# database NAME OWNER: the owner may do everything in it, others may not even connect.
database() {
  [[ -n $(ask "SELECT 1 FROM pg_roles WHERE rolname = '$2'") ]] || make_user "$2"
  [[ -z $(ask "SELECT 1 FROM pg_database WHERE datname = '$1'") ]] || return 0
  ask "CREATE DATABASE $1 OWNER $2"
  ask "REVOKE CONNECT ON DATABASE $1 FROM PUBLIC"
}

# The password comes by a variable of psql's and by standard input: the list of processes shows no secret.
make_user() {
  printf '%s\n' "\\set password \`cat '$SECRETS/$1-password'\`" "CREATE USER $1 PASSWORD :'password';" |
    psql -Xq -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres
}

ask() {
  psql -XAtq -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d postgres -c "$1"
}

for user in prefect mlflow perennial; do
  if [[ ! -r $SECRETS/$user-password ]]; then
    printf 'Error: %s/%s-password is missing; infra/make-secrets.sh makes it.\n' "$SECRETS" "$user" >&2
    exit 1
  fi
done
database prefect prefect
database mlflow mlflow
database mlflow_auth mlflow
database perennial perennial
# mlflow/backup.sh reads both MLflow's database and the ledger, as one user. Reading is all it may do there.
ask 'GRANT CONNECT ON DATABASE perennial TO mlflow'
ask 'GRANT pg_read_all_data TO mlflow'
