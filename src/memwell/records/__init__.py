"""Records and operations as bytes and JSON, their digests, ids and revisions. Pure."""
