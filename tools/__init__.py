"""What makes files of this repository; not shipped with the library."""
