"""What every protocol needs to speak HTTP."""
