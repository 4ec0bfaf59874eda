# shellcheck shell=bash
# What start.sh, backup.sh, restore.sh and upgrade.sh share: where things are, and how a failure is told. Sourced.

FOLDER=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
declare -A DATABASES=() PASSWORDS=()
# The address of each database without its password (a file's path for SQLite), and the passwords.

URL_FORM='^postgres(ql)?(\+[a-z0-9]+)?://(([^:@/?#]+)(:([^@/?#]*))?@)?([^@/?#]*)/([^/?#]+)(\?([^#]*))?$'
URL_EXAMPLE='postgresql+psycopg://USER:PASSWORD@HOST/mlflow'

fail() {
  printf 'Error: %s\n' "$*" >&2
  exit 1
}

# For what is wrong with the command itself.
misuse() {
  printf 'Error: %s\n' "$*" >&2
  exit 2
}

say() {
  printf '%s\n' "$*"
}

# show_help TEXT ARGUMENTS…: TEXT, if it is asked for.
show_help() {
  case ${2:-} in
    -h | --help)
      say "$1"
      exit 0
      ;;
  esac
}

# attempt PROBLEM COMMAND…: the command's output; if it fails, PROBLEM and what it complained of.
attempt() {
  local problem=$1 complaints
  shift
  complaints=$(mktemp)
  if ! "$@" 2>"$complaints"; then
    problem="$problem: $(complaint "$complaints")"
    rm -f "$complaints"
    fail "$problem"
  fi
  rm -f "$complaints"
}

# What matters of what a program complained: the first two lines, or of Python's tracebacks the last.
complaint() {
  local lines
  if grep -q '^Traceback' "$1"; then lines=$(tail -n 1 "$1"); else lines=$(grep -m2 . "$1" | paste -sd ' '); fi
  say "${lines:-it does not say why}"
}

# A folder that ends with this script.
make_scratch() {
  SCRATCH=$(mktemp -d)
  trap 'rm -rf "$SCRATCH"' EXIT
}

# Where everything is, from the environment: sets PYTHON, HOME_FOLDER, STATE, KIND, DATABASES, PASSWORDS, ARTIFACTS.
configure() {
  find_python
  HOME_FOLDER=$(realpath -m "${PERENNIAL_HOME:-.perennial}")
  STATE=$HOME_FOLDER/mlflow-server
  from_file PERENNIAL_MLFLOW_DATABASE_URL
  from_file PERENNIAL_DATABASE_URL
  if [[ -n ${PERENNIAL_MLFLOW_DATABASE_URL:-} ]]; then
    KIND=postgresql
    configure_postgresql
  else
    KIND=sqlite
    configure_sqlite
  fi
  case $ARTIFACTS in
    s3://*) ;;
    *://* | file:*) fail "PERENNIAL_MLFLOW_ARTIFACTS is no place that is known here: it must be a folder, as" \
      "/srv/mlflow/artifacts, or a bucket, as s3://bucket/folder." ;;
    *) ARTIFACTS=$(realpath -m "$ARTIFACTS") ;;
  esac
}

configure_sqlite() {
  DATABASES=([mlflow]=$STATE/mlflow.db [users]=$STATE/users.db)
  # The one that `perennial` keeps beside it, unless that is told to use another.
  [[ -n ${PERENNIAL_DATABASE_URL:-} ]] || DATABASES[ledger]=$HOME_FOLDER/ledger.db
  ARTIFACTS=${PERENNIAL_MLFLOW_ARTIFACTS:-$STATE/artifacts}
}

