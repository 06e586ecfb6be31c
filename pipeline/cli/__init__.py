"""The commands below `pipeline store`; one thin function a command."""
