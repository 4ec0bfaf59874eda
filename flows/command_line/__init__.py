"""The arguments of each command. Heavy libraries are imported when a command runs, so that --help is instant."""