configure_postgresql() {
  read_url mlflow PERENNIAL_MLFLOW_DATABASE_URL
  # The users' database is on the same server, for the same user, and called like MLflow's with _auth at the end.
  DATABASES[users]=$(address_of mlflow "$(database_of mlflow)_auth")
  PASSWORDS[users]=${PASSWORDS[mlflow]}
  if [[ ${PERENNIAL_DATABASE_URL:-} == postgres* ]]; then
    read_url ledger PERENNIAL_DATABASE_URL
    # Perennial's tables may lie in MLflow's database; then they are there in every backup of it.
    [[ ${DATABASES[ledger]} != "${DATABASES[mlflow]}" ]] || unset 'DATABASES[ledger]'
  fi
  ARTIFACTS=${PERENNIAL_MLFLOW_ARTIFACTS:-}
  [[ -n $ARTIFACTS ]] || fail "PERENNIAL_MLFLOW_DATABASE_URL names a database, but PERENNIAL_MLFLOW_ARTIFACTS does not" \
    "say where the models' files are. Set it to a folder that is backed up, as /srv/mlflow/artifacts, or to a bucket," \
    "as s3://bucket/folder."
}

find_python() {
  local own=$FOLDER/../.venv/bin/python
  if [[ -z ${PYTHON:-} ]]; then
    PYTHON=python3
    [[ ! -x $own ]] || PYTHON=$own
  fi
  # Else a folder called mlflow in the working folder is looked at, too.
  export PYTHONSAFEPATH=1
}

# from_file NAME: $NAME, or else what the file $NAME_FILE holds, as containers are given their secrets.
from_file() {
  local file_name=${1}_FILE
  [[ -z ${!1:-} && -n ${!file_name:-} ]] || return 0
  [[ -r ${!file_name} ]] || fail "$file_name names ${!file_name}, which can't be read."
  printf -v "$1" '%s' "$(<"${!file_name}")"
}

# read_url NAME VARIABLE: the database NAME is at what the variable holds. Never shown: it may hold a password.
read_url() {
  local password
  if [[ ! ${!2} =~ $URL_FORM ]] || [[ ${BASH_REMATCH[10]} == *password=* ]]; then
    fail "What $2 holds is no address of a PostgreSQL database. Write it like $URL_EXAMPLE; special characters in" \
      "a password are percent-encoded."
  fi
  DATABASES[$1]="postgresql://${BASH_REMATCH[4]:+${BASH_REMATCH[4]}@}${BASH_REMATCH[7]}/${BASH_REMATCH[8]}${BASH_REMATCH[9]}"
  password=${BASH_REMATCH[6]//\\/\\\\}
  printf -v password '%b' "${password//%/\\x}"
  PASSWORDS[$1]=${password:-${PGPASSWORD:-}}
}

# The database's name in an address.
database_of() {
  local path=${DATABASES[$1]%%\?*}
  say "${path##*/}"
}

# address_of NAME DATABASE: the address of another database beside NAME.
address_of() {
  local address=${DATABASES[$1]} query=''
  [[ $address != *\?* ]] || query="?${address#*\?}"
  address=${address%%\?*}
  say "${address%/*}/$2$query"
}

need() {
  command -v "$1" >/dev/null || fail "$1 is not installed: PostgreSQL's client programs are needed, at least as new as" \
    "the server. On Debian: apt-get install postgresql-client."
}

# as NAME COMMAND…: with the password of that database in the environment, where other users can't read it.
as() {
  PGPASSWORD=${PASSWORDS[$1]:-} PGCONNECT_TIMEOUT=10 "${@:2}"
}

# query NAME SQL: the answer, one line a row, cells separated by tabs.
query() {
  local address=${DATABASES[$1]}
  if [[ $KIND == sqlite ]]; then
    attempt "$address can't be read" "$PYTHON" -c "$READ_SQLITE" "$address" "$2"
  else
    attempt "The database $address can't be used" \
      as "$1" psql -XAtq -F $'\t' -v ON_ERROR_STOP=1 -d "$address" -c "$2"
  fi
}

READ_SQLITE='
import sqlite3, sys
for row in sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute(sys.argv[2]):
    print(*row, sep="\t")
'

# Makes the users' database beside MLflow's, if it is not there.
make_users_database() {
  local name
  name=$(database_of users)
  [[ -z $(query mlflow "SELECT 1 FROM pg_database WHERE datname = '$name'") ]] || return 0
  query mlflow "CREATE DATABASE \"$name\""
}

artifacts_are_files() {
  [[ $ARTIFACTS != s3://* ]]
}
