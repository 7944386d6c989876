"""`hybridize`: two photos in one picture, one to see from near, the other from far away."""
