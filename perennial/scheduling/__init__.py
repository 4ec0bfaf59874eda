"""Whether the ticks of schedules have runs, asked of Prefect's server without importing Prefect."""
