#!/usr/bin/env bash
# Starts the tracking server, with authentication, until it is told to end.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

HELP='mlflow/start.sh: start the tracking server, with authentication, until Ctrl-C.

Without any setting it is a server for this machine alone: SQLite and files in .perennial/mlflow-server, the
password of its user admin made up and kept there. For a team, set:

  PERENNIAL_MLFLOW_DATABASE_URL   postgresql+psycopg://USER:PASSWORD@HOST/mlflow
  PERENNIAL_MLFLOW_ARTIFACTS      a folder, or s3://bucket/folder
  MLFLOW_AUTH_ADMIN_PASSWORD      of the user admin, who is made at the first start
  PERENNIAL_MLFLOW_WORKER_PASSWORD, PERENNIAL_MLFLOW_MODEL_SERVER_PASSWORD
                                  of the users worker and model-server, who are made at the start; none: they are not
  MLFLOW_FLASK_SERVER_SECRET_KEY  any long random text; the same for all servers of one database
  MLFLOW_HOST, MLFLOW_PORT        where it listens: 127.0.0.1 and 5000

Each may be given as NAME_FILE instead: the path of a file that holds it. mlflow/README.md says more.'

main() {
  show_help "$HELP" "$@"
  (($# == 0)) || misuse "start.sh takes no arguments, but got: $*. Its settings come from the environment; see --help."
  configure
  export MLFLOW_HOST=${MLFLOW_HOST:-127.0.0.1} MLFLOW_PORT=${MLFLOW_PORT:-5000}
  check_packages
  check_port
  mkdir -p "$STATE"
  [[ $KIND == postgresql ]] || keep_to_this_machine
  check_secrets
  check_artifacts
  "prepare_$KIND"
  write_settings
  make_users
  announce
  serve
}

check_packages() {
  local wanted=(mlflow flask_wtf)
  [[ $KIND != postgresql ]] || wanted+=(psycopg)
  artifacts_are_files || wanted+=(boto3)
  attempt "The server needs Python packages that $PYTHON does not have; install them with" \
    "$PYTHON" -c "$FIND" "${wanted[@]}"
}

FIND='
import importlib.util, sys
if not all(map(importlib.util.find_spec, sys.argv[1:])):
    sys.exit("pip install -c constraints.txt \"mlflow[auth]\" \"psycopg[binary]\" boto3")
'

check_port() {
  [[ $MLFLOW_PORT =~ ^[0-9]+$ ]] || fail "MLFLOW_PORT is no port but '$MLFLOW_PORT'. Give a number, as 5000."
  if (exec 3<>"/dev/tcp/127.0.0.1/$MLFLOW_PORT") 2>/dev/null; then
    fail "Port $MLFLOW_PORT is taken: something listens there already. End that, or set MLFLOW_PORT to another."
  fi
}

keep_to_this_machine() {
  # A mistyped PERENNIAL_MLFLOW_DATABASE_URL must not start a team on an empty file of one machine.
  case $MLFLOW_HOST in
    127.* | localhost | ::1) ;;
    *) fail "PERENNIAL_MLFLOW_DATABASE_URL is not set, so the server would keep everything in a file here, but MLFLOW_HOST" \
      "($MLFLOW_HOST) opens it to other machines. Set it to a PostgreSQL database, as $URL_EXAMPLE; or leave" \
      "MLFLOW_HOST away for a server of this machine alone." ;;
  esac
  chmod 700 "$STATE"
  MLFLOW_AUTH_ADMIN_PASSWORD_FILE=${MLFLOW_AUTH_ADMIN_PASSWORD_FILE:-$STATE/admin-password}
  MLFLOW_FLASK_SERVER_SECRET_KEY_FILE=${MLFLOW_FLASK_SERVER_SECRET_KEY_FILE:-$STATE/secret-key}
  make_secret "$STATE/admin-password"
  make_secret "$STATE/secret-key"
}

