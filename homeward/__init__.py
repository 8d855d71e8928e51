"""The command line of Homeward: run it, show it, check it and change what it knows."""
