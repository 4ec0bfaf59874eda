#!/usr/bin/env bash
# Restores what backup.sh made, into the place that the settings name.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

HELP='mlflow/restore.sh BACKUP [--force]: restore a backup into the place that the settings name.

BACKUP is a folder that backup.sh made. It reads the settings of start.sh, and PERENNIAL_DATABASE_URL for the ledger.
The databases must be there (createdb mlflow); all that is restored into must be empty. With --force, what is in the
databases is replaced, and the files there are set aside in .replaced-DATE. No server may run on them meanwhile.'

main() {
  show_help "$HELP" "$@"
  read_arguments "$@"
  configure
  [[ $KIND == sqlite ]] || { need pg_restore && need psql; }
  check_backup
  check_target
  make_scratch
  restore_artifacts
  local name
  # MLflow's last: until it is there, a server on the target has no models.
  for name in ledger users mlflow; do
    restore "$name"
  done
  say "Restored $BACKUP. Start the server with mlflow/start.sh or 'make mlflow-server', under the address it had: the" \
    "ledger knows it by that."
}

read_arguments() {
  FORCE=no BACKUP=''
  local argument
  for argument in "$@"; do
    case $argument in
      --force) FORCE=yes ;;
      -*) misuse "$argument is no argument of restore.sh; see --help." ;;
      *) BACKUP=$argument ;;
    esac
  done
  [[ -n $BACKUP ]] || misuse "Say which backup is to be restored: mlflow/restore.sh BACKUP."
}

check_backup() {
  [[ -f $BACKUP/SHA256SUMS && -f $BACKUP/about ]] ||
    fail "$BACKUP is no backup: it has no SHA256SUMS. Name a folder that backup.sh made, as backups/mlflow-2026-01-31T03-00-00Z."
  BACKUP=$(cd "$BACKUP" && pwd)
  say "Verifying $BACKUP"
  local wrong
  wrong=$(cd "$BACKUP" && sha256sum --check --quiet SHA256SUMS 2>/dev/null | head -n 5 | cut -d: -f1 | paste -sd ' ') || true
  [[ -z $wrong ]] || fail "The backup $BACKUP is damaged: these files are not what was backed up: $wrong. Nothing was" \
    "restored. Take another backup."
  local kind
  kind=$(sed -n 's/^kind=//p' "$BACKUP/about")
  [[ $kind == "$KIND" ]] || fail "$BACKUP is a backup of $kind, but the settings name a server on $KIND. Set" \
    "PERENNIAL_MLFLOW_DATABASE_URL to a PostgreSQL database for the one, and leave it unset for the other."
  [[ ! -e $(stored ledger) || -n ${DATABASES[ledger]:-} ]] ||
    fail "$BACKUP holds the ledger in a database of its own, but the settings name no other for it than MLflow's." \
      "Set PERENNIAL_DATABASE_URL to the database that it is to be restored into."
}

# The file of a database in the backup, whether it is there or not.
stored() {
  if [[ $KIND == sqlite ]]; then say "$BACKUP/$1.db"; else say "$BACKUP/$1.dump"; fi
}

