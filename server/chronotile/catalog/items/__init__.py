"""The index of items: which scenes and tiles lie where and when, without opening any file."""
