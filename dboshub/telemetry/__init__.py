"""OpenTelemetry: spans, their export, and logs. Only ``opened`` imports any of it."""
