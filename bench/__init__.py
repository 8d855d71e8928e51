"""How fast Homeward is: each figure beside a floor that does the same work with no code of ours."""
