"""Files of products as they are, on this machine and elsewhere: their states, their bytes, their checksums."""
