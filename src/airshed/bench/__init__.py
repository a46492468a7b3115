"""What a study's models cost: time, memory, and device-hours, measured side by side."""
