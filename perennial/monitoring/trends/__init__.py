"""What is written by time, topic, entity and any other column: how much, and how it sounds."""
