"""Line drawings: made from pictures, and ink extracted from scans."""
