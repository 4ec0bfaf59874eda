#!/usr/bin/env bash
# optuna 5.0.0 records another choice than the one a trial ran with, where two choices are equal for Python: 1 and 1.0.
#
# Versions:  optuna 5.0.0; Python 3.11.
# Expected:  study.best_params are the parameters of the best trial. For scikit-learn max_features=1 is one feature and
#            1.0 all of them; min_df=1 is one text and 1.0 every text: choices one offers side by side.
# Behaviour: trial.suggest_categorical("max_features", [1, 1.0]) gives both, and trial.params within the trial agrees;
#            what is stored is the place of the first choice that is equal. The study's trials, its best_params, and what
#            a sampler learns from have 1 throughout. The same for 0 and False, 1 and True.
# Output seen:
#   ran with: [1.0, 1, 1.0, 1.0, 1, 1, 1.0, 1.0]
#   in trial: [1.0, 1, 1.0, 1.0, 1, 1, 1.0, 1.0]
#   kept:     [1, 1, 1, 1, 1, 1, 1, 1]
#   best:     1.0 {'max_features': 1}
# Reported:  accepted as it is, in a comment of the source: optuna/optuna pull request 5683.
# Who meets it: whoever trains the final model with best_params and gets another than the one that won.
# What Perennial does: `tune` draws the place of a value, not the value (perennial/tuning/space.py).
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), a minute, and packages from the index
# that pip is set up for. It ends with 0 as long as it is so, and with 1 once it is not.
set -euo pipefail

PINS=(optuna==5.0.0)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "${PINS[@]}" 2>"$folder/pip" || { cat "$folder/pip" >&2; exit 2; }

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
ran = []


def objective(trial):
    choice = trial.suggest_categorical("max_features", [1, 1.0])
    ran.append((choice, trial.params["max_features"]))
    return 1.0 if isinstance(choice, float) else 0.0


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(objective, n_trials=8)
kept = [trial.params["max_features"] for trial in study.trials]
print("ran with:", [choice for choice, _ in ran])
print("in trial:", [own for _, own in ran])
print("kept:    ", kept)
print("best:    ", study.best_value, study.best_params)
floats = [isinstance(choice, float) for choice, _ in ran]
as_told = any(floats) and not all(floats) and floats == [isinstance(own, float) for _, own in ran]
as_told = as_told and not any(isinstance(one, float) for one in kept) and study.best_value == 1.0
sys.exit(0 if as_told else "changed: choices are no longer recorded so")
PYTHON
