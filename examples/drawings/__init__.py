"""Line drawings for the documentation of `colorize`, drawn by code from seeds alone."""
