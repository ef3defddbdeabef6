"""What keeps secrets out of frames, logs and errors, and control characters out of terminals. Private."""
