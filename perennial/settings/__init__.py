"""pipeline.yaml as frozen models: the one definition of every setting, with its unit, its default and why."""
