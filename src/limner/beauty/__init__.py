"""`beautify` and `predictability`: measure how predictable a picture is, and make it more so."""
