"""A made-up history in the shape of the public statistics, to see what years of cases cost."""
