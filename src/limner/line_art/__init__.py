"""Line drawings: made from pictures, and read from scans."""
