"""What every network needs: devices, weights, tiles, features."""
