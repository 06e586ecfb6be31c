"""The machine: processor, device, memory, environment variables."""