check_target() {
  local name found=()
  [[ $KIND == sqlite ]] || make_users_database
  for name in ledger users mlflow; do
    [[ -e $(stored "$name") ]] || continue
    check_unused "$name"
    [[ -z $(content "$name") ]] || found+=("${DATABASES[$name]} ($(content "$name"))")
  done
  if [[ -d $BACKUP/artifacts && -n $(files_there) ]]; then
    found+=("$ARTIFACTS (files)")
  fi
  ((${#found[@]} == 0)) || [[ $FORCE == yes ]] ||
    fail "The place to restore into is not empty: $(printf '%s; ' "${found[@]}")nothing was restored. Name an empty place in" \
      "the settings, or replace what is there with --force."
}

check_unused() {
  [[ $KIND == postgresql ]] || return 0
  local others
  others=$(query "$1" "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type IS DISTINCT FROM 'autovacuum worker'")
  ((others == 0)) || fail "The database ${DATABASES[$1]} is in use, by $others connections. Stop the server, and whatever" \
    "else uses it; then run this again. Nothing was restored."
}

# What is in a database, in words; nothing if it is empty.
content() {
  if [[ $KIND == sqlite ]]; then
    [[ ! -e ${DATABASES[$1]} ]] || say "a file"
    return
  fi
  query "$1" "SELECT count(*) || ' tables' FROM pg_tables WHERE schemaname = 'public' HAVING count(*) > 0"
}

files_there() {
  [[ ! -d $ARTIFACTS ]] ||
    find "$ARTIFACTS" -mindepth 1 -maxdepth 1 ! -name '.replaced-*' ! -name .restoring ! -name lost+found -print -quit
}

restore_artifacts() {
  if [[ ! -d $BACKUP/artifacts ]]; then
    say "artifacts: none in this backup; they were in $(sed -n 's/^artifacts=//p' "$BACKUP/about")"
    return 0
  fi
  artifacts_are_files || fail "$BACKUP holds files, and PERENNIAL_MLFLOW_ARTIFACTS names a bucket. Restore them to a folder," \
    "or copy $BACKUP/artifacts into the bucket with its own tools and remove that folder and its lines in SHA256SUMS."
  say "artifacts: $ARTIFACTS"
  # Inside of it, for it may be where a disk is mounted.
  local fresh=$ARTIFACTS/.restoring
  attempt "The folder $ARTIFACTS can't be written" mkdir -p "$ARTIFACTS"
  rm -rf "$fresh"
  attempt "The models' files can't be copied to $ARTIFACTS" \
    cp -R --preserve=mode,timestamps --reflink=auto "$BACKUP/artifacts" "$fresh"
  set_aside_files
  find "$fresh" -mindepth 1 -maxdepth 1 -exec mv -t "$ARTIFACTS" {} +
  rmdir "$fresh"
}

set_aside_files() {
  [[ -n $(files_there) ]] || return 0
  local aside
  aside=$ARTIFACTS/.replaced-$(date -u +%Y-%m-%dT%H-%M-%SZ)
  mkdir "$aside"
  find "$ARTIFACTS" -mindepth 1 -maxdepth 1 ! -name '.replaced-*' ! -name .restoring ! -name lost+found \
    -exec mv -t "$aside" {} +
  say "What was there is in $aside; remove it once all is well."
}

restore() {
  [[ -e $(stored "$1") ]] || return 0
  say "$1: ${DATABASES[$1]}"
  if [[ $KIND == sqlite ]]; then
    restore_file "$(stored "$1")" "${DATABASES[$1]}"
  else
    restore_dump "$1"
  fi
}

restore_file() {
  mkdir -p "$(dirname "$2")"
  # With what SQLite keeps beside a database: it would be taken for the new one's.
  local part aside
  aside=.replaced-$(date -u +%Y-%m-%dT%H-%M-%SZ)
  for part in "$2" "$2-wal" "$2-shm" "$2-journal"; do
    [[ ! -e $part ]] || mv "$part" "$part$aside"
  done
  cp "$1" "$2.new"
  mv "$2.new" "$2"
}

# In one transaction: either all of it is there, or the database is as it was.
restore_dump() {
  local script=$SCRATCH/$1.sql
  attempt "$(stored "$1") can't be read; is pg_restore older than the pg_dump that wrote it?" \
    pg_restore --no-owner --no-privileges --file="$script" "$(stored "$1")"
  attempt "The database ${DATABASES[$1]} could not be restored, and is as it was; run this again with --force" \
    as "$1" psql -Xq -o /dev/null --single-transaction -v ON_ERROR_STOP=1 -d "${DATABASES[$1]}" \
    -c 'SET client_min_messages = warning' -c 'DROP SCHEMA public CASCADE' -c 'CREATE SCHEMA public' -f "$script"
}

main "$@"
