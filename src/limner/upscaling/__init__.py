"""`upscale`: larger pictures, for print."""
