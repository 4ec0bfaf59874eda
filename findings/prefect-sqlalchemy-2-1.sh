#!/usr/bin/env bash
# Prefect 3.8.8 never makes a scheduled run with SQLAlchemy 2.1.9, which its own requirement allows.
#
# Versions:  prefect 3.8.8, which requires `sqlalchemy[asyncio]<3.0.0,>=2.0`; Python 3.11; SQLite; Linux.
# Behaviour: a fresh server and one deployment with `cron: "* * * * *"`, asked for its automatically scheduled runs
#            after 75 s. With SQLAlchemy 2.1.9 there are none, and the server's scheduler logs an error at each of its
#            rounds; the server starts, answers, and looks healthy. With 2.0.58 and all else the same there are runs.
# Output seen:
#   prefect 3.8.8 with SQLAlchemy 2.1.9:  0 scheduled runs, "Can't evaluate bulk DML statement" 2 times in its log
#   prefect 3.8.8 with SQLAlchemy 2.0.58: 62 scheduled runs, "Can't evaluate bulk DML statement" 0 times in its log
#   sqlalchemy.exc.InvalidRequestError: Can't evaluate bulk DML statement; please supply a bulk_dml decorated function
# Cause:     _insert_scheduled_flow_runs (prefect/server/models/deployments.py) inserts dictionaries that hold `state`, a
#            hybrid property of FlowRun, for which SQLAlchemy 2.1 wants a setter for bulk statements; 2.0 does not.
# Others:    prefect 3.9.0 fails with 2.1.9 in the same way; 3.9.1 makes runs with it.
# What Perennial does: pins 2.0.58 (constraints.txt), asks for sqlalchemy<2.1 (pyproject.toml), and `perennial doctor`
#            and `perennial schedule` name the pair.
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), some minutes, and packages from the
# index that pip is set up for. It ends with 0 as long as both versions behave so, and with 1 once one does not.
set -euo pipefail

PINS=(prefect==3.8.8 fastapi==0.150.0 starlette==1.10.0 pydocket==0.27.0 pydantic==2.14.3 aiosqlite==0.22.1)
ERROR="Can't evaluate bulk DML statement"
SECONDS_TO_WAIT=75

folder=$(mktemp -d)
servers=()
end() {
    for server in "${servers[@]}"; do kill "$server" 2>/dev/null || true; done
    wait
    rm -rf "$folder"
}
trap end EXIT

# Makes an environment with SQLAlchemy $1 and starts Prefect's server in it on port $2, its log in log-$1.
start() {
    local home=$folder/home-$1
    "${PYTHON:-python3}" -m venv "$folder/venv-$1"
    "$folder/venv-$1/bin/pip" install --quiet "${PINS[@]}" "sqlalchemy==$1" 2>"$folder/pip-$1" ||
        { cat "$folder/pip-$1" >&2; exit 2; }
    mkdir "$home"
    env -u PREFECT_API_URL -u PREFECT_SERVER_DATABASE_CONNECTION_URL -u PREFECT_API_DATABASE_CONNECTION_URL \
        PREFECT_HOME="$home" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1 \
        "$folder/venv-$1/bin/python" -m prefect server start --no-ui --host 127.0.0.1 --port "$2" \
        >"$folder/log-$1" 2>&1 &
    servers+=($!)
}

# Speaks to the REST API of the server on port $1. $2: `deploy` makes a deployment with a cron; `count` prints how many
# runs the server's scheduler has made.
ask() {
    "${PYTHON:-python3}" - "http://127.0.0.1:$1/api" "$2" <<'PYTHON'
import json, sys, time, urllib.request

def ask(path, body):
    request = urllib.request.Request(sys.argv[1] + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    for _ in range(180):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except OSError:  # it is starting, or busy, as one on SQLite is at times
            time.sleep(1)
    sys.exit(f"{sys.argv[1]} does not answer")

if sys.argv[2] == "deploy":
    flow = ask("/flows/", {"name": "ticks"})["id"]
    schedule = {"active": True, "schedule": {"cron": "* * * * *", "timezone": "UTC"}}
    ask("/deployments/", {"name": "ticks", "flow_id": flow, "schedules": [schedule]})
else:
    print(sum(run["auto_scheduled"] for run in ask("/flow_runs/filter", {})))
PYTHON
}

free_port() {
    "${PYTHON:-python3}" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

new=$(free_port) old=$(free_port)
start 2.1.9 "$new"
start 2.0.58 "$old"
ask "$new" deploy
ask "$old" deploy
sleep "$SECONDS_TO_WAIT"

changed=0
with_new=$(ask "$new" count) with_old=$(ask "$old" count)
errors=$(grep -c "$ERROR" "$folder/log-2.1.9" || true)
others=$(grep -c "$ERROR" "$folder/log-2.0.58" || true)
echo "prefect 3.8.8 with SQLAlchemy 2.1.9:  $with_new scheduled runs, \"$ERROR\" $errors times in its log"
echo "prefect 3.8.8 with SQLAlchemy 2.0.58: $with_old scheduled runs, \"$ERROR\" $others times in its log"
grep -m 1 "$ERROR" "$folder/log-2.1.9" || true
test "$with_new" = 0 && test "$errors" != 0 || { echo "changed: 2.1.9 no longer fails so"; changed=1; }
test "$with_old" != 0 && test "$others" = 0 || { echo "changed: 2.0.58 no longer makes runs"; changed=1; }
exit "$changed"
