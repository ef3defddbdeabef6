"""Files that hold customers' data: for their owner alone, and SQLite files of the library's own. Private."""