make_secret() {
  [[ ! -s $1 ]] || return 0
  (umask 077 && head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$1.new" && mv "$1.new" "$1")
}

prepare_sqlite() {
  BACKEND=sqlite:///${DATABASES[mlflow]}
  USERS=sqlite:///${DATABASES[users]}
  export MLFLOW_WORKERS=${MLFLOW_WORKERS:-1}
}

prepare_postgresql() {
  need psql
  query mlflow 'SELECT 1' >/dev/null
  make_users_database
  BACKEND=${DATABASES[mlflow]/#postgresql:/postgresql+psycopg:}
  USERS=${DATABASES[users]/#postgresql:/postgresql+psycopg:}
  # In the environment, not in a file, a log or an address that MLflow shows.
  export PGPASSWORD=${PASSWORDS[mlflow]}
}

check_secrets() {
  from_file MLFLOW_AUTH_ADMIN_PASSWORD
  from_file MLFLOW_FLASK_SERVER_SECRET_KEY
  case ${MLFLOW_AUTH_ADMIN_PASSWORD:-} in
    '') fail "MLFLOW_AUTH_ADMIN_PASSWORD is not set, and there is no default password for the user admin. Set it, or" \
      "MLFLOW_AUTH_ADMIN_PASSWORD_FILE, to one of 12 characters or more." ;;
    password | password1234) fail "MLFLOW_AUTH_ADMIN_PASSWORD is the password that MLflow once came with, which everybody" \
      "knows. Set it to another of 12 characters or more." ;;
  esac
  ((${#MLFLOW_AUTH_ADMIN_PASSWORD} >= 12)) ||
    fail "MLFLOW_AUTH_ADMIN_PASSWORD has ${#MLFLOW_AUTH_ADMIN_PASSWORD} characters; MLflow takes 12 or more."
  ((${#MLFLOW_FLASK_SERVER_SECRET_KEY} >= 16)) ||
    fail "MLFLOW_FLASK_SERVER_SECRET_KEY is not set or shorter than 16 characters: with it the sign-up page is protected" \
      "against forged requests. Set it, or MLFLOW_FLASK_SERVER_SECRET_KEY_FILE, to what 'openssl rand -base64 32'" \
      "prints, the same for all servers of one database."
  export MLFLOW_AUTH_ADMIN_PASSWORD MLFLOW_FLASK_SERVER_SECRET_KEY
}

check_artifacts() {
  artifacts_are_files || return 0
  mkdir -p "$ARTIFACTS" 2>/dev/null || true
  [[ -d $ARTIFACTS && -w $ARTIFACTS ]] ||
    fail "The folder for the models' files, $ARTIFACTS, can't be written by $(id -un 2>/dev/null || id -u). Make it and" \
      "give this user the right to write there, or set PERENNIAL_MLFLOW_ARTIFACTS to another."
}

write_settings() {
  # One file for each port: servers may share a home.
  MLFLOW_AUTH_CONFIG_PATH=$STATE/basic_auth-$MLFLOW_PORT.ini
  cp "$FOLDER/basic_auth.ini" "$MLFLOW_AUTH_CONFIG_PATH.new"
  printf 'database_uri = %s\n' "${USERS//%/%%}" >>"$MLFLOW_AUTH_CONFIG_PATH.new"
  mv "$MLFLOW_AUTH_CONFIG_PATH.new" "$MLFLOW_AUTH_CONFIG_PATH"
  export MLFLOW_AUTH_CONFIG_PATH
}

# The users of pipelines and of model servers, who may do less than admin. Before the server answers anybody, so that
# neither is refused. A password that was changed counts from then on.
make_users() {
  make_user worker PERENNIAL_MLFLOW_WORKER_PASSWORD
  make_user model-server PERENNIAL_MLFLOW_MODEL_SERVER_PASSWORD
}

# make_user NAME VARIABLE: with the password that the variable holds; without one, nobody.
make_user() {
  from_file "$2"
  [[ -n ${!2:-} ]] || return 0
  (($(printf %s "${!2}" | wc -m) >= 12)) || fail "$2 has fewer characters than the 12 that MLflow wants."
  # In the environment, not on the command line, which others can see.
  PASSWORD=${!2} attempt "The user $1 can't be made in ${DATABASES[users]}" "$PYTHON" -c "$MAKE_USER" "$USERS" "$BACKEND" "$1"
  unset "$2"
}

MAKE_USER='
import os, sys
import sqlalchemy as sa
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

users, models, name = sys.argv[1:]
password = os.environ["PASSWORD"]
store = SqlAlchemyStore()
store.init_db(users)
if not store.has_user(name):
    store.create_user(name, password)
    # What was made before there was this user; what it makes itself is its own.
    tables = sa.inspect(engine := sa.create_engine(models))
    if name == "worker" and tables.has_table("registered_models"):
        with engine.connect() as connection:
            for (model,) in connection.execute(sa.text("SELECT name FROM registered_models")):
                store.grant_user_permission(name, "registered_model", model, "MANAGE")
            for (number,) in connection.execute(sa.text("SELECT experiment_id FROM experiments WHERE experiment_id <> 0")):
                store.grant_user_permission(name, "experiment", str(number), "MANAGE")
elif not store.authenticate_user(name, password):
    store.update_user(name, password=password)
'

announce() {
  say "MLflow     http://$MLFLOW_HOST:$MLFLOW_PORT, with authentication; its first user is admin"
  say "database   ${DATABASES[mlflow]}"
  say "users      ${DATABASES[users]}"
  say "artifacts  $ARTIFACTS"
  if [[ $KIND == sqlite ]]; then
    say "password   in $MLFLOW_AUTH_ADMIN_PASSWORD_FILE"
    say "Nothing is configured, so this server is for this machine alone; for a team see mlflow/README.md. To use it:"
    say "  export MLFLOW_TRACKING_URI=http://$MLFLOW_HOST:$MLFLOW_PORT MLFLOW_TRACKING_USERNAME=admin"
    say "  export MLFLOW_TRACKING_PASSWORD=\"\$(cat '$MLFLOW_AUTH_ADMIN_PASSWORD_FILE')\""
  fi
}

serve() {
  export MLFLOW_BACKEND_STORE_URI=$BACKEND MLFLOW_ARTIFACTS_DESTINATION=$ARTIFACTS
  export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=1
  # Jobs are for evaluating language models; without them no further processes run.
  export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=${MLFLOW_SERVER_ENABLE_JOB_EXECUTION:-false}
  # What its clients are told is not for the server.
  unset MLFLOW_TRACKING_URI MLFLOW_REGISTRY_URI MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD PERENNIAL_MLFLOW_DATABASE_URL
  exec "$PYTHON" -m mlflow server --app-name basic-auth
}

main "$@"
