"""The studio: a page on this machine with everything the verbs do."""
