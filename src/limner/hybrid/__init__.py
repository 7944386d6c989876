"""`hybridize`: one picture near, another from afar."""
