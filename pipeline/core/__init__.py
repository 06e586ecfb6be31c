"""What everything stands on: errors, options, records, randomness, plug-ins by name."""
