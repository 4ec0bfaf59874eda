#!/usr/bin/env bash
# Brings the server's databases up to the MLflow that is installed here. MLflow has no way back but a backup.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

HELP='mlflow/upgrade.sh: bring the databases of the tracking server up to the MLflow that is installed here.

Stop the server, back it up with mlflow/backup.sh, install the new MLflow, run this, start the server. It reads the
settings of start.sh. The only way back is to restore the backup with the old MLflow.'

main() {
  show_help "$HELP" "$@"
  (($# == 0)) || misuse "upgrade.sh takes no arguments, but got: $*. Its settings come from the environment; see --help."
  configure
  local scheme=sqlite:///
  if [[ $KIND == postgresql ]]; then
    need psql
    make_users_database
    export PGPASSWORD=${PASSWORDS[mlflow]}
    scheme=postgresql+psycopg://
  fi
  export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1
  say "mlflow: ${DATABASES[mlflow]}"
  attempt "MLflow's database could not be upgraded; restore the backup, and start with the MLflow that was there before" \
    "$PYTHON" -m mlflow db upgrade "$scheme${DATABASES[mlflow]#postgresql://}"
  say "users: ${DATABASES[users]}"
  attempt "The users' database could not be upgraded; restore the backup, and start with the MLflow that was there before" \
    "$PYTHON" -m mlflow.server.auth db upgrade --url "$scheme${DATABASES[users]#postgresql://}"
  say "Upgraded. Start the server."
}

main "$@"
