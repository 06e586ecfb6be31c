"""One encoder a file: content of one modality → feature. See CONTRIBUTING.md to add one."""
