"""`generate` and `variations`: new pictures out of a folder of paintings, or out of one picture."""
