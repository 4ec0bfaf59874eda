"""What annotation tools export, read as rows: one a text, whoever and however many labelled it."""
