"""A smaller model that learns from the fine-tuned one."""
