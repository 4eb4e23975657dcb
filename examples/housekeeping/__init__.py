"""A small service whose three jobs a scheduler starts over HTTP, by the job endpoint contract."""
