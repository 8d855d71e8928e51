"""Would anybody notice a wrong rule? Rows and rules changed one at a time, and who finds it out."""
